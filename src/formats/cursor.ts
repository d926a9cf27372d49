import { CutShort, type Peek } from './format.ts'

const KiB = 1024
const MiB = 1024 ** 2
/** What is read behind the head; each next block of a run is four times as long, so that long runs cost few requests. */
const firstBlock = 256 * KiB
const growth = 4
const longestBlock = 4 * MiB
/** What is read after a jump: the next value's beginning, more often than not. */
const afterJump = 16 * KiB
/** From so many jumps on, a rest of this length is read in a run: that costs fewer requests of those that a file may cost. */
const manyJumps = 24
const shortRest = 24 * MiB

type Source = Pick<Peek, 'size' | 'head' | 'tail' | 'read'>

/** Bytes that are all there, as a file of their own. */
export const inMemory = (bytes: Uint8Array): Source => ({
  size: bytes.length,
  head: bytes,
  tail: bytes,
  read: async (offset, length) => bytes.subarray(offset, offset + length),
})

/**
 * Reads a file front to back: small steps come from memory, what is skipped is not read. Call `buffer` before `take` and its
 * like, which do not wait; they throw `CutShort` where the file ends before what they are asked for.
 */
export class Cursor {
  readonly size: number
  readonly #file: Source
  #block: Uint8Array
  /** Where the block lies in the file. */
  #from = 0
  #at = 0
  #next = firstBlock
  #jumps = 0

  constructor(file: Source, at = 0) {
    this.size = file.size
    this.#file = file
    this.#block = file.head
    this.#at = at
  }

  /** Bytes from the file's start. */
  get at(): number {
    return this.#at
  }

  /** Whether `length` bytes, or all up to the end, can be taken without a read. */
  holds(length: number): boolean {
    const from = this.#at - this.#from
    const wanted = Math.min(length, this.size - this.#at)
    return wanted <= 0 || (from >= 0 && from + wanted <= this.#block.length)
  }

  /** Makes `length` bytes, or all up to the end, available. */
  async buffer(length: number): Promise<void> {
    if (this.holds(length)) return
    const { tail, size } = this.#file
    const blockEnd = this.#from + this.#block.length
    if (this.#at < this.#from || this.#at > blockEnd + afterJump) {
      this.#jumps += 1
      this.#next = this.#jumps > manyJumps && size - this.#at <= shortRest ? longestBlock : afterJump
    }
    const lastPart = size - tail.length
    if (this.#at >= lastPart) {
      this.#block = tail
      this.#from = lastPart
      return
    }
    this.#block = await this.#file.read(this.#at, Math.max(length, this.#next))
    this.#from = this.#at
    this.#next = Math.min(this.#next * growth, longestBlock)
  }

  /** Without a copy; valid until the next `buffer`. */
  take(length: number): Uint8Array {
    const from = this.#at - this.#from
    if (this.#at + length > this.size) throw new CutShort(this.#at + length)
    if (!this.holds(length)) throw new RangeError('bytes were taken that are not there yet')
    this.#at += length
    return this.#block.subarray(from, from + length)
  }

  u8(): number {
    const byte = this.#block[this.#at - this.#from]
    if (this.#at >= this.size || byte === undefined) return this.take(1)[0] ?? 0
    this.#at += 1
    return byte
  }

  /** Seven bits a byte, lowest first, at most ten bytes; above 2^53 rounded. */
  varint(): number {
    let value = 0
    let factor = 1
    for (let bytes = 0; bytes < 10; bytes += 1) {
      const byte = this.u8()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 128
    }
    throw new SyntaxError('a number of more than ten bytes')
  }

  /** The place may lie past the end: nothing can be taken there. */
  goTo(at: number): void {
    this.#at = at
  }
}
