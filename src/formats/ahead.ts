import { CutShort, type Peek } from './format.ts'

const KiB = 1024
/** After a jump over data that nobody has to look at. */
const afterJump = 16 * KiB
/** In 60 reads, which a verifier has, all of a file of 30 MiB. */
const inSequence = 512 * KiB

/** Small reads in rising order, as of headers that follow one another: near ones share a large read, far ones cost little. */
export class ReadAhead {
  readonly #file: Peek
  #at = 0
  #bytes: Uint8Array
  constructor(file: Peek) {
    this.#file = file
    this.#bytes = file.head
  }

  get size(): number {
    return this.#file.size
  }

  /** The bytes from `at` on, `length` of them, if they are at hand. */
  get(at: number, length: number): Uint8Array | undefined {
    const from = at - this.#at
    return from >= 0 && from + length <= this.#bytes.length ? this.#bytes.subarray(from, from + length) : undefined
  }

  /** The byte at `at`; -1 where it is not at hand. */
  byte(at: number): number {
    return this.#bytes[at - this.#at] ?? -1
  }

  /** As `get`, and reads what is not at hand. Throws CutShort where the file ends before. */
  async load(at: number, length: number): Promise<Uint8Array> {
    const present = this.get(at, length)
    if (present !== undefined) return present
    if (at + length > this.#file.size) throw new CutShort(at + length)
    const gap = at - (this.#at + this.#bytes.length)
    const wanted = gap <= afterJump ? inSequence : afterJump
    const bytes = await this.#file.read(at, Math.max(length, Math.min(wanted, this.#file.size - at)))
    this.#at = at
    this.#bytes = bytes
    return bytes.subarray(0, length)
  }
}
