import { againstSize } from './against-size.ts'
import { hasAt, u64le } from './bytes.ts'
import { CutShort, type Format, type Peek, unknown, type Verdict } from './format.ts'

/** The library refuses longer headers (safetensors/src/tensor.rs, MAX_HEADER_SIZE). */
const longestHeader = 100_000_000
const prefix = 8
const MiB = 1024 ** 2

const quote = 0x22
const backslash = 0x5c
const brace = 0x7b
const braceEnd = 0x7d
const bracket = 0x5b
const bracketEnd = 0x5d
const comma = 0x2c
const colon = 0x3a
const blank = [0x20, 0x09, 0x0a, 0x0d]
const placesKey = 'data_offsets'

/**
 * Finds the end of the last tensor in a header's JSON, byte by byte and in flat memory: parsed at once, a header of 30 MiB
 * would take hundreds. Looks only at what stands under `data_offsets` in the objects that the outermost one holds.
 */
class HeaderScan {
  reach = 0
  /** True once the outermost object has closed. */
  closed = false
  #depth = 0
  #inText = false
  #escaped = false
  /** Bytes of the last text that are those of `placesKey`; -1 once one differs. */
  #matched = 0
  /** Whether the value that is looked at stands under `placesKey`. */
  #isPlaces = false
  /** Where in `[begin, end]`: undefined outside of it. */
  #numbers: number[] | undefined

  feed(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) at = this.#inText ? this.#text(bytes, at) : this.#mark(bytes[at] as number, at)
  }

  /** From `at` to the text's end or the piece's. */
  #text(bytes: Uint8Array, at: number): number {
    if (this.#escaped) {
      this.#escaped = false
      this.#matched = -1
      return at + 1
    }
    let to = at
    while (to < bytes.length && bytes[to] !== quote && bytes[to] !== backslash) to += 1
    for (let i = at; i < to && this.#matched >= 0; i += 1) {
      this.#matched = bytes[i] === placesKey.charCodeAt(this.#matched) ? this.#matched + 1 : -1
    }
    if (to < bytes.length) {
      this.#inText = bytes[to] === backslash
      this.#escaped = this.#inText
    }
    return to + 1
  }

  /** One byte between texts; gives where the next one is. */
  #mark(byte: number, at: number): number {
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) return at + 1
    if (this.closed) throw new SyntaxError('more after the header')
    if (byte === quote) {
      this.#inText = true
      this.#matched = 0
    } else if (byte === colon) this.#isPlaces = this.#matched === placesKey.length
    else if (byte === brace || byte === bracket) {
      this.#depth += 1
      if (byte === bracket && this.#depth === 3 && this.#isPlaces) this.#numbers = [0]
    } else if (byte === braceEnd || byte === bracketEnd) this.#close()
    else if (this.#numbers !== undefined) this.#number(this.#numbers, byte)
    return at + 1
  }

  #number(numbers: number[], byte: number): void {
    if (byte === comma && numbers.length === 1) numbers.push(0)
    else if (byte >= 0x30 && byte <= 0x39) numbers.push((numbers.pop() ?? 0) * 10 + byte - 0x30)
    else throw new SyntaxError('an offset that is no number')
  }

  #close(): void {
    if (this.#numbers !== undefined) {
      const [begin = 0, end = 0] = this.#numbers
      if (this.#numbers.length !== 2 || end < begin) throw new SyntaxError('offsets that are no range')
      this.reach = Math.max(this.reach, end)
      this.#numbers = undefined
    }
    this.#depth -= 1
    if (this.#depth < 0) throw new SyntaxError('a bracket too many')
    this.closed = this.#depth === 0
  }
}

/** A piece of a header that is read at once; heads of 64 KiB hold most headers. */
const piece = 4 * MiB

const judge = async (file: Peek): Promise<Verdict> => {
  if (!looksRight(file.head)) return unknown('it does not begin as such a file')
  const header = u64le(file.head, 0)
  const data = prefix + header
  if (data > file.size) throw new CutShort(data)
  const scan = new HeaderScan()
  for (let at = prefix; at < data; at += piece) scan.feed(await file.exactly(at, Math.min(piece, data - at)))
  if (!scan.closed) return unknown('its header is no whole JSON')
  return againstSize(file.size, data + scan.reach, 'its tensors reach to')
}

/** A length that a header may have, then the brace of an object that is empty or begins with a key. */
const looksRight = (head: Uint8Array): boolean => {
  const header = u64le(head, 0)
  if (!(header >= 2 && header <= longestHeader) || !hasAt(head, prefix, '{')) return false
  const next = head.subarray(prefix + 1).find((byte) => !blank.includes(byte))
  return next === undefined || next === quote || next === braceEnd
}

/** The header is JSON that tells where each tensor begins and ends; spaces may pad it. */
export const safetensors: Format = {
  id: 'safetensors',
  title: 'a safetensors file',
  names: ['.safetensors'],
  least: prefix + 2,
  recognises: looksRight,
  judge,
  async beginsAt(file, from) {
    const data = prefix + u64le(file.head, 0)
    const header = Buffer.from(await file.exactly(prefix, Math.min(data - prefix, piece))).toString('latin1')
    return new RegExp(`"${placesKey}"\\s*:\\s*\\[\\s*${from - data}\\s*,`).test(header)
  },
}
