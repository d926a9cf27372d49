import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isRunning, processIdIn, thisProcess } from '../host/process.ts'

/**
 * Canaries: what probes write, and what must be gone afterwards, also when the process that wrote them was killed. A name
 * carries a fixed prefix, a time and an owner, so that a later run of the same user knows its own; a small journal tells
 * at once which canaries a dead process of this machine left.
 */

const prefix = '.mlflow-doctor-canary'
/** Milliseconds; a canary takes seconds, so what is older was left by a run that was killed. */
export const staleAfterMs = 3_600_000

/** `20261123T214500Z`, which sorts, and which every file system takes as part of a name. */
const stamp = (time: number): string => new Date(time).toISOString().replace(/[-:]|\.\d+/g, '')
const timeOf = (text: string): number =>
  Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))

/** Fit for a file name on every store. */
export const canaryOwner = (user: string): string => user.replace(/[^A-Za-z0-9_.]/g, '_').slice(0, 40) || 'unknown'

/** `time` in milliseconds since the epoch, by the store's clock. */
export const canaryName = (owner: string, time: number): string =>
  `${prefix}-${stamp(time)}-${owner}-${randomBytes(4).toString('hex')}`

/** When this owner's canary of that name was begun, by the store's clock; undefined for every other name. */
export const canaryBegunAt = (path: string, owner: string): number | undefined => {
  const match = new RegExp(`^\\${prefix}-(\\d{8}T\\d{6}Z)-(.+)-[0-9a-f]{8}$`).exec(path)
  const time = match?.[2] === owner ? timeOf(match[1] ?? '') : Number.NaN
  return Number.isNaN(time) ? undefined : time
}

/** One canary, enough to remove it from another process. Holds no secret. */
export interface Canary {
  /** The store's address without credentials. */
  readonly place: string
  readonly path: string
  /** Of a multipart upload; a whole object where neither this nor `beginning` is set. */
  readonly uploadId?: string
  /** A multipart upload that was asked for, and whose id nobody knows yet. */
  readonly beginning?: true
}

/** The canaries that this process has out, on disk before they exist. */
export interface CanaryJournal {
  add(canary: Canary): Promise<void>
  remove(canary: Canary): Promise<void>
  /** Canaries of processes of this machine that have ended without removing them, at one place. */
  abandoned(place: string): Promise<readonly Canary[]>
  /** What an ended process left there is gone. */
  settle(canary: Canary): Promise<void>
}

const sameAs =
  (one: Canary) =>
  (other: Canary): boolean =>
    one.place === other.place &&
    one.path === other.path &&
    one.uploadId === other.uploadId &&
    one.beginning === other.beginning

const canariesIn = (value: unknown): Canary[] =>
  (Array.isArray(value) ? value : []).flatMap((each: unknown): Canary[] => {
    const { place, path, uploadId, beginning } = (each ?? {}) as Partial<Canary>
    if (typeof place !== 'string' || typeof path !== 'string' || !path.startsWith(prefix)) return []
    return [{ place, path, ...(typeof uploadId === 'string' && { uploadId }), ...(beginning && { beginning }) }]
  })

/**
 * `dir` is where journals lie, one file a process. Where it cannot be written, canaries go without: the next run then
 * removes by name what is older than an hour.
 */
export const canaryJournal = (dir: string): CanaryJournal => {
  const own = join(dir, `${process.pid}-${randomBytes(6).toString('hex')}.json`)
  let out: readonly Canary[] = []
  let turn: Promise<unknown> = Promise.resolve()

  const write = async (file: string, by: object, canaries: readonly Canary[]): Promise<void> => {
    if (canaries.length === 0) return rm(file, { force: true })
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const fresh = `${file}.new`
    let handle: FileHandle | undefined
    try {
      handle = await open(fresh, 'w', 0o600)
      await handle.writeFile(JSON.stringify({ by, canaries }))
      await handle.sync()
    } finally {
      await handle?.close()
    }
    await rename(fresh, file)
  }
  const keep = async (change: (canaries: readonly Canary[]) => readonly Canary[]): Promise<void> => {
    const saved = turn.then(async () => {
      out = change(out)
      await write(own, await thisProcess(), out).catch(() => undefined)
    })
    turn = saved
    await saved
  }
  const journals = async (): Promise<{ file: string; by: object; canaries: readonly Canary[] }[]> => {
    const found: { file: string; by: object; canaries: readonly Canary[] }[] = []
    for (const name of await readdir(dir).catch(() => [])) {
      const file = join(dir, name)
      if (!name.endsWith('.json') || file === own) continue
      try {
        const { by, canaries } = JSON.parse(await readFile(file, 'utf8')) as { by: unknown; canaries: unknown }
        const id = processIdIn(by)
        if (id === undefined || (await isRunning(id)) !== false) continue
        found.push({ file, by: id, canaries: canariesIn(canaries) })
      } catch {
        // Written by nobody that is known here; what it may stand for is found by name after an hour.
      }
    }
    return found
  }

  return {
    add: (canary) => keep((canaries) => [...canaries, canary]),
    remove: (canary) => keep((canaries) => canaries.filter((each) => !sameAs(canary)(each))),
    abandoned: async (place) =>
      (await journals()).flatMap(({ canaries }) => canaries).filter((canary) => canary.place === place),
    async settle(canary) {
      for (const { file, by, canaries } of await journals()) {
        const left = canaries.filter((each) => !sameAs(canary)(each))
        if (left.length < canaries.length) await write(file, by, left).catch(() => undefined)
      }
    },
  }
}
