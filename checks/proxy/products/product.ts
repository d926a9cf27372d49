/** What is known of a product that may stand in front of the tracking server, and how it is told from others. */

export interface Product {
  readonly name: string
  /** Its `Server` header, or the name by which its error pages were recognised. */
  readonly server?: RegExp
  /** Response headers that only it adds, in lower case, and what they hold. */
  readonly traces?: Readonly<Record<string, RegExp>>
  /** Host names that only it has. */
  readonly host?: RegExp
  readonly size?: Size
  readonly times: readonly TimeOut[]
}

/** A limit on the size of a request body. */
export interface Size {
  readonly setting: string
  /** What it takes unless told otherwise, in bytes. */
  readonly usual?: number
  /** The configuration for bodies of so many bytes; for any size when undefined. */
  readonly lines?: (bytes: number | undefined) => readonly string[]
  readonly text: string
  /** Where the vendor says so. */
  readonly source: string
}

export type Counts = 'idle' | 'body' | 'answer' | 'request'

/** One setting that ends requests after a time. All times in milliseconds. */
export interface TimeOut {
  readonly setting: string
  /** What it counts; `request` is a body and its answer together. */
  readonly counts: readonly Counts[]
  /** Unless told otherwise; absent where there is no such time-out until somebody sets one. */
  readonly usual?: number
  /** The longest that can be set. */
  readonly most?: number
  /** The status that it answers with, where that tells it from the product's other time-outs. */
  readonly status?: number
  /** The configuration for so many seconds. */
  readonly lines?: (seconds: number) => readonly string[]
  /** Where to put the lines, or what to do instead; ends with a full stop. */
  readonly text: (seconds: number) => string
  /** Where the vendor says so. */
  readonly source: string
}

/** What was seen of whatever answers. */
export interface Seen {
  /** The `Server` header. */
  readonly software?: string | undefined
  /** Other telling response headers. */
  readonly traces?: Readonly<Record<string, string>> | undefined
  /** Names taken from refusals and from answers of time-outs. */
  readonly answered?: readonly (string | undefined)[]
  /** Of the address. */
  readonly host?: string | undefined
}

export interface Recognised {
  readonly product: Product
  /** "by its Server header nginx/1.22.1". */
  readonly how: string
}
