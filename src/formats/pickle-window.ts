/** Bytes at an address; `read` gives fewer than asked for only where they end. */
export interface RandomRead {
  /** Bytes. */
  readonly size: number
  read(offset: number, length: number): Promise<Uint8Array>
}

/** Bytes of a text that are kept: names of modules and attributes are shorter. */
export const keptText = 256
/** An opcode, its fixed arguments of at most 8 bytes, and what is kept of a text. */
const longestOpcode = 9 + keptText

/** The walk cannot go on; the message says why. */
export class Stop extends Error {}

/** The bytes end before the pickle does. */
export class Cut extends Stop {
  constructor() {
    super('it ends in the middle')
  }
}

export const malformed = () => new Stop('its opcodes make no sense')

/** A window over the bytes that moves forward and steps over what is not wanted. */
export class Window {
  readonly #from: RandomRead
  readonly #most: number
  readonly #piece: number
  #buffer: Uint8Array = new Uint8Array(0)
  #view: DataView = new DataView(new ArrayBuffer(0))
  #start = 0
  #at = 0
  #read = 0

  /** Begins at `start`, reads `most` bytes in all, and at most `piece` of them at a time. */
  constructor(from: RandomRead, start: number, most: number, piece: number) {
    this.#from = from
    this.#start = start
    this.#most = most
    this.#piece = piece
  }

  get position(): number {
    return this.#start + this.#at
  }

  /** True when an opcode with its fixed arguments, and what is kept of a text, are at hand, or else all that is left. */
  get ready(): boolean {
    const left = this.#buffer.length - this.#at
    return left >= longestOpcode || (left > 0 && this.#start + this.#buffer.length >= this.#from.size)
  }

  /** Brings the next bytes in: as many as a window holds, or all that are left. */
  async fill(): Promise<void> {
    const start = this.position
    const length = Math.min(this.#piece, this.#from.size - start)
    if (length <= 0) throw new Cut()
    if (this.#read + length > this.#most) {
      throw new Stop(`its first ${this.#read} bytes of opcodes are all that is walked`)
    }
    this.#buffer = await this.#from.read(start, length)
    this.#read += this.#buffer.length
    if (this.#buffer.length < length) throw new Cut()
    this.#view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.byteLength)
    this.#start = start
    this.#at = 0
  }

  #take(n: number): number {
    const at = this.#at
    if (this.#buffer.length - at < n) throw new Cut()
    this.#at = at + n
    return at
  }
  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true)
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }
  i32(): number {
    return this.#view.getInt32(this.#take(4), true)
  }
  u64(): number {
    const at = this.#take(8)
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32
  }

  skip(n: number): void {
    if (n < 0 || n > this.#from.size - this.position) throw new Cut()
    this.#at += n
    if (this.#at > this.#buffer.length) {
      this.#start += this.#at
      this.#at = 0
      this.#buffer = new Uint8Array(0)
    }
  }

  /** `n` bytes, least significant first, as a number; of more than six of them NaN. */
  integer(n: number): number {
    if (n < 0 || n > 6 || this.#buffer.length - this.#at < n) {
      this.skip(n)
      return n === 0 ? 0 : Number.NaN
    }
    const from = this.#take(n)
    let value = 0
    for (let i = n - 1; i >= 0; i -= 1) value = value * 256 + this.#view.getUint8(from + i)
    return value
  }

  /** A string of `n` bytes: its first ones as text, all of it stepped over. */
  text(n: number): string {
    const held = this.#buffer
    const from = this.#at
    this.skip(n)
    return textIn(held, from, from + Math.min(n, keptText), 'utf8')
  }

  /** What comes before the next newline goes to `take`: how many bytes, and the first of them. */
  line(take: (text: string, bytes: number) => void): void | Promise<void> {
    const end = this.#buffer.indexOf(10, this.#at)
    if (end === -1) return this.#longLine().then(({ text, bytes }) => take(text, bytes))
    const from = this.#at
    this.#at = end + 1
    take(textIn(this.#buffer, from, Math.min(end, from + keptText), 'latin1'), end - from)
  }

  async #longLine(): Promise<{ text: string; bytes: number }> {
    let text = ''
    let bytes = 0
    for (;;) {
      const end = this.#buffer.indexOf(10, this.#at)
      const upTo = end === -1 ? this.#buffer.length : end
      text += textIn(this.#buffer, this.#at, Math.min(upTo, this.#at + keptText - text.length), 'latin1')
      bytes += upTo - this.#at
      this.#at = upTo
      if (end !== -1) {
        this.#at += 1
        return { text, bytes }
      }
      await this.fill()
    }
  }
}

const textIn = (bytes: Uint8Array, from: number, to: number, encoding: 'utf8' | 'latin1'): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, Math.max(0, to - from)).toString(encoding)
