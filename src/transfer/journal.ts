import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { access, type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { Trouble } from '../errors.ts'
import { type FileIdentity, sameIdentity } from './identity.ts'

/**
 * What was sent of one file, so that a killed transfer goes on where it stopped: one small file of JSON lines for each
 * target file, each line on disk before it is relied on. It holds no signature, and no address but that of an upload session
 * of Google's, which has no other id. Lost or damaged, it costs
 * reading the local file once more, nothing else.
 */

/** A part that the store has acknowledged. */
export interface JournalPart {
  /** From 1 on. */
  readonly part: number
  /** Bytes. */
  readonly size: number
  readonly crc32: number
  readonly etag?: string
}

/** The upload that the lines after it belong to. */
interface JournalHead {
  readonly source: FileIdentity
  readonly uploadId: string
  /** Bytes. */
  readonly partSize: number
}

export interface JournalContent extends JournalHead {
  readonly parts: ReadonlyMap<number, JournalPart>
}

const version = 1
/** 10,000 parts take about 1 MiB. */
const largest = 16 * 1024 * 1024

/** `$XDG_STATE_HOME/mlflow-doctor`; a relative value is ignored, as the XDG base directory specification asks. */
export const stateDir = (env: Readonly<Record<string, string | undefined>> = process.env): string => {
  const base = env.XDG_STATE_HOME
  return join(base !== undefined && isAbsolute(base) ? base : join(homedir(), '.local', 'state'), 'mlflow-doctor')
}

/** Names the journal and the lock of one target file. A digest, so that no address stands in a folder listing. */
export const journalKey = (storeUri: string, path: string): string =>
  createHash('sha256').update(`${storeUri}\0${path}`).digest('hex').slice(0, 32)

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

const headIn = (line: unknown): JournalHead | undefined => {
  const { v, source, uploadId, partSize } = (line ?? {}) as Partial<JournalHead & { v: number }>
  if (v !== version || typeof uploadId !== 'string' || !isCount(partSize) || partSize < 1) return undefined
  const { dev, ino, size, mtimeNs, sample } = (source ?? {}) as Partial<FileIdentity>
  if (typeof dev !== 'string' || typeof ino !== 'string' || typeof mtimeNs !== 'string') return undefined
  if (!isCount(size) || !isCount(sample)) return undefined
  return { source: { dev, ino, size, mtimeNs, sample }, uploadId, partSize }
}

const partIn = (line: unknown): JournalPart | undefined => {
  const { part, size, crc32, etag } = (line ?? {}) as Partial<JournalPart>
  if (!isCount(part) || part < 1 || !isCount(size) || !isCount(crc32)) return undefined
  if (etag !== undefined && typeof etag !== 'string') return undefined
  return { part, size, crc32, ...(etag === undefined ? {} : { etag }) }
}

/** Undefined for anything but a whole journal; a last line that was cut by a crash is left out. */
export const parseJournal = (text: string): JournalContent | undefined => {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  lines.pop()
  try {
    const [first, ...rest] = lines.map((line): unknown => JSON.parse(line))
    const head = headIn(first)
    if (head === undefined) return undefined
    const parts = new Map<number, JournalPart>()
    for (const line of rest) {
      const part = partIn(line)
      if (part === undefined) return undefined
      parts.set(part.part, part)
    }
    return { ...head, parts }
  } catch {
    return undefined
  }
}

export interface Journal {
  /** What an earlier run left; undefined when there is nothing that can be relied on. */
  readonly left: JournalContent | undefined
  /** Begins anew for this upload, or goes on where `left` belongs to it, and hands back the parts that it holds then. On disk when it resolves. */
  begin(head: JournalHead): Promise<JournalContent['parts']>
  /** On disk when it resolves; what several workers hand in together is synced once. */
  add(part: JournalPart): Promise<void>
  /** After verification only. */
  erase(): Promise<void>
  close(): Promise<void>
}

const openFlags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW

const syncFolder = async (dir: string): Promise<void> => {
  const handle = await open(dir, constants.O_RDONLY)
  await handle.sync().finally(() => handle.close())
}

const unwritable = (at: string, error: unknown): Trouble =>
  new Trouble({
    kind: error instanceof Error && 'code' in error && error.code === 'ENOSPC' ? 'full' : 'denied',
    what: `cannot keep a journal in ${at}`,
    why: error instanceof Error ? error.message : String(error),
    todo: 'Set XDG_STATE_HOME to a folder with room that this user owns and may write to',
    cause: error,
  })

/** Parent first, one at a time: `mkdir` with `recursive` goes round for ever where a parent can never be made (below /proc). */
export const makeFolder = async (dir: string): Promise<void> => {
  try {
    await mkdir(dir, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(dir) === dir) throw error
    await makeFolder(dirname(dir))
    await mkdir(dir, { mode: 0o700 }).catch((again: NodeJS.ErrnoException) => {
      if (again.code !== 'EEXIST') throw again
    })
  }
}

/** Creates the folder for journals, readable by this user alone. Throws `denied`. */
export const prepareJournalDir = async (dir: string): Promise<void> => {
  try {
    await makeFolder(dir)
    const handle = await open(dir, constants.O_RDONLY | constants.O_DIRECTORY)
    await handle.chmod(0o700).finally(() => handle.close())
  } catch (error) {
    throw unwritable(dir, error)
  }
}

const readLeft = async (file: FileHandle): Promise<{ left: JournalContent | undefined; whole: number }> => {
  const { size } = await file.stat()
  if (size === 0 || size > largest) return { left: undefined, whole: 0 }
  const bytes = Buffer.alloc(size)
  const { bytesRead } = await file.read(bytes, 0, size, 0)
  const text = bytes.subarray(0, bytesRead)
  return { left: parseJournal(text.toString('utf8')), whole: text.lastIndexOf(0x0a) + 1 }
}

/** Whether an earlier run left one, whatever is in it. */
export const hasJournal = (dir: string, key: string): Promise<boolean> =>
  access(join(dir, `${key}.jsonl`)).then(
    () => true,
    () => false,
  )

/** Only for the holder of the lock with the same key. */
export const openJournal = async (dir: string, key: string): Promise<Journal> => {
  const path = join(dir, `${key}.jsonl`)
  const file = await open(path, openFlags, 0o600).catch((error: unknown) => {
    throw unwritable(path, error)
  })
  const { left, whole } = await readLeft(file)
  let waiting: { line: string; done: () => void; failed: (error: unknown) => void }[] = []
  let writing: Promise<void> | undefined
  let begun = false

  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        await file.appendFile(batch.map((entry) => entry.line).join(''))
        await file.datasync()
        for (const entry of batch) entry.done()
      } catch (error) {
        for (const entry of batch) entry.failed(unwritable(path, error))
      }
    }
    writing = undefined
  }

  const append = (line: object): Promise<void> =>
    new Promise((done, failed) => {
      waiting.push({ line: `${JSON.stringify(line)}\n`, done, failed })
      writing ??= flush()
    })

  return {
    left,
    async begin(head) {
      const goesOn =
        left !== undefined &&
        left.uploadId === head.uploadId &&
        left.partSize === head.partSize &&
        sameIdentity(left.source, head.source)
      begun = true
      await file.truncate(goesOn ? whole : 0)
      if (!goesOn) await append({ v: version, ...head })
      await syncFolder(dir)
      return goesOn ? left.parts : new Map()
    },
    add: (part) => append(part),
    async erase() {
      await writing
      await rm(path, { force: true })
    },
    async close() {
      await writing
      const empty = !begun && (await file.stat()).size === 0
      await file.close()
      if (empty) await rm(path, { force: true })
    },
  }
}
