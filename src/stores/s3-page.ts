/**
 * One page of ListObjectsV2, read straight from the bytes of the answer: in the SDK's reader, which goes letter by letter,
 * a long list spends most of its time. Only the plain form that every server writes is read here: elements without
 * attributes, each closed by its own name, text in between. Whatever is not of that form is nobody's error: the caller
 * gives it to the SDK.
 */
import { isAscii } from 'node:buffer'
import { unquoted } from './wire-text.ts'

export interface ListedObject {
  /** As it was sent, which may be percent-encoded. */
  readonly key: string
  /** Bytes. */
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly modified: number | undefined
  /** Without quotes. */
  readonly etag: string | undefined
}

export interface ListedPage {
  readonly objects: readonly ListedObject[]
  /** `url` where names are percent-encoded. */
  readonly encoding: string | undefined
  readonly more: boolean
  readonly token: string | undefined
}

const LESS = 60
const SLASH = 47
const SPACE = 32
const [C, E, K, L, S] = [67, 69, 75, 76, 83]

class Unusual extends Error {}

interface Tag {
  readonly opens: string
  readonly closes: string
}

const tag = (name: string): Tag => ({ opens: `<${name}>`, closes: `</${name}>` })

const contents = tag('Contents')
const key = tag('Key')
const lastModified = tag('LastModified')
const etag = tag('ETag')
const size = tag('Size')
const encodingType = tag('EncodingType')
const isTruncated = tag('IsTruncated')
const nextToken = tag('NextContinuationToken')
/** What most servers write, and nobody asks for. */
const storageClass = tag('StorageClass')
const checksumAlgorithm = tag('ChecksumAlgorithm')
const checksumType = tag('ChecksumType')

/** What is read of a page: where one of these has another form, such as an empty element, the SDK reads it. */
const wanted: ReadonlySet<string> = new Set([
  ...['Contents', 'Key', 'LastModified', 'ETag', 'Size'],
  ...['EncodingType', 'IsTruncated', 'NextContinuationToken'],
])

const plainName = /^[A-Za-z][A-Za-z0-9]*$/
/** Elements within elements within an object: Owner and its ID are two. */
const deepest = 4
/** As Amazon, Go's encoder, and versitygw where it has any write it. */
const quotes = ['&quot;', '&#34;', '"']

/** A place in the page. Its text is one character for each byte, so that a place in one is the same place in the other. */
class Cursor {
  private readonly body: Buffer
  private readonly text: string
  /** A byte is a character in what is read, too. */
  private readonly encoding: 'latin1' | 'utf8'
  private at: number
  /** Where the text of the last leaf begins and ends. */
  private from = 0
  private to = 0

  constructor(body: Buffer, text: string, at: number) {
    this.body = body
    this.text = text
    this.encoding = isAscii(body) ? 'latin1' : 'utf8'
    this.at = at
  }

  private skipSpace(): void {
    // Never beyond the end, where the code is NaN.
    while (this.text.charCodeAt(this.at) <= SPACE) this.at += 1
  }

  /** The first letter of the element that begins here, by its code; a slash before an end tag. */
  letter(): number {
    this.skipSpace()
    if (this.text.charCodeAt(this.at) !== LESS) throw new Unusual()
    return this.text.charCodeAt(this.at + 1)
  }

  /** Steps over this start or end tag, where it is here. */
  step(over: string): boolean {
    if (!this.text.startsWith(over, this.at)) return false
    this.at += over.length
    return true
  }

  /** Steps over an element of this name, which must hold nothing but text, where one is here. */
  leaf({ opens, closes }: Tag): boolean {
    if (!this.step(opens)) return false
    this.from = this.at
    this.to = this.text.indexOf('<', this.at)
    this.at = this.to
    if (this.to === -1 || !this.step(closes)) throw new Unusual()
    return true
  }

  /** Steps over the element that is here, and all within. */
  skip(depth = 1): void {
    this.letter()
    const end = this.text.indexOf('>', this.at)
    const empty = this.text.charCodeAt(end - 1) === SLASH
    const name = this.text.slice(this.at + 1, empty ? end - 1 : end)
    if (end === -1 || depth > deepest || !plainName.test(name) || (depth === 1 && wanted.has(name))) throw new Unusual()
    this.at = end + 1
    if (empty) return
    const next = this.text.indexOf('<', this.at)
    if (this.text.charCodeAt(next + 1) === SLASH) this.at = next
    else while (this.letter() !== SLASH) this.skip(depth + 1)
    if (!this.step(`</${name}>`)) throw new Unusual()
  }

  atEnd(): boolean {
    this.skipSpace()
    return this.at === this.text.length
  }

  /** Text of its own memory: a piece of the page's string would keep the whole page. */
  private decoded(from: number, to: number): string {
    const sent = this.body.toString(this.encoding, from, to)
    const value = sent.includes('&') ? withoutEntities(sent) : sent
    // Whether white space alone is a value is a matter of opinion.
    if (value !== '' && value.trim() === '') throw new Unusual()
    return value
  }

  /** The text of the last leaf. */
  value(): string {
    return this.decoded(this.from, this.to)
  }

  /** The same without the quotes around it, however they are written. */
  unquoted(): string | undefined {
    const { from, to, text } = this
    for (const quote of quotes) {
      const within = to - from >= 2 * quote.length && text.startsWith(quote, from)
      if (within && text.startsWith(quote, to - quote.length))
        return this.decoded(from + quote.length, to - quote.length)
    }
    return unquoted(this.decoded(from, to))
  }

  /** The number that these letters write. */
  private digits(from: number, to: number): number {
    let value = 0
    for (let at = from; at < to; at++) {
      const digit = this.text.charCodeAt(at) - 48
      if (!(digit >= 0 && digit <= 9)) throw new Unusual()
      value = value * 10 + digit
    }
    return value
  }

  /** Of the last leaf. */
  number(): number {
    const length = this.to - this.from
    // Fifteen digits are exact in a double.
    if (length < 1 || length > 15) throw new Unusual()
    return this.digits(this.from, this.to)
  }

  /** Of the last leaf: `2026-01-02T03:04:05Z`, perhaps with `.678` before the Z, in milliseconds since the epoch. */
  time(): number {
    const { from, to, text } = this
    const fraction = to - from - 20
    const formed =
      text.startsWith('-', from + 4) &&
      text.startsWith('-', from + 7) &&
      text.startsWith('T', from + 10) &&
      text.startsWith(':', from + 13) &&
      text.startsWith(':', from + 16) &&
      text.startsWith('Z', to - 1) &&
      (fraction === 0 || (fraction === 4 && text.startsWith('.', from + 19)))
    const part = (at: number, least: number, most: number): number => {
      const value = this.digits(from + at, from + at + 2)
      if (value < least || value > most) throw new Unusual()
      return value
    }
    if (!formed) throw new Unusual()
    const year = this.digits(from, from + 4)
    if (year < 1900) throw new Unusual()
    const ms = fraction === 0 ? 0 : this.digits(from + 20, from + 23)
    const [month, day] = [part(5, 1, 12) - 1, part(8, 1, 31)]
    return Date.UTC(year, month, day, part(11, 0, 23), part(14, 0, 59), part(17, 0, 59), ms)
  }

  truth(): boolean {
    const value = this.value()
    if (value !== 'true' && value !== 'false') throw new Unusual()
    return value === 'true'
  }
}

const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Characters beyond the sixteenth bit are left to the SDK, as are names that no server uses. */
const withoutEntities = (text: string): string =>
  text.replace(
    /&(?:#x([0-9a-fA-F]{1,4})|#(\d{1,5})|([a-z]{2,4}))?;?/g,
    (whole, hex?: string, dec?: string, name = '') => {
      const code = hex === undefined ? Number(dec) : Number.parseInt(hex, 16)
      const character = Number.isNaN(code) ? named[name] : code < 0x10000 ? String.fromCharCode(code) : undefined
      if (character === undefined || !whole.endsWith(';')) throw new Unusual()
      return character
    },
  )

/** An element that is there twice has no one value. */
const once = (before: unknown): void => {
  if (before !== undefined) throw new Unusual()
}

/** Those that the letter rules out are not tried. */
const skipOther = (cursor: Cursor, letter: number): void => {
  if (letter === S && cursor.leaf(storageClass)) return
  if (letter === C && (cursor.leaf(checksumAlgorithm) || cursor.leaf(checksumType))) return
  cursor.skip()
}

const objectAt = (cursor: Cursor): ListedObject => {
  const found: { -readonly [P in keyof ListedObject]?: ListedObject[P] | undefined } = {}
  for (let letter = cursor.letter(); letter !== SLASH; letter = cursor.letter()) {
    if (letter === K && cursor.leaf(key)) {
      once(found.key)
      found.key = cursor.value()
    } else if (letter === L && cursor.leaf(lastModified)) {
      once(found.modified)
      found.modified = cursor.time()
    } else if (letter === E && cursor.leaf(etag)) {
      once(found.etag)
      found.etag = cursor.unquoted()
    } else if (letter === S && cursor.leaf(size)) {
      once(found.size)
      found.size = cursor.number()
    } else skipOther(cursor, letter)
  }
  if (!cursor.step(contents.closes)) throw new Unusual()
  return { key: found.key ?? '', size: found.size ?? 0, modified: found.modified, etag: found.etag }
}

const root = /^<\?xml [^<>]*\?>\s*<ListBucketResult(?: xmlns="[^"<>&]*")?>|^<ListBucketResult(?: xmlns="[^"<>&]*")?>/

/** The page that these bytes hold, or undefined where they are of another form than the plain one. */
export const readListPage = (body: Buffer): ListedPage | undefined => {
  const text = body.toString('latin1')
  const begins = root.exec(text)
  // An end of line that is a carriage return becomes another character by the rules of XML.
  if (begins === null || text.includes('\r')) return undefined
  const cursor = new Cursor(body, text, begins[0].length)
  const objects: ListedObject[] = []
  let encoding: string | undefined
  let more: boolean | undefined
  let token: string | undefined
  try {
    while (cursor.letter() !== SLASH) {
      if (cursor.step(contents.opens)) objects.push(objectAt(cursor))
      else if (cursor.leaf(encodingType)) {
        once(encoding)
        encoding = cursor.value()
      } else if (cursor.leaf(isTruncated)) {
        once(more)
        more = cursor.truth()
      } else if (cursor.leaf(nextToken)) {
        once(token)
        token = cursor.value()
      } else cursor.skip()
    }
    if (!cursor.step('</ListBucketResult>')) return undefined
    return cursor.atEnd() ? { objects, encoding, more: more ?? false, token } : undefined
  } catch (error) {
    if (error instanceof Unusual) return undefined
    throw error
  }
}
