import { crc32c, unmasked } from '../crc32c.ts'
import { u32le } from './bytes.ts'
import { Cursor, inMemory } from './cursor.ts'
import type { Peek } from './format.ts'

/** A sorted table of keys and values as TensorFlow writes it, after LevelDB (tensorflow/core/lib/io/table_format.txt). */

/** The last eight bytes, 0xdb4775248b80fb57. */
const mark = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]
export const footerBytes = 48
/** Behind each block: how it is compressed, and the CRC of both. */
const trailerBytes = 5
const uncompressed = 0

/** Where a block lies, without its trailer. */
interface Place {
  readonly at: number
  readonly size: number
}

export interface Block extends Place {
  readonly bytes: Uint8Array
  readonly plain: boolean
  /** What the CRC is taken of, and the CRC that is stored. */
  readonly checked: Uint8Array
  readonly crc: number
}

interface Entry {
  /** The key's length; the key itself is never needed. */
  readonly keyBytes: number
  readonly value: Uint8Array
}

/** Behind a block with its trailer. */
export const endOf = ({ at, size }: Place): number => at + size + trailerBytes

/** Bytes that follow the footer, of which a table has none; undefined where there is no footer. */
export const behindFooter = ({ tail }: Peek): number | undefined => {
  const at = Buffer.from(tail.buffer, tail.byteOffset, tail.length).lastIndexOf(Buffer.from(mark))
  return at < footerBytes - mark.length ? undefined : tail.length - mark.length - at
}

const place = (cursor: Cursor): Place => ({ at: cursor.varint(), size: cursor.varint() })

/** The two blocks that the footer tells: of what describes the table, and the index of its blocks. */
export const footer = ({ tail }: Peek): { readonly about: Place; readonly index: Place } => {
  const cursor = new Cursor(inMemory(tail.subarray(tail.length - footerBytes)))
  return { about: place(cursor), index: place(cursor) }
}

export const readBlock = async (cursor: Cursor, where: Place): Promise<Block> => {
  cursor.goTo(where.at)
  const length = where.size + trailerBytes
  await cursor.buffer(length)
  const all = cursor.take(length)
  return {
    ...where,
    bytes: all.subarray(0, where.size),
    plain: all[where.size] === uncompressed,
    checked: all.subarray(0, where.size + 1),
    crc: u32le(all, where.size + 1),
  }
}

export const isProved = ({ checked, crc }: Block): boolean => crc32c(checked) === unmasked(crc)

/** Keys are stored without what they share with the one before; the places where they start anew are listed at the end. */
export function* entriesOf({ bytes }: Block): Generator<Entry> {
  const restarts = u32le(bytes, bytes.length - 4)
  const end = bytes.length - 4 - 4 * restarts
  if (!(end >= 0)) throw new SyntaxError('a block that is too short for its own list')
  const cursor = new Cursor(inMemory(bytes.subarray(0, end)))
  while (cursor.at < end) {
    const shared = cursor.varint()
    const own = cursor.varint()
    const length = cursor.varint()
    cursor.goTo(cursor.at + own)
    yield { keyBytes: shared + own, value: cursor.take(length) }
  }
}

/** Where the blocks lie that an index tells: one behind the other. Those that do not would cost the work of each again and again. */
export function* placesIn(index: Block): Generator<Place> {
  let end = 0
  for (const { value } of entriesOf(index)) {
    const next = place(new Cursor(inMemory(value)))
    if (next.at < end) throw new SyntaxError('blocks that lie in each other')
    end = endOf(next)
    yield next
  }
}
