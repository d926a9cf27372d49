/**
 * One page of ListObjectsV2, read straight from the bytes of the answer: in the SDK's reader, which goes letter by letter,
 * a long list spends most of its time. Only the plain form that every server writes is read here: elements without
 * attributes, each closed by its own name, text in between. Whatever is not of that form is nobody's error: the caller
 * gives it to the SDK.
 */
import { unquoted } from './s3-lists.ts'

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
const GREATER = 62
const SLASH = 47
const SPACE = 32

/** Elements within elements within an object: Owner and its ID are two. */
const deepest = 4

class Unusual extends Error {}

/** A place in the page. Its text is one character for each byte, so that a place in one is the same place in the other. */
class Cursor {
  readonly #body: Buffer
  readonly #text: string
  #at: number
  /** Where the text of the last leaf begins and ends. */
  #from = 0
  #to = 0

  constructor(body: Buffer, text: string, at: number) {
    this.#body = body
    this.#text = text
    this.#at = at
  }

  #skipSpace(): void {
    // Never beyond the end, where the code is NaN.
    while (this.#text.charCodeAt(this.#at) <= SPACE) this.#at += 1
  }

  /** The name of the element that begins here; undefined before an end tag. */
  open(): string | undefined {
    this.#skipSpace()
    const text = this.#text
    const at = this.#at
    if (text.charCodeAt(at) !== LESS) throw new Unusual()
    if (text.charCodeAt(at + 1) === SLASH) return undefined
    const end = text.indexOf('>', at)
    if (end === -1) throw new Unusual()
    this.#at = end + 1
    return text.slice(at + 1, end)
  }

  /** Steps over the end tag of that name, which must be here. */
  close(name: string): void {
    this.#skipSpace()
    const text = this.#text
    const after = this.#at + 2 + name.length
    const closes =
      text.charCodeAt(this.#at) === LESS &&
      text.charCodeAt(this.#at + 1) === SLASH &&
      text.startsWith(name, this.#at + 2) &&
      text.charCodeAt(after) === GREATER
    if (!closes) throw new Unusual()
    this.#at = after + 1
  }

  /** The text of the element that was opened, up to its end tag. */
  #leaf(name: string): void {
    this.#from = this.#at
    this.#to = this.#text.indexOf('<', this.#at)
    if (this.#to === -1) throw new Unusual()
    this.#at = this.#to
    this.close(name)
  }

  /** Text of its own memory: a piece of the page's string would keep the whole page. */
  #decoded(from: number, to: number): string {
    const value = this.#body.toString('utf8', from, to)
    if (value.charCodeAt(0) <= SPACE && value.trim() === '') throw new Unusual()
    return value.includes('&') ? withoutEntities(value) : value
  }

  value(name: string): string {
    this.#leaf(name)
    return this.#decoded(this.#from, this.#to)
  }

  /** The value without the quotes around it, however they are written. */
  unquoted(name: string): string | undefined {
    this.#leaf(name)
    const from = this.#from
    const to = this.#to
    for (const quote of quotes) {
      const within = to - from >= 2 * quote.length && this.#text.startsWith(quote, from)
      if (within && this.#text.startsWith(quote, to - quote.length))
        return this.#decoded(from + quote.length, to - quote.length)
    }
    return unquoted(this.#decoded(from, to))
  }

  /** Steps over the element that was opened, and all within. */
  skip(name: string, depth = 1): void {
    if (name.endsWith('/')) {
      const empty = name.slice(0, -1)
      if (wanted.has(empty) || !plainName.test(empty)) throw new Unusual()
      return
    }
    if (depth > deepest || !plainName.test(name)) throw new Unusual()
    const next = this.#text.indexOf('<', this.#at)
    if (this.#text.charCodeAt(next + 1) === SLASH) {
      this.#leaf(name)
      return
    }
    for (let inner = this.open(); inner !== undefined; inner = this.open()) this.skip(inner, depth + 1)
    this.close(name)
  }

  atEnd(): boolean {
    this.#skipSpace()
    return this.#at === this.#text.length
  }
}

/** What is read of a page; an empty element of one of these is left to the SDK. */
const wanted: ReadonlySet<string> = new Set([
  ...['Contents', 'Key', 'LastModified', 'ETag', 'Size'],
  ...['EncodingType', 'IsTruncated', 'NextContinuationToken'],
])

const plainName = /^[A-Za-z][A-Za-z0-9]*$/
/** As Amazon and MinIO, Go's encoder, and SeaweedFS write it. */
const quotes = ['&quot;', '&#34;', '"']

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

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/

const timeOf = (text: string): number => {
  const ms = time.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms)) throw new Unusual()
  return ms
}

const sizeOf = (text: string): number => {
  if (!/^\d{1,15}$/.test(text)) throw new Unusual()
  return Number(text)
}

const truthOf = (text: string): boolean => {
  if (text !== 'true' && text !== 'false') throw new Unusual()
  return text === 'true'
}

/** An element that is there twice has no one value. */
const once = (before: unknown): void => {
  if (before !== undefined) throw new Unusual()
}

const objectAt = (cursor: Cursor): ListedObject => {
  let key: string | undefined
  let size: number | undefined
  let modified: number | undefined
  let etag: string | undefined
  for (let name = cursor.open(); name !== undefined; name = cursor.open()) {
    if (name === 'Key') {
      once(key)
      key = cursor.value(name)
    } else if (name === 'LastModified') {
      once(modified)
      modified = timeOf(cursor.value(name))
    } else if (name === 'ETag') {
      once(etag)
      etag = cursor.unquoted(name)
    } else if (name === 'Size') {
      once(size)
      size = sizeOf(cursor.value(name))
    } else cursor.skip(name)
  }
  cursor.close('Contents')
  return { key: key ?? '', size: size ?? 0, modified, etag }
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
    for (let name = cursor.open(); name !== undefined; name = cursor.open()) {
      if (name === 'Contents') objects.push(objectAt(cursor))
      else if (name === 'EncodingType') {
        once(encoding)
        encoding = cursor.value(name)
      } else if (name === 'IsTruncated') {
        once(more)
        more = truthOf(cursor.value(name))
      } else if (name === 'NextContinuationToken') {
        once(token)
        token = cursor.value(name)
      } else cursor.skip(name)
    }
    cursor.close('ListBucketResult')
    return cursor.atEnd() ? { objects, encoding, more: more ?? false, token } : undefined
  } catch (error) {
    if (error instanceof Unusual) return undefined
    throw error
  }
}
