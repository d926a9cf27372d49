/**
 * A walk over JSON in pieces: it keeps a bit of state for each open bracket and nothing of the text, so that memory stays flat
 * and nesting costs no stack. Python's NaN and infinities pass, as do JSON Lines and documents one after the other.
 */

/**
 * `whole`: every bracket and string is closed. `cut`: one is open at the end. `wrong`: no reader of JSON would go on from byte
 * `at`. `foreign`: not JSON from there on, though other readers may know it (comments, single quotes, a template).
 * `padded`: zeros follow what is whole.
 */
export type JsonOutcome =
  | { readonly kind: 'whole'; readonly strict: boolean }
  | { readonly kind: 'cut'; readonly open: number }
  | { readonly kind: 'wrong' | 'foreign' | 'padded'; readonly at: number }

const top = 0
const value = 1
const firstValue = 2
const key = 3
const firstKey = 4
const colon = 5
const afterValue = 6

/** Deeper nesting is read by no known reader (Python gives up at 1,000). */
const deepest = 100_000
/** Longer numbers are refused by Python itself (4,300 digits). */
const longestToken = 4400
/** Values after which a text counts as JSON: `[12:30] started`, a line of a log, has one. */
const convincing = 3
/** Zeros in a row that no text holds, not even a string with an escaped one. */
const hole = 16

const zero = 0x30
const nine = 0x39
const isDigit = (byte: number): boolean => byte >= zero && byte <= nine

/** Where the digits from `at` end; -1 where there is none. */
const digits = (bytes: Uint8Array, at: number, to: number): number => {
  let i = at
  while (i < to && isDigit(bytes[i] as number)) i += 1
  return i === at ? -1 : i
}

/** RFC 8259, section 6. */
const isNumber = (bytes: Uint8Array, from: number, to: number): boolean => {
  const whole = bytes[from] === 0x2d ? from + 1 : from
  let i = digits(bytes, whole, to)
  if (i < 0 || (bytes[whole] === zero && i > whole + 1)) return false
  if (i < to && bytes[i] === 0x2e) i = digits(bytes, i + 1, to)
  if (i > 0 && i < to && (bytes[i] === 0x65 || bytes[i] === 0x45)) {
    const sign = bytes[i + 1]
    i = digits(bytes, sign === 0x2b || sign === 0x2d ? i + 2 : i + 1, to)
  }
  return i === to
}

const words: ReadonlySet<string> = new Set(['true', 'false', 'null', 'NaN', 'Infinity', '-Infinity'])
/** Numbers of JSON5 and of other writers (`+1`, `.5`, `0x1f`, `007`, `-nan`), and names (`None`, `undefined`). */
const otherWords = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?0[xX][\da-fA-F]+|[+-]?[A-Za-z_$][\w$.]*)$/

const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/** What ends a number or a word: blanks, control characters and `" ' , / : [ ] { }`. */
const delimits = new Uint8Array(256)
for (let byte = 0; byte <= 0x20; byte += 1) delimits[byte] = 1
for (const character of '"\',/:[]{}') delimits[character.charCodeAt(0)] = 1

const nothing = new Uint8Array()

export class JsonWalk {
  #state = top
  /** 1 for each open object, 0 for each open array. */
  #open = new Uint8Array(64)
  #depth = 0
  #inString = false
  #escaped = false
  /** A number or a word whose end is not known yet. */
  #token: Uint8Array | undefined
  /** Bytes of the pieces before this one. */
  #before = 0
  #zeros = 0
  #values = 0
  /** Strings, numbers and words of JSON's own. */
  #scalars = 0
  #strict = true
  #stopped: JsonOutcome | undefined

  /** Takes the next piece; false when the rest cannot change the outcome. */
  feed(piece: Uint8Array): boolean {
    let i = 0
    if (this.#before === 0 && piece[0] === 0xef && piece[1] === 0xbb && piece[2] === 0xbf) i = 3
    while (i < piece.length && this.#stopped === undefined) {
      if (this.#inString) i = this.#string(piece, i)
      else if (this.#token !== undefined) i = this.#word(piece, i)
      else i = this.#structure(piece, i)
    }
    this.#before += piece.length
    return this.#stopped === undefined
  }

  /** The outcome, after the last piece. */
  end(): JsonOutcome {
    // Within brackets the end has cut it, whatever it would have been.
    if (this.#depth === 0 && this.#token !== undefined) this.#finish(this.#token, 0, this.#token.length, 0)
    if (this.#stopped !== undefined) return this.#stopped
    const convinced = this.#strict || this.#scalars >= convincing
    if (this.#inString || this.#depth > 0) {
      return convinced ? { kind: 'cut', open: this.#depth } : { kind: 'foreign', at: this.#before }
    }
    if (this.#values === 0) return { kind: 'foreign', at: this.#before }
    return { kind: 'whole', strict: this.#strict }
  }

  #stop(kind: 'wrong' | 'foreign' | 'padded', at: number): void {
    const convinced = kind === 'padded' ? this.#values > 0 : this.#scalars >= convincing
    this.#stopped = { kind: convinced ? kind : 'foreign', at: this.#before + at }
  }

  #string(piece: Uint8Array, from: number): number {
    let i = from
    if (this.#escaped) {
      this.#escaped = false
      i += 1
    }
    for (; i < piece.length; i += 1) {
      const byte = piece[i] as number
      if (byte >= 0x20 && byte !== 0x22 && byte !== 0x5c) {
        this.#zeros = 0
        continue
      }
      if (byte === 0x22) {
        this.#inString = false
        if (this.#state === key || this.#state === firstKey) this.#state = colon
        else {
          this.#scalars += 1
          this.#valueEnds()
        }
        return i + 1
      }
      if (byte === 0x5c) {
        if (i + 1 === piece.length) this.#escaped = true
        i += 1
        continue
      }
      // Python reads them with `strict=False`.
      this.#strict = false
      this.#zeros = byte === 0 ? this.#zeros + 1 : 0
      if (this.#zeros === hole) {
        this.#stop('wrong', i - hole + 1)
        return i
      }
    }
    return i
  }

  #word(piece: Uint8Array, from: number): number {
    let to = from
    while (to < piece.length && delimits[piece[to] as number] === 0) to += 1
    const before = this.#token ?? nothing
    if (before.length + to - from > longestToken) {
      this.#stop('foreign', from)
      return to
    }
    if (to < piece.length && before.length === 0) {
      this.#finish(piece, from, to, from)
      return to
    }
    const joined = new Uint8Array(before.length + to - from)
    joined.set(before)
    joined.set(piece.subarray(from, to), before.length)
    if (to < piece.length) this.#finish(joined, 0, joined.length, from)
    else this.#token = joined
    return to
  }

  #finish(bytes: Uint8Array, from: number, to: number, at: number): void {
    this.#token = undefined
    if (!isNumber(bytes, from, to)) {
      const word = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1')
      if (!words.has(word)) {
        if (this.#depth === 0) {
          this.#stop('foreign', at)
          return
        }
        if (!otherWords.test(word)) {
          this.#stop(/^[\d+.-]/.test(word) ? 'wrong' : 'foreign', at)
          return
        }
        this.#strict = false
        this.#scalars -= 1
      }
    }
    this.#scalars += 1
    this.#valueEnds()
  }

  #structure(piece: Uint8Array, from: number): number {
    let i = from
    while (i < piece.length && isBlank(piece[i] as number)) i += 1
    if (i === piece.length) return i
    const byte = piece[i] as number
    const state = this.#state
    const wantsValue = state === value || state === firstValue || state === top
    if (byte === 0x22 && (wantsValue || state === key || state === firstKey)) {
      this.#inString = true
      return i + 1
    }
    if (byte === 0x2c && state === afterValue) {
      this.#state = this.#open[this.#depth - 1] === 1 ? key : value
      return i + 1
    }
    if (byte === 0x3a && state === colon) {
      this.#state = value
      return i + 1
    }
    if (wantsValue && (byte === 0x7b || byte === 0x5b)) {
      this.#opens(byte === 0x7b ? 1 : 0, i)
      return i + 1
    }
    if (byte === 0x7d || byte === 0x5d) {
      this.#closes(byte === 0x7d ? 1 : 0, i)
      return i + 1
    }
    if (byte < 0x20) {
      const zeroed = byte === 0 && this.#before + i > 1
      this.#stop(zeroed ? (this.#depth === 0 ? 'padded' : 'wrong') : 'foreign', i)
    } else if (wantsValue && delimits[byte] === 0) {
      return this.#word(piece, i)
    } else {
      // Before a key or a value other dialects may stand; after them only comments may.
      const comment = byte === 0x2f || byte === 0x23
      this.#stop((state === afterValue || state === colon) && !comment && this.#depth > 0 ? 'wrong' : 'foreign', i)
    }
    return i
  }

  #opens(object: 0 | 1, at: number): void {
    if (this.#depth === deepest) {
      this.#stop('foreign', at)
      return
    }
    if (this.#depth === this.#open.length) {
      const grown = new Uint8Array(this.#open.length * 2)
      grown.set(this.#open)
      this.#open = grown
    }
    this.#open[this.#depth] = object
    this.#depth += 1
    this.#state = object === 1 ? firstKey : firstValue
  }

  #closes(object: 0 | 1, at: number): void {
    const state = this.#state
    const matches = this.#depth > 0 && this.#open[this.#depth - 1] === object
    const empty = state === firstKey || state === firstValue
    // A comma before the closing bracket, which other dialects allow.
    const trailing = (state === key && object === 1) || (state === value && object === 0)
    if (!matches || !(state === afterValue || empty || trailing)) {
      this.#stop('wrong', at)
      return
    }
    if (trailing) this.#strict = false
    this.#depth -= 1
    this.#valueEnds()
  }

  #valueEnds(): void {
    this.#values += 1
    this.#state = this.#depth === 0 ? top : afterValue
  }
}
