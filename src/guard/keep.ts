/**
 * Keeps every model folder that appears below a temp folder, as hard links: MLflow writes a model there before it sends
 * it, and removes it whatever came of that. A link costs no disk while the original exists, and keeps the bytes after.
 */
import { constants } from 'node:fs'
import { copyFile, link, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { hasCode } from '../stores/folder-trouble.ts'

export interface Keeping {
  /** Looks once more, ends, and tells what is kept. */
  stop(): Promise<Kept>
}

export interface Kept {
  /** Folders in the spool that hold an MLmodel, oldest first. */
  readonly folders: readonly string[]
  /** Model folders that were given up because all that is kept exceeded the bound. */
  readonly dropped: number
  /** Bytes of what is kept. */
  readonly bytes: number
}

/** Milliseconds between two looks; a look at a quiet temp folder takes 0.1 ms. */
const lookEvery = 50
/** A look takes at most this part of the time. */
const share = 0.05
/** How deep below the temp folder a model folder may begin: MLflow's is `tmpXXXX/model`. */
const deepest = 3
/** A folder of more entries is a data set, not a temp folder that a model is written to. */
const mostEntries = 2000

interface Seen {
  /** Of the original: device and inode. */
  readonly file: string
  /** Of the original, when it was last looked at: size and modification time. */
  readonly state: string
  readonly bytes: number
  /** What is kept is the original itself, and shows whatever is written to it later on; else it is a copy. */
  readonly linked: boolean
}

interface Model {
  /** In the spool. */
  readonly to: string
  readonly files: Map<string, Seen>
  /** The original is gone. */
  closed: boolean
}

/** What a file system without hard links answers (FAT, some network shares), or one that ends here. */
const noLinks = ['EPERM', 'EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS']

const entriesOf = (dir: string) => readdir(dir, { withFileTypes: true }).catch(() => [])

/** Makes `to` the same file as `from`, or a copy of it where links are impossible; true for a link. The one that is there is replaced in one step. */
const keepFile = async (from: string, to: string): Promise<boolean> => {
  const staged = `${to}.mlflow-doctor-new`
  await mkdir(dirname(to), { recursive: true, mode: 0o700 })
  const linked = await link(from, staged).then(
    () => true,
    (error: unknown) => {
      if (!hasCode(error, ...noLinks)) throw error
      return false
    },
  )
  if (!linked) await copyFile(from, staged, constants.COPYFILE_FICLONE)
  await rename(staged, to)
  // Two links to one file: a rename of one over the other does nothing, and leaves both.
  await rm(staged, { force: true })
  return linked
}

/** @param mostBytes what the spool may hold of models whose originals are gone; the oldest is given up first */
export const keepModels = (temp: string, spool: string, mostBytes: number): Keeping => {
  const models = new Map<string, Model>()
  let made = 0
  let dropped = 0

  const keepTree = async (from: string, model: Model, path = ''): Promise<void> => {
    for (const entry of await entriesOf(join(from, path))) {
      const below = path === '' ? entry.name : `${path}/${entry.name}`
      if (entry.isDirectory()) await keepTree(from, model, below)
      if (!entry.isFile()) continue
      try {
        const { dev, ino, size, mtimeNs } = await stat(join(from, below), { bigint: true })
        const [file, state] = [`${dev} ${ino}`, `${size} ${mtimeNs}`]
        const seen = model.files.get(below)
        const current = seen?.file === file && (seen.linked || seen.state === state) ? seen : undefined
        const linked = current?.linked ?? (await keepFile(join(from, below), join(model.to, below)))
        model.files.set(below, { file, state, bytes: Number(size), linked })
      } catch (error) {
        // Removed between two calls: what was kept of it stays.
        if (!hasCode(error, 'ENOENT')) throw error
      }
    }
  }

  /** A folder named `model`, as MLflow names it, is kept from its first file on; any other one once it holds an MLmodel. */
  const look = async (dir: string, depth: number): Promise<void> => {
    const entries = await entriesOf(dir)
    if (entries.length > mostEntries) return
    const name = dir.slice(dir.lastIndexOf('/') + 1)
    if (depth > 0 && (name === 'model' || entries.some((entry) => entry.name === 'MLmodel' && entry.isFile()))) {
      const { ino } = await stat(dir, { bigint: true })
      const key = `${dir} ${ino}`
      let model = models.get(key)
      if (model === undefined) {
        made += 1
        model = { to: join(spool, String(made)), files: new Map(), closed: false }
        models.set(key, model)
      }
      await keepTree(dir, model)
      return
    }
    if (depth >= deepest) return
    for (const entry of entries) if (entry.isDirectory()) await look(join(dir, entry.name), depth + 1)
  }

  const sizeOf = ({ files }: Model): number => [...files.values()].reduce((sum, { bytes }) => sum + bytes, 0)

  const bound = async (): Promise<void> => {
    const closed = [...models].filter(([, model]) => model.closed)
    let held = closed.reduce((sum, [, model]) => sum + sizeOf(model), 0)
    for (const [key, model] of closed) {
      if (held <= mostBytes) return
      held -= sizeOf(model)
      dropped += 1
      models.delete(key)
      await rm(model.to, { recursive: true, force: true })
    }
  }

  const once = async (): Promise<void> => {
    await look(temp, 0).catch((error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error
    })
    for (const [key, model] of models) {
      if (model.closed) continue
      const [dir = ''] = key.split(/ (?=\d+$)/)
      const there = await stat(dir, { bigint: true }).catch(() => undefined)
      if (there !== undefined && key.endsWith(` ${there.ino}`)) continue
      model.closed = true
      // Without an MLmodel it was no model.
      if (model.files.has('MLmodel')) continue
      models.delete(key)
      await rm(model.to, { recursive: true, force: true })
    }
    await bound()
  }

  const ended = new AbortController()
  const run = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const began = performance.now()
      await once()
      const pause = Math.max(lookEvery, (performance.now() - began) / share)
      await wait(pause, undefined, { signal: ended.signal }).catch(() => undefined)
    }
  }
  const running = run()
  // Told by `stop`; until then nobody listens.
  running.catch(() => undefined)

  return {
    async stop() {
      ended.abort()
      await running
      await once()
      const whole = [...models.values()].filter(({ files }) => files.has('MLmodel'))
      const bytes = whole.reduce((sum, model) => sum + sizeOf(model), 0)
      return { folders: whole.map(({ to }) => to), dropped, bytes }
    },
  }
}
