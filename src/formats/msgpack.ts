import { againstSize } from './against-size.ts'
import { u16be, u32be } from './bytes.ts'
import { Cursor } from './cursor.ts'
import { type Format, type Peek, unknown, type Verdict } from './format.ts'
import { json } from './json.ts'

/** What follows a first byte: bytes to skip, or a count of values (https://github.com/msgpack/msgpack/blob/master/spec.md). */
interface Layout {
  /** Bytes of the length, or of the count, that follows. */
  readonly prefix: 0 | 1 | 2 | 4
  /** Bytes in addition to the length, or in all where there is none. */
  readonly bytes: number
  /** Values for each that is counted. */
  readonly values?: 1 | 2
}

const fixed = (bytes: number): Layout => ({ prefix: 0, bytes })
const sized = (prefix: 1 | 2 | 4, bytes = 0): Layout => ({ prefix, bytes })
const counted = (prefix: 2 | 4, values: 1 | 2): Layout => ({ prefix, bytes: 0, values })

/** From 0xc0 on; 0xc1 is never used. */
const layouts: readonly (Layout | undefined)[] = [
  ...[fixed(0), undefined, fixed(0), fixed(0)], // nil, -, false, true
  ...[sized(1), sized(2), sized(4)], // bin
  ...[sized(1, 1), sized(2, 1), sized(4, 1)], // ext, with its type
  ...[fixed(4), fixed(8)], // float
  ...[fixed(1), fixed(2), fixed(4), fixed(8)], // uint
  ...[fixed(1), fixed(2), fixed(4), fixed(8)], // int
  ...[fixed(2), fixed(3), fixed(5), fixed(9), fixed(17)], // fixext, with its type
  ...[sized(1), sized(2), sized(4)], // str
  ...[counted(2, 1), counted(4, 1)], // array
  ...[counted(2, 2), counted(4, 2)], // map
]

const emptyMap = 0x80
const brace = 0x7b
const isMap = (byte: number): boolean => byte >> 4 === 8 || byte === 0xde || byte === 0xdf
/** Lists and maps, and everything that tells its own length but short texts, which any text would pass for. */
const tellsLength = (byte: number): boolean => (byte >= 0x80 && byte < 0xa0) || (byte >= 0xc4 && byte < 0xe0)

/** Steps over one value's own bytes, and gives how many values it holds. */
const step = (cursor: Cursor): number => {
  const byte = cursor.u8()
  if (byte < 0x80 || byte >= 0xe0) return 0
  if (byte < 0x90) return 2 * (byte & 15)
  if (byte < 0xa0) return byte & 15
  if (byte < 0xc0) {
    cursor.goTo(cursor.at + (byte & 31))
    return 0
  }
  const layout = layouts[byte - 0xc0]
  if (layout === undefined) throw new SyntaxError('a byte that begins no value')
  const { prefix, bytes, values } = layout
  const n =
    prefix === 0 ? 0 : prefix === 1 ? cursor.u8() : prefix === 2 ? u16be(cursor.take(2), 0) : u32be(cursor.take(4), 0)
  if (values !== undefined) return n * values
  cursor.goTo(cursor.at + n + bytes)
  return 0
}

/** The longest first byte with its length. */
const longestStep = 5

const walk = async (file: Peek): Promise<number> => {
  const cursor = new Cursor(file)
  // Values nest, but in which one another lies does not matter for where the last ends: one number counts those that are due.
  for (let due = 1; due > 0; due -= 1) {
    if (!cursor.holds(longestStep)) await cursor.buffer(longestStep)
    due += step(cursor)
  }
  return cursor.at
}

/** A map whose first key is a text that can be read, as far as it is there: files of the same name may be anything. */
const beginsWithKey = (head: Uint8Array): boolean => {
  const first = head[0] ?? 0
  if (!isMap(first)) return false
  const at = first === 0xde ? 3 : first === 0xdf ? 5 : 1
  const key = head[at]
  if (key === undefined) return first !== emptyMap
  const [from, length] = key >> 5 === 5 ? [at + 1, key & 31] : key === 0xd9 ? [at + 2, head[at + 1] ?? 0] : [at, 0]
  const text = head.subarray(from, from + length)
  return length > 0 && text.every((byte) => byte >= 0x20 && byte < 0x7f)
}

const judge = async (file: Peek, name: string): Promise<Verdict> => {
  const first = file.head[0] ?? 0
  if (file.size === 1 && first === emptyMap) return againstSize(file.size, 1, 'its empty map reaches to')
  // spaCy's `cfg` is JSON.
  if (first === brace) return json.judge(file, name)
  const own = name.toLowerCase().endsWith('.msgpack')
  if (own ? !tellsLength(first) : !beginsWithKey(file.head)) {
    return unknown('it does not begin with a value that tells its own length')
  }
  return againstSize(file.size, await walk(file), 'its values reach to')
}

/** Flax's checkpoints; spaCy's `model` of a pipe and its tables. No mark of its own: any byte begins some value. */
export const msgpack: Format = {
  id: 'msgpack',
  title: 'a MessagePack file',
  names: ['.msgpack', 'model', 'cfg', 'moves', 'tokenizer', 'key2row', 'lookups.bin'],
  // An empty map.
  least: 1,
  recognises: () => false,
  judge,
}
