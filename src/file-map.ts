/** What is known of each file of a target, in place: which are whole, missing, cut, or shown to be nothing. */
import type { Contents, Listing, Structures } from './needs/declarations.ts'
import type { CheckReport, FileMap, FileRow, FileState } from './report.ts'
import { ownFolder } from './transfer/manifest.ts'

/** Rows that a report holds at most of files that something is wrong with, some 400 kB, and of the others. */
const mostRows = { wrong: 2000, other: 1000 }

const isWrong = ({ state }: FileRow): boolean => state === 'missing' || state === 'cut'

export interface Known {
  readonly structures: Structures | undefined
  readonly contents: Contents | undefined
  /** Results of this target. */
  readonly checks: readonly CheckReport[]
}

/** One row for each file, sorted by path; made one at a time, since few of 100,000 are kept. */
export function* rowsOf(
  target: string,
  { files }: Listing,
  { structures, contents, checks }: Known,
): Generator<FileRow> {
  const wrong = new Map<string, number | undefined>()
  for (const { wants, facts } of checks.flatMap(({ findings }) => findings)) {
    for (const want of wants ?? []) {
      if (want.want !== 'file' || want.target !== target) continue
      const { expected } = facts
      wrong.set(want.path, want.bytes ?? (typeof expected === 'number' ? expected : wrong.get(want.path)))
    }
  }
  for (const { path } of contents?.different ?? []) if (!wrong.has(path)) wrong.set(path, undefined)
  const unproved = structures?.unproved && new Set(structures.unproved)
  const stateOf = (path: string, size: number): FileState => {
    if (wrong.has(path)) return files.has(path) ? 'cut' : 'missing'
    if (contents?.proved.has(path) === true) return 'whole'
    return size > 0 && unproved?.has(path) === false ? 'whole' : 'unproved'
  }
  for (const path of [...new Set([...files.keys(), ...wrong.keys()])].sort()) {
    if (path.startsWith(ownFolder)) continue
    const bytes = files.get(path)?.size ?? 0
    const expected = wrong.get(path)
    yield { target, path, state: stateOf(path, bytes), bytes, ...(expected === undefined ? {} : { expected }) }
  }
}

/** Rows of many targets, kept small: those that something is wrong with have the most room. */
export class FileRows {
  readonly #rows: FileRow[]
  readonly #more: Record<FileState, number>
  readonly #held = { wrong: 0, other: 0 }

  constructor(before?: FileMap) {
    this.#rows = [...(before?.rows ?? [])]
    this.#more = { whole: 0, missing: 0, cut: 0, unproved: 0, ...before?.more }
    for (const row of this.#rows) this.#held[isWrong(row) ? 'wrong' : 'other'] += 1
  }

  /** In a broad scan nobody reads a row for each healthy file. */
  add(rows: Iterable<FileRow>, healthy: boolean): void {
    for (const row of rows) {
      const kind = isWrong(row) ? 'wrong' : 'other'
      if ((kind === 'wrong' || healthy) && this.#held[kind] < mostRows[kind]) {
        this.#held[kind] += 1
        this.#rows.push(row)
      } else this.#more[row.state] += 1
    }
  }

  /** Undefined where no file was looked at. */
  get map(): FileMap | undefined {
    const some = this.#rows.length > 0 || Object.values(this.#more).some((n) => n > 0)
    return some ? { rows: this.#rows, more: { ...this.#more } } : undefined
  }
}
