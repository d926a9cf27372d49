import { constants, type Stats } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, opendir, realpath, stat, unlink } from 'node:fs/promises'
import nodePath, { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Trouble } from '../errors.ts'
import { folderTrouble, hasCode } from './folder-trouble.ts'
import { createStaged, type FolderAccess, openStaged, publish } from './folder-upload.ts'
import { baseOf, folderOf, join, safeFolder, safePath } from './path.ts'
import { finalPath, isStaged } from './staged-name.ts'
import type { Earlier, ObjectProof, Store, StoredFile, UnfinishedUpload, UploadLimits } from './store.ts'
import { wholeCrc32 } from './whole-crc32.ts'

/** A file system prescribes nothing; the part is what a worker holds in memory, the count what a journal still carries. */
const limits: UploadLimits = {
  minPart: 1,
  maxPart: 5 * 1024 ** 3,
  maxParts: 1_000_000,
  maxObject: Number.MAX_SAFE_INTEGER,
}

/** Without O_NONBLOCK the opening of a named pipe would wait for a writer for ever. */
const forReading = constants.O_RDONLY | constants.O_NONBLOCK

const isLink = 'it is a symbolic link to a folder, which is not followed; name the folder that it leads to'

/** Node makes a replacement character of each byte that is no UTF-8, and then there is no file of that name. */
const unreadable = (path: string): string | undefined =>
  baseOf(path).includes('\ufffd') ? 'its name is not valid UTF-8, so it cannot be opened' : undefined

const storedFile = (path: string, is: Stats): StoredFile => ({ path, size: is.size, modified: is.mtimeMs })

/** What tells that a file is still the one whose checksum was computed. */
const sameFile = (is: Stats): string => `${is.dev}:${is.ino}:${is.size}:${is.mtimeMs}`

const makeFolder = async (at: string, made: string[]): Promise<void> => {
  try {
    await mkdir(at)
    made.push(at)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  }
}

/** The staging file of an upload; undefined for an id that is no staging name, which must never be removed. */
const stagedPath = ({ path, id }: UnfinishedUpload): string | undefined =>
  isStaged(id) && !id.includes('/') ? safePath(join(folderOf(safePath(path)), id)) : undefined

/** The folders from `first` down to `root`, both included, in the words of the system that `path` is for. */
export const chainOf = (first: string, root: string, path: Pick<typeof nodePath, 'relative' | 'sep' | 'join'>) => {
  const names = path
    .relative(first, root)
    .split(path.sep)
    .filter((name) => name !== '')
  return [first, ...names.map((_, n) => path.join(first, ...names.slice(0, n + 1)))]
}

const makeRoot = async (root: string, made: string[]): Promise<void> => {
  const first = await mkdir(root, { recursive: true })
  if (first === undefined) return
  made.push(...chainOf(first, root, nodePath))
}

/**
 * A folder as an artifact store, laid out as MLflow lays it out. A symbolic link to a file is listed and read as that file,
 * wherever it lies, since MLflow reads it so; nothing is ever written through a link, and links to folders are neither
 * listed nor followed, which `passedOver` tells. The root itself may be one. `dir` may not exist yet: an upload creates it.
 */
export const folderStore = async (dir: string, reached: string): Promise<Store> => {
  const root = await realpath(dir).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return resolve(dir)
    throw folderTrouble(`cannot open the artifact folder ${dir}`, error)
  })
  const handles = new Set<FileHandle>()
  const proven = new Map<string, { readonly is: string; readonly crc32: number }>()
  const passedOver = new Map<string, string>()

  const trying = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    try {
      return await act()
    } catch (error) {
      throw folderTrouble(what, error)
    }
  }
  /** Links to nothing, and in circles, hold no file. */
  const noFile = (error: unknown): undefined => (hasCode(error, 'ELOOP') ? undefined : missing(error))
  const missing = (error: unknown): undefined => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }

  const rootless = (error: unknown): undefined => {
    if (!hasCode(error, 'ENOTDIR')) return missing(error)
    const why = 'it is a file, not a folder'
    throw new Trouble({ kind: 'conflict', what: `cannot list ${root}`, why, todo: 'Name the folder that it lies in' })
  }

  /** The absolute path of a folder, once it and each folder on the way were seen to be real ones. With `made`, missing ones are made and noted there. */
  const realFolder = async (path: string, made?: string[]): Promise<string> => {
    let at = root
    if (made !== undefined) await makeRoot(root, made)
    for (const name of path === '' ? [] : path.split('/')) {
      at = `${at}/${name}`
      if (made !== undefined) await makeFolder(at, made)
      const is = await lstat(at)
      if (is.isSymbolicLink()) throw Object.assign(new Error('symbolic link'), { code: 'ELOOP' })
      if (!is.isDirectory()) throw Object.assign(new Error('not a folder'), { code: 'ENOTDIR' })
    }
    return at
  }
  const locate = async (path: string, made?: string[]): Promise<string> =>
    `${await realFolder(folderOf(path), made)}/${baseOf(path)}`
  const statFile = async (path: string): Promise<Stats | undefined> => {
    const at = await locate(path).catch(missing)
    // A leftover is written to when it is taken up again, so a link by such a name is none.
    const is = at === undefined ? undefined : await (isStaged(baseOf(path)) ? lstat(at) : stat(at)).catch(noFile)
    return is?.isFile() === true ? is : undefined
  }
  const openFile = async (path: string): Promise<FileHandle> => {
    const at = await locate(path)
    // Opening a device, which a link may lead to, can do something by itself.
    const handle = (await stat(at)).isFile() ? await open(at, forReading) : undefined
    if ((await handle?.stat())?.isFile() === true && handle !== undefined) return handle
    await handle?.close()
    throw Object.assign(new Error('not a file'), { code: 'EISDIR' })
  }

  async function* walk(folder: string, deep: boolean, signal?: AbortSignal): AsyncIterable<[path: string, is: Stats]> {
    const waiting = [folder]
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      // A file in place of the root is no empty folder; one in place of another folder came after it was listed.
      const gone = at === '' ? rootless : missing
      const entries = await realFolder(at)
        .then((dir) => opendir(dir))
        .catch(gone)
      if (entries === undefined) continue
      for await (const entry of entries) {
        signal?.throwIfAborted()
        const path = join(at, entry.name)
        const linked = entry.isSymbolicLink() && !isStaged(entry.name)
        const real = entry.isDirectory() || entry.isFile()
        const look = linked ? stat : real ? lstat : undefined
        const is = await look?.(`${root}/${path}`).catch(noFile)
        const why =
          linked && is?.isDirectory() === true ? isLink : is === undefined && real ? unreadable(path) : undefined
        if (why !== undefined) passedOver.set(path, why)
        if (is?.isDirectory() === true && deep && !linked) waiting.push(path)
        if (is?.isFile() === true) yield [path, is]
      }
    }
  }
  async function* walking(what: string, folder: string, deep: boolean, signal?: AbortSignal) {
    try {
      yield* walk(folder, deep, signal)
    } catch (error) {
      throw folderTrouble(what, error)
    }
  }

  const access: FolderAccess = {
    root,
    handles,
    locate,
    trying,
    proved: (path, is, crc32) => proven.set(path, { is: sameFile(is), crc32 }),
  }

  const store: Store = {
    kind: 'folder',
    uri: pathToFileURL(root).href,
    reached,
    route: 'folder-copy',
    limits,

    async *list({ prefix = '', signal } = {}) {
      const what = `cannot list the artifact folder ${join(root, safeFolder(prefix))}`
      for await (const [path, is] of walking(what, prefix, true, signal)) {
        if (!isStaged(baseOf(path))) yield storedFile(path, is)
      }
    },

    passedOver: () => [...passedOver].map(([path, because]) => ({ path, because })),

    async stat(path) {
      const is = await trying(`cannot look at ${path}`, () => statFile(safePath(path)))
      return is && storedFile(path, is)
    },

    read: async (path, offset, length) =>
      trying(`cannot read ${path}`, async () => {
        const handle = await openFile(safePath(path))
        try {
          const left = Math.max(0, Math.min(length, (await handle.stat()).size - offset))
          const buffer = Buffer.alloc(left)
          let filled = 0
          while (filled < left) {
            const { bytesRead } = await handle.read(buffer, filled, left - filled, offset + filled)
            if (bytesRead === 0) break
            filled += bytesRead
          }
          return buffer.subarray(0, filled)
        } finally {
          await handle.close()
        }
      }),

    proof: (path, signal) =>
      trying(`cannot read back ${path}`, async (): Promise<ObjectProof | undefined> => {
        if ((await statFile(safePath(path))) === undefined) return undefined
        const handle = await openFile(path)
        try {
          const is = await handle.stat()
          const known = proven.get(path)
          const crc32 = known?.is === sameFile(is) ? known.crc32 : await wholeCrc32(handle, is.size, signal)
          return { size: is.size, crc32 }
        } finally {
          await handle.close()
        }
      }),

    remove: (path) =>
      trying(`cannot remove ${path}`, async () => {
        await locate(safePath(path))
          .then((at) => unlink(at))
          .catch(missing)
      }),

    openUpload: async (path, plan) => createStaged(access, safePath(path), plan),
    resumeUpload: async (path, id, plan) => openStaged(access, safePath(path), id, plan),

    async *unfinished({ path, signal } = {}): AsyncIterable<UnfinishedUpload> {
      const folder = path === undefined ? '' : folderOf(safePath(path))
      const what = `cannot look for unfinished uploads in ${join(root, folder)}`
      for await (const [at, is] of walking(what, folder, path === undefined, signal)) {
        if (!isStaged(baseOf(at))) continue
        // MLflow's own names do not tell what they are to become: such a file goes by its own name.
        const listed = finalPath(at) ?? at
        if (path !== undefined && listed !== path) continue
        yield { path: listed, id: baseOf(at), initiated: is.mtimeMs }
      }
    },

    abort: (upload) =>
      trying(`cannot give up writing ${upload.path}`, async () => {
        const path = stagedPath(upload)
        if (path === undefined || (await statFile(path)) === undefined) return
        await locate(path)
          .then((at) => unlink(at))
          .catch(missing)
      }),

    partsOf: async (upload) =>
      trying(`cannot look at the unfinished upload of ${upload.path}`, async () => {
        const path = stagedPath(upload)
        const is = path === undefined ? undefined : await statFile(path)
        return is === undefined ? [] : [{ number: 1, size: is.size, modified: is.mtimeMs }]
      }),

    earlier: (path) =>
      trying(`cannot look beside ${path}`, async () => {
        const folder = folderOf(safePath(path))
        const found: Earlier[] = []
        for await (const [at, is] of walk(folder, false)) {
          // A name of the doctor's own says which file it is of.
          if (!isStaged(baseOf(at)) || (finalPath(at) ?? path) !== path) continue
          found.push({ kind: 'staged', id: baseOf(at), size: is.size, modified: is.mtimeMs })
        }
        return found.toSorted((a, b) => (b.modified ?? 0) - (a.modified ?? 0))
      }),
    readEarlier: (path, { id }, offset, length) => store.read(join(folderOf(path), id), offset, length),
    restore: (path, { id }) =>
      trying(`cannot restore ${path}`, async () => {
        if (!isStaged(id) || id.includes('/')) throw Object.assign(new Error('not staged'), { code: 'ENOENT' })
        await publish(await locate(join(folderOf(path), id)), await locate(safePath(path)), true)
      }),

    now: async () => Date.now(),

    async close() {
      for (const handle of handles) await handle.close().catch(missing)
      handles.clear()
    },
  }
  return store
}
