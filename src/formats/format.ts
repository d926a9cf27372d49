/** The contract of a format verifier: it tells a whole file from a cut one by a few range reads, and says `unknown` when it cannot. */

/** What a verifier may look at: a size, and pieces of the content. */
export interface RangeSource {
  /** Bytes. */
  readonly size: number
  /** `length` bytes from `offset`, fewer only at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array>
}

/**
 * `broken`: the format's own arithmetic or a mandatory end mark fails, so that its usual reader could not read it all.
 * `suspect`: a heuristic only. `complete`: the sizes add up to the file's size, or an end structure that is tied to it matches.
 * `ended`: an end mark was seen, which says nothing about the middle. `unknown`: no cheap rule tells.
 */
export type Judgement = 'broken' | 'suspect' | 'complete' | 'ended' | 'unknown'
export const judgements: readonly Judgement[] = ['broken', 'suspect', 'complete', 'ended', 'unknown']

/** Another file that this one cannot do without. */
export interface Reference {
  /** As the file names it, relative to its own folder; hostile until checked. */
  readonly path: string
  /** The least bytes that it must have for all that is read from it to be there. */
  readonly least?: number
}

export interface Verdict {
  readonly judgement: Judgement
  /** A clause in figures that follows the format's name: "its header asks for 10 bytes more than are stored". */
  readonly because: string
  /** Bytes that the file would have at least were it whole, where the format tells. */
  readonly expected?: number
  readonly refers?: readonly Reference[]
}

/** One file format, and how to tell that a file of it is whole. To add one: write a file, add it to index.ts. */
export interface Format {
  /** Lower case, for reports and tables: `safetensors`. */
  readonly id: string
  /** As people call it: "a safetensors file". */
  readonly title: string
  /** Last parts of names in lower case, or endings of them that begin with a dot or a dash: `saved_model.pb`, `.onnx`. */
  readonly names: readonly string[]
  /** True where a whole file may begin with thousands of zeros, as an archive of nothing does; else that is suspect. */
  readonly zerosFirst?: true
  /** The size of the smallest valid file, in bytes; 0 where an empty file is legal. */
  readonly least: number
  /** By content alone. `head` holds the first 64 KiB, or the whole file where it is smaller. False for what has no mark of its own. */
  recognises(head: Uint8Array, size: number): boolean
  /** Called for what was recognised by content, else by name. `name` is the last part of the path. Whatever it throws becomes `unknown`. */
  judge(file: Peek, name: string): Promise<Verdict>
  /**
   * Whether something of the format's own begins at `from`, so that a whole file may hold nothing but zeros from there on: an
   * array, padding, unused pages. Asked only about a tail of zeros, which is suspect otherwise. Whatever it throws means no.
   */
  beginsAt?(file: Peek, from: number): Promise<boolean>
  /**
   * Reads the whole file once and verifies the checksums that lie in it; absent where the format has none. `complete` when all
   * that is read was proved, `broken` when a checksum differs.
   */
  prove?(file: Peek, name: string): Promise<Verdict>
}

/** A capped, caching view of one file. */
export interface Peek extends RangeSource {
  /** The first 64 KiB, or all of a smaller file. */
  readonly head: Uint8Array
  /** The last 64 KiB and 98 bytes (a zip's end records: 22 + 20 + 56), or all of a smaller file. */
  readonly tail: Uint8Array
  /** Exactly `length` bytes; throws `CutShort` where the file ends before. */
  exactly(offset: number, length: number): Promise<Uint8Array>
}

export const broken = (because: string, expected?: number): Verdict => ({
  judgement: 'broken',
  because,
  ...(expected === undefined ? {} : { expected }),
})
export const suspect = (because: string): Verdict => ({ judgement: 'suspect', because })
export const complete = (because: string, refers?: readonly Reference[]): Verdict => ({
  judgement: 'complete',
  because,
  ...(refers === undefined || refers.length === 0 ? {} : { refers }),
})
export const ended = (because: string): Verdict => ({ judgement: 'ended', because })
export const unknown = (because: string): Verdict => ({ judgement: 'unknown', because })

/** A verifier asked for bytes that lie past the end. */
export class CutShort extends Error {
  /** Bytes that the file would need. */
  readonly needs: number
  constructor(needs: number) {
    super(`the file ends before byte ${needs}`)
    this.needs = needs
  }
}

/** The reads of one file are used up; the verdict is `unknown`. */
export class OutOfReads extends Error {}

/** The store gave fewer bytes than it has listed. */
export class ShortRead extends Error {}
