import { Cursor, inMemory } from './cursor.ts'
import { broken, complete, ended, type Format, type Peek, type Reference, unknown, type Verdict } from './format.ts'
import { lengthDelimited, nextField } from './protobuf.ts'
import {
  type Block,
  behindFooter,
  endOf,
  entriesOf,
  footer,
  footerBytes,
  isProved,
  placesIn,
  readBlock,
} from './table.ts'

/** Fields of BundleHeaderProto and BundleEntryProto (tensorflow/core/protobuf/tensor_bundle.proto). */
const shardCount = 1
const shardId = 3
const offsetField = 4
const sizeField = 5
/** More shards than any checkpoint has. */
const mostShards = 10_000

/** The empty key and its value: the number of shards, the byte order unless it is little-endian, and the version. */
const beginning = /^\0\0[\x06-\x20]\x08[\x80-\xff]*[\x01-\x7f](?:\x10[\x00\x01])?\x1a[\x02-\x0c]\x08/
const looksRight = (head: Uint8Array): boolean => beginning.test(Buffer.from(head.subarray(0, 48)).toString('latin1'))

/** The numbers in a small message, by field. */
const numbersIn = async (bytes: Uint8Array): Promise<ReadonlyMap<number, number>> => {
  const cursor = new Cursor(inMemory(bytes))
  const found = new Map<number, number>()
  for (;;) {
    const field = await nextField(cursor, bytes.length)
    if (field === undefined) return found
    if (field.wire !== lengthDelimited) found.set(field.number, field.value)
  }
}

/** What the blocks say of the files that hold the tensors. */
class Shards {
  count = 0
  readonly #least = new Map<number, number>()

  async take(block: Block): Promise<void> {
    for (const { keyBytes, value } of entriesOf(block)) {
      const numbers = await numbersIn(value)
      if (keyBytes === 0) {
        this.count = numbers.get(shardCount) ?? 0
        continue
      }
      const shard = numbers.get(shardId) ?? 0
      const end = (numbers.get(offsetField) ?? 0) + (numbers.get(sizeField) ?? 0)
      this.#least.set(shard, Math.max(this.#least.get(shard) ?? 0, end))
    }
  }

  /** Named after the index, as TensorFlow's `DataFilename` does. */
  references(name: string): Reference[] {
    if (!/\.index$/i.test(name) || this.count > mostShards) return []
    const five = (n: number): string => String(n).padStart(5, '0')
    return Array.from({ length: this.count }, (_, shard) => {
      const least = this.#least.get(shard) ?? 0
      const path = `${name.slice(0, -'.index'.length)}.data-${five(shard)}-of-${five(this.count)}`
      return least > 0 ? { path, least } : { path }
    })
  }
}

const judge = async (file: Peek, name: string): Promise<Verdict> => {
  const behind = behindFooter(file)
  if (behind === undefined) {
    return looksRight(file.head)
      ? broken('the mark is missing that it ends with')
      : unknown('it neither begins nor ends as such a table')
  }
  if (behind > 0) return ended(`${behind} bytes follow the mark that it ends with`)
  const { about, index } = footer(file)
  const tableEnd = file.size - footerBytes
  // The index of blocks is written right before the footer (table_builder.cc, `TableBuilder::Finish`).
  if (endOf(index) > tableEnd || endOf(about) > tableEnd) {
    return broken(`its blocks reach to byte ${endOf(index)}, and what follows them begins at ${tableEnd}`)
  }
  const cursor = new Cursor(file)
  const blocks = await readBlock(cursor, index)
  if (!blocks.plain) return ended('its blocks are compressed, and the mark of its end is there')
  const shards = new Shards()
  for (const place of placesIn(blocks)) {
    const block = await readBlock(cursor, place)
    if (!block.plain) return ended('its blocks are compressed, and the mark of its end is there')
    await shards.take(block)
  }
  return complete('all its blocks are there, and it ends with its mark', shards.references(name))
}

const prove = async (file: Peek): Promise<Verdict> => {
  if (behindFooter(file) !== 0) return unknown('it does not end as such a table')
  const { about, index } = footer(file)
  const cursor = new Cursor(file)
  const blocks = await readBlock(cursor, index)
  const places = blocks.plain ? placesIn(blocks) : []
  for (const some of [[index, about], places]) {
    for (const place of some) {
      const block = await readBlock(cursor, place)
      if (!isProved(block)) return broken(`the checksum of its block at byte ${place.at} differs`)
    }
  }
  return blocks.plain ? complete('the checksums of all its blocks agree') : ended('its index is compressed')
}

/** `variables.index` of a SavedModel, and of checkpoints: a table that tells in which file each tensor is, and where. */
export const tensorBundle: Format = {
  id: 'tensor-bundle',
  title: "an index of TensorFlow's variables",
  names: ['variables.index', 'ckpt.index', '.ckpt.index'],
  least: footerBytes,
  recognises: looksRight,
  judge,
  prove,
}
