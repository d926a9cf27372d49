import { constants, type Stats } from 'node:fs'
import { type FileHandle, link, lstat, open, rename, rmdir, stat, statfs, unlink } from 'node:fs/promises'
import { Trouble } from '../errors.ts'
import { bytes as inWords } from '../words.ts'
import { hasCode } from './folder-trouble.ts'
import { requireCrc32 } from './part-check.ts'
import { folderOf, join } from './path.ts'
import { changedSincePlan } from './replaced.ts'
import { isStaged, newStagedName } from './staged-name.ts'
import type { OpenUpload, Part, StoredFile } from './store.ts'
import { rangeCrc32, wholeCrc32 } from './whole-crc32.ts'

/** What an upload uses of its folder store. */
export interface FolderAccess {
  readonly root: string
  /** Closed with the store. */
  readonly handles: Set<FileHandle>
  /** With `made`, folders that are missing are made and noted there. */
  locate(path: string, made?: string[]): Promise<string>
  trying<T>(what: string, act: () => Promise<T>): Promise<T>
  /** Keeps the checksum of a file that was just read in full, so that it is not read twice. */
  proved(path: string, is: Stats, crc32: number): void
}

interface Plan {
  /** Bytes. */
  readonly sourceSize: number
  readonly partSize: number
}

const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants

/** Creates the staging file beside the final name, once the disk is seen to have room for it. */
export const createStaged = (access: FolderAccess, path: string, plan: Plan): Promise<OpenUpload> =>
  access.trying(`cannot begin to write ${path}`, async () => {
    const id = newStagedName(path)
    const made: string[] = []
    const at = await access.locate(join(folderOf(path), id), made)
    const disk = await statfs(access.root)
    const free = disk.bavail * disk.bsize
    if (free < plan.sourceSize) {
      throw new Trouble({
        kind: 'full',
        what: `cannot begin to write ${path}`,
        why: `it needs ${inWords(plan.sourceSize)}, and the disk of ${access.root} has ${inWords(free)} left`,
        todo: 'Free space on the disk that holds the artifacts',
      })
    }
    // 0666 under the umask, as MLflow gives its own artifacts.
    const handle = await open(at, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666)
    return stagedUpload(access, path, id, plan, handle, made)
  })

/** Takes up a staging file again, this tool's or MLflow's own. Undefined when it is gone or `id` is no staging name. */
export const openStaged = (
  access: FolderAccess,
  path: string,
  id: string,
  plan: Plan,
): Promise<OpenUpload | undefined> =>
  access.trying(`cannot go on writing ${path}`, async () => {
    if (!isStaged(id) || id.includes('/')) return undefined
    try {
      const handle = await open(await access.locate(join(folderOf(path), id)), O_RDWR | O_NOFOLLOW | O_NONBLOCK)
      if ((await handle.stat()).isFile()) return stagedUpload(access, path, id, plan, handle, [])
      await handle.close()
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
    }
    return undefined
  })

const stagedUpload = (
  access: FolderAccess,
  path: string,
  id: string,
  plan: Plan,
  handle: FileHandle,
  made: readonly string[],
): OpenUpload => {
  access.handles.add(handle)
  const staged = join(folderOf(path), id)
  const release = async () => {
    access.handles.delete(handle)
    await handle.close()
  }
  const lengthOf = (number: number) => Math.min(plan.partSize, plan.sourceSize - (number - 1) * plan.partSize)

  return {
    id,
    path,

    parts: (signal) =>
      access.trying(`cannot read back what was written of ${path}`, async () => {
        const found: Part[] = []
        const { size } = await handle.stat()
        // A hole reads as zeros, so the checksum of a part that was never written does not match.
        for (let number = 1; (number - 1) * plan.partSize < Math.min(size, plan.sourceSize); number += 1) {
          const part = await rangeCrc32(handle, (number - 1) * plan.partSize, lengthOf(number), signal)
          found.push({ number, ...part })
        }
        return found
      }),

    send: (number, bytes, crc32, signal) =>
      access.trying(`cannot write part ${number} of ${path}`, async () => {
        signal?.throwIfAborted()
        requireCrc32(`cannot write part ${number} of ${path}`, bytes, crc32)
        for (let done = 0; done < bytes.length; ) {
          const at = (number - 1) * plan.partSize + done
          done += (await handle.write(bytes, done, bytes.length - done, at)).bytesWritten
        }
        return { number, size: bytes.length, crc32 }
      }),

    complete: (_parts, whole, signal) =>
      access.trying(`cannot finish ${path}`, async () => {
        const { size } = await handle.stat()
        const crc32 = size === whole.size ? await wholeCrc32(handle, size, signal) : undefined
        if (crc32 !== whole.crc32) {
          throw new Trouble({
            kind: 'unavailable',
            what: `cannot finish ${path}`,
            why:
              crc32 === undefined
                ? `${inWords(size)} were written (${size} bytes), not ${whole.size} bytes`
                : 'what was written does not have the checksum of the source',
            todo: 'Compare the parts again and send those that differ',
          })
        }
        await handle.sync()
        const from = await access.locate(staged)
        const to = await access.locate(path)
        if (whole.replaces !== undefined) await refuseIfChanged(to, whole.replaces)
        await publish(from, to, whole.ifAbsent)
        access.proved(path, await handle.stat(), crc32)
        await release()
        await syncFolder(folderOf(to))
      }),

    abort: () =>
      access.trying(`cannot give up writing ${path}`, async () => {
        if (access.handles.has(handle)) await release()
        const at = await access.locate(staged).catch(gone)
        if (at !== undefined) await unlink(at).catch(gone)
        // Folders that were made for this upload alone go with it; others have filled them meanwhile.
        for (const folder of made.toReversed()) await rmdir(folder).catch(() => {})
      }),
  }
}

const gone = (error: unknown): undefined => {
  if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
  return undefined
}

/** A rename replaces whatever is there, so this look is the last that can be had. Follows a link, as the listing does. */
const refuseIfChanged = async (to: string, { path, size, modified }: StoredFile): Promise<void> => {
  const is = await stat(to).catch(gone)
  if (is?.size !== size || is.mtimeMs !== modified) throw changedSincePlan(`cannot replace ${path}`)
}

/** Gives the staged file its final name in one step. A hard link, unlike a rename, refuses to replace a file. */
export const publish = async (from: string, to: string, ifAbsent: boolean): Promise<void> => {
  if (!ifAbsent) return rename(from, to)
  try {
    await link(from, to)
  } catch (error) {
    // File systems without hard links (FAT, some network shares) answer one of these.
    if (!hasCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS')) throw error
    if ((await lstat(to).catch(gone)) !== undefined) throw Object.assign(new Error('exists'), { code: 'EEXIST' })
    return rename(from, to)
  }
  await unlink(from)
}

/** The name is on the disk only once its folder is. Where a folder cannot be synced (Windows), the system does not offer it. */
const syncFolder = async (dir: string): Promise<void> => {
  const handle = await open(dir).catch(() => undefined)
  if (handle === undefined) return
  await handle.sync().catch(() => undefined)
  await handle.close()
}
