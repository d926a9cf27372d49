/**
 * A walk over UBJSON (draft 12) that steps over arrays of numbers without reading them. An explicit stack takes the place of
 * recursion, and each step takes a byte at least, whatever counts the file claims.
 */
import { u16be, u32be, u64be } from './bytes.ts'
import type { Cursor } from './cursor.ts'
import { CutShort, OutOfReads } from './format.ts'

/** Bytes of a value by its marker: null, no-op, true, false, int8, uint8, char, int16, int32, float32, int64, float64. */
const widths = new Int8Array(256).fill(-1)
for (const [marker, width] of Object.entries({
  Z: 0,
  N: 0,
  T: 0,
  F: 0,
  i: 1,
  U: 1,
  C: 1,
  I: 2,
  l: 4,
  d: 4,
  L: 8,
  D: 8,
})) {
  widths[marker.charCodeAt(0)] = width
}
const code = (marker: string): number => marker.charCodeAt(0)
const [noOp, text, number, array, object] = [code('N'), code('S'), code('H'), code('['), code('{')]
const [endOfArray, endOfObject, sharedType, counted, unsigned] = [code(']'), code('}'), code('$'), code('#'), code('U')]
const integers: readonly number[] = [...'iUIlL'].map(code)
/** Markers that Binary JSON has beside these; it has the other byte order, too. */
const binaryJson: readonly number[] = [...'umMhB'].map(code)
/** Deeper nesting is read by no known reader. */
const deepest = 10_000
/** Some seconds of work. Models of any size are arrays of numbers, each of which is one step. */
const mostSteps = 4_000_000

interface Open {
  /** An object: its members have names. */
  readonly named: boolean
  /** Members that are still to come; infinite where a mark ends them. */
  left: number
  /** The marker of all members, where they share one. */
  readonly shared: number | undefined
}

/** So many bytes have to be read, at the cursor's place, before the step can be made. */
class Wanted extends Error {
  readonly length: number
  constructor(length: number) {
    super()
    this.length = length
  }
}

/** No value begins there. */
export class NotUbjson extends Error {
  readonly at: number
  /** Whether a related format could go on. */
  readonly related: boolean
  constructor(at: number, related: boolean) {
    super(`no value begins at byte ${at}`)
    this.at = at
    this.related = related
  }
}

export class UbjsonWalk {
  readonly #cursor: Cursor
  readonly #open: Open[] = []
  /** Where the walk is. */
  #at = 0
  #taken = 0
  constructor(cursor: Cursor) {
    this.#cursor = cursor
  }

  /** Walks one value and gives the offset of its end. Throws CutShort where the file ends before, NotUbjson where it is none. */
  async end(): Promise<number> {
    await this.#retry(() => this.#value(undefined, 0))
    while (this.#open.length > 0) await this.#retry(() => this.#steps())
    return this.#at
  }

  /** A step changes nothing until all its bytes are at hand; when some are not, they are read and it is made again. */
  async #retry(step: () => void): Promise<void> {
    for (;;) {
      try {
        return step()
      } catch (error) {
        if (!(error instanceof Wanted)) throw error
        await this.#cursor.buffer(error.length)
      }
    }
  }

  #steps(): void {
    for (let open = this.#open.at(-1); open !== undefined; open = this.#open.at(-1)) {
      this.#taken += 1
      if (this.#taken > mostSteps) throw new OutOfReads('it holds too many small values to be walked')
      this.#step(open)
    }
  }

  #step(open: Open): void {
    if (open.left === 0) {
      this.#open.pop()
      return
    }
    let at = this.#at
    if (open.left === Number.POSITIVE_INFINITY) {
      while (this.#marker(at) === noOp) at += 1
      if (this.#marker(at) === (open.named ? endOfObject : endOfArray)) {
        this.#at = at + 1
        this.#open.pop()
        return
      }
    }
    if (open.named) {
      const name = this.#integer(at)
      at = name.after + name.value
    }
    this.#value(open.shared, at)
    open.left -= 1
  }

  /** Takes a value at `at`, whose marker may be known from its container. */
  #value(shared: number | undefined, at: number): void {
    const marker = shared ?? this.#marker(at)
    const after = shared === undefined ? at + 1 : at
    const width = widths[marker] as number
    if (width >= 0) this.#moves(after + width)
    else if (marker === text || marker === number) {
      const length = this.#integer(after)
      this.#moves(length.after + length.value)
    } else if (marker === array || marker === object) this.#opens(marker === object, after)
    else throw new NotUbjson(at, binaryJson.includes(marker))
  }

  /** After a container's first marker: an optional type, which a count has to follow, or a count alone. */
  #opens(named: boolean, from: number): void {
    let at = from
    let shared: number | undefined
    if (this.#marker(at) === sharedType) {
      shared = this.#marker(at + 1)
      at += 2
      if (this.#marker(at) !== counted) throw new NotUbjson(at, false)
    }
    let left = Number.POSITIVE_INFINITY
    if (this.#marker(at) === counted) {
      const count = this.#integer(at + 1)
      left = count.value
      at = count.after
    }
    const width = shared === undefined ? -1 : (widths[shared] as number)
    if (width >= 0 && !named) {
      this.#moves(at + width * left)
      return
    }
    if (this.#open.length === deepest) throw new NotUbjson(from, true)
    this.#moves(at)
    // Its own end comes before that of what it lies in; a value is counted there by the caller.
    this.#open.push({ named, left, shared })
  }

  #moves(to: number): void {
    if (to > this.#cursor.size) throw new CutShort(to)
    this.#at = to
  }

  #bytes(at: number, length: number): Uint8Array {
    this.#cursor.goTo(at)
    if (!this.#cursor.holds(length)) throw new Wanted(length)
    return this.#cursor.take(length)
  }

  #marker(at: number): number {
    this.#cursor.goTo(at)
    if (!this.#cursor.holds(1)) throw new Wanted(1)
    return this.#cursor.u8()
  }

  /** A length or a count: a marker and a number that is not negative. */
  #integer(at: number): { readonly value: number; readonly after: number } {
    const marker = this.#marker(at)
    const width = widths[marker] as number
    if (!integers.includes(marker)) throw new NotUbjson(at, binaryJson.includes(marker))
    const bytes = this.#bytes(at + 1, width)
    const first = bytes[0] as number
    if (marker !== unsigned && first > 127) throw new NotUbjson(at, false)
    const value = width === 1 ? first : width === 2 ? u16be(bytes, 0) : width === 4 ? u32be(bytes, 0) : u64be(bytes, 0)
    return { value, after: at + 1 + width }
  }
}
