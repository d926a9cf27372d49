/** `--state FILE`: what a scan has looked at already and what came of it, so that it goes on there after a kill. */
import { createHash, randomBytes } from 'node:crypto'
import type { Stats } from 'node:fs'
import { lstat, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Results } from '../commands/session.ts'
import { Trouble } from '../errors.ts'
import { type Redact, redactAll } from '../redact.ts'

const version = 1
/** Milliseconds between two writes: what a kill costs at most, beside the look that it cuts short. */
const pace = 5000

interface Written {
  readonly v: typeof version
  /** A digest of what was asked for, since targets may hold secrets. */
  readonly asked: string
  readonly sinceText?: string
  /** ISO 8601; of this scan, however often it was resumed. */
  readonly startedAt: string
  readonly finishedAt?: string
  /** It came to its end, and something could not be looked at. */
  readonly incomplete?: true
  /** What `--since` came to when the scan began. */
  readonly since?: number
  /** Start of the last scan that was finished and looked at everything, in ISO 8601. */
  readonly lastStartedAt?: string
  /** Experiments and targets that were looked at, and of the one under way its parts. */
  readonly done?: readonly string[]
  readonly parts?: readonly string[]
  readonly results?: Results
}

export interface ScanState {
  /** What the scan that is resumed found so far. */
  readonly results: Results | undefined
  /** `--since`, in milliseconds since the epoch. */
  readonly since: number | undefined
  has(key: string): boolean
  /** A part, such as a run of an experiment, was looked at, and `results` hold it. Written every few seconds. */
  partDone(key: string, results: () => Results): Promise<void>
  /** A whole was looked at, with all its parts. */
  wholeDone(key: string, results: () => Results): Promise<void>
  /** Writes what is done; `results` hold nothing more. */
  flush(results: Results): Promise<void>
  /** `complete` when everything could be looked at: only then may the next one leave out what did not change since. */
  finish(complete: boolean): Promise<void>
}

/** Without a file nothing is remembered. */
export const noState = (since: number | undefined): ScanState => ({
  results: undefined,
  since,
  has: () => false,
  partDone: async () => {},
  wholeDone: async () => {},
  flush: async () => {},
  finish: async () => {},
})

const trouble = (file: string, why: string, todo: string, cause?: unknown): Trouble =>
  new Trouble({ kind: 'usage', what: `cannot use --state ${file}`, why, todo, cause })

/** What it holds is believed, so nobody else may have written it; opening a pipe would wait for ever. */
const refusal = (is: Stats): string | undefined => {
  if (is.isSymbolicLink()) return 'it is a symbolic link, which would be replaced'
  if (!is.isFile()) return 'it is no file'
  // Windows has no owners and modes of this kind.
  if (process.getuid === undefined) return undefined
  if (is.uid !== process.getuid()) return 'it belongs to another user'
  return (is.mode & 0o022) === 0 ? undefined : 'other users may write to it'
}

/** Results that are taken up again, or none where nothing is said to be done. */
const holdsTogether = ({ done = [], parts = [], results }: Partial<Written>): boolean => {
  if (![done, parts].every((keys) => Array.isArray(keys) && keys.every((key) => typeof key === 'string'))) return false
  if (results === undefined) return done.length + parts.length === 0
  const rows = results.files === undefined ? [] : results.files.rows
  return [results.checks, results.gaps, results.active, rows].every(Array.isArray)
}

const read = async (file: string): Promise<Written | undefined> => {
  let text: string
  try {
    const why = refusal(await lstat(file))
    if (why !== undefined) throw trouble(file, why, 'Give another file')
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Trouble) throw error
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw trouble(file, message, 'Give a file that this user may read and write', error)
  }
  try {
    const found = JSON.parse(text) as Partial<Written>
    const is = found.v === version && typeof found.asked === 'string' && typeof found.startedAt === 'string'
    if (is && holdsTogether(found)) return found as Written
  } catch {
    // Told below: no state is written by halves, so it is some other file.
  }
  throw trouble(file, 'it holds something else than the state of a scan', 'Give another file, or remove it')
}

/** Whole or not at all, for this user alone, and on the disk before it counts. */
const write = async (file: string, written: Written): Promise<void> => {
  const fresh = `${file}.${randomBytes(6).toString('hex')}`
  try {
    const handle = await open(fresh, 'wx', 0o600)
    try {
      await handle.writeFile(JSON.stringify(written))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(fresh, file)
  } catch (error) {
    await rm(fresh, { force: true })
    throw trouble(file, (error as Error).message, 'Give a file in a folder that this user may write to', error)
  }
  const folder = await open(dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/**
 * @throws Trouble `usage` for a file of another scan, one that is no state, or one that cannot be written.
 * `since` is asked for when a scan begins anew, and told when the last finished one began, in milliseconds since the epoch.
 */
export const openState = async (
  file: string,
  asked: Readonly<Record<string, unknown>>,
  sinceText: string | undefined,
  redact: Redact,
  since: (last: number | undefined) => number | undefined,
): Promise<ScanState> => {
  const digest = createHash('sha256').update(JSON.stringify(asked)).digest('hex')
  const before = await read(file)
  const goesOn = before !== undefined && before.finishedAt === undefined
  if (before !== undefined && (before.asked !== digest || (goesOn && before.sinceText !== sinceText))) {
    const why = 'it belongs to a scan with other targets, options or tracking server'
    throw trouble(file, why, 'Give another file, or remove this one to begin anew')
  }
  const wasWhole = before?.finishedAt !== undefined && before.incomplete === undefined
  const lastStartedAt = wasWhole ? before.startedAt : before?.lastStartedAt
  const from = goesOn ? before.since : since(lastStartedAt === undefined ? undefined : Date.parse(lastStartedAt))
  const head = {
    v: version,
    asked: digest,
    ...(sinceText !== undefined && { sinceText }),
    startedAt: goesOn ? before.startedAt : new Date().toISOString(),
    ...(from !== undefined && { since: from }),
    ...(lastStartedAt !== undefined && { lastStartedAt }),
  } as const
  const done = new Set(goesOn ? before.done : [])
  const parts = new Set(goesOn ? before.parts : [])
  let last = performance.now()
  const flush = async (results: Results): Promise<void> => {
    last = performance.now()
    await write(file, { ...head, done: [...done], parts: [...parts], results: redactAll(results, redact) })
  }
  const now = async (results: () => Results): Promise<void> => {
    if (performance.now() - last >= pace) await flush(results())
  }
  // A file that cannot be written must not turn up after an hour.
  if (!goesOn) await write(file, head)
  return {
    results: goesOn ? before.results : undefined,
    since: from,
    has: (key) => done.has(key) || parts.has(key),
    async partDone(key, results) {
      parts.add(key)
      await now(results)
    },
    async wholeDone(key, results) {
      parts.clear()
      done.add(key)
      await now(results)
    },
    flush,
    finish: (complete) =>
      write(file, { ...head, finishedAt: new Date().toISOString(), ...(!complete && { incomplete: true }) }),
  }
}
