import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { Trouble } from '../errors.ts'

/** What tells one state of a local file from another. Plain data: it goes into journals and plans. */
export interface FileIdentity {
  readonly dev: string
  readonly ino: string
  /** Bytes. */
  readonly size: number
  /** Nanoseconds since the epoch, decimal. */
  readonly mtimeNs: string
  /** CRC32 over the first, middle and last 64 KiB; for writers that put the modification time back. */
  readonly sample: number
}

const sampleBytes = 64 * 1024

export const sameIdentity = (a: FileIdentity, b: FileIdentity): boolean =>
  a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.sample === b.sample

/** A local file, opened once and watched: whatever is read from it belongs to one state of the file. */
export interface Source {
  readonly path: string
  readonly size: number
  readonly identity: FileIdentity
  /** Fills `into` from `offset` on; the result is as long as asked. Throws `source-changed`. */
  read(into: Uint8Array, offset: number, length: number): Promise<Uint8Array>
  /** Throws `source-changed` when the file, or what its name leads to, is no longer what was opened. */
  confirm(): Promise<void>
  close(): Promise<void>
}

const changed = (path: string, why: string): Trouble =>
  new Trouble({
    kind: 'source-changed',
    what: `cannot go on with ${path}`,
    why,
    todo: 'Wait until nothing writes to the file, then run the same command again',
  })

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

const openTrouble = (path: string, error: unknown): Trouble => {
  const code = codeOf(error)
  const what = `cannot read ${path}`
  if (code === 'ENOENT') {
    return new Trouble({
      kind: 'not-found',
      what,
      why: 'it is not there',
      todo: 'Name a folder that holds it',
      cause: error,
    })
  }
  if (code === 'ELOOP') {
    const todo = 'Give the folder that really holds the file'
    return new Trouble({ kind: 'denied', what, why: 'it is a symbolic link', todo, cause: error })
  }
  const why = error instanceof Error ? error.message : String(error)
  return new Trouble({ kind: 'denied', what, why, todo: 'Check the permissions of the file', cause: error })
}

interface Stamp {
  readonly dev: string
  readonly ino: string
  readonly size: number
  readonly mtimeNs: string
}

const stampOf = async (handle: FileHandle): Promise<Stamp> => {
  const seen = await handle.stat({ bigint: true })
  return { dev: `${seen.dev}`, ino: `${seen.ino}`, size: Number(seen.size), mtimeNs: `${seen.mtimeNs}` }
}

const fill = async (handle: FileHandle, into: Uint8Array, offset: number, length: number): Promise<number> => {
  let done = 0
  while (done < length) {
    const { bytesRead } = await handle.read(into, done, length - done, offset + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

const sampleOf = async (handle: FileHandle, size: number): Promise<number> => {
  const buffer = new Uint8Array(sampleBytes)
  const middle = Math.max(0, Math.floor((size - sampleBytes) / 2))
  const offsets = new Set([0, middle, Math.max(0, size - sampleBytes)])
  let sample = 0
  for (const offset of offsets) {
    const read = await fill(handle, buffer, offset, Math.min(sampleBytes, size - offset))
    sample = crc32(buffer.subarray(0, read), sample)
  }
  return sample
}

const describe = (path: string, before: Stamp, now: Stamp): Trouble | undefined => {
  if (now.size < before.size)
    return changed(path, `it shrank from ${before.size} to ${now.size} bytes while it was read`)
  if (now.size > before.size) return changed(path, `it grew from ${before.size} to ${now.size} bytes while it was read`)
  if (now.mtimeNs !== before.mtimeNs) return changed(path, 'it was written to while it was read')
  return undefined
}

/**
 * Opens a regular file without following a link. Throws `not-found`, `denied`, or `source-changed` when it is written to
 * meanwhile. A file that is only unlinked stays readable to its end, and its bytes still count.
 */
export const openSource = async (path: string): Promise<Source> => {
  // O_NONBLOCK keeps a FIFO of that name from waiting for its writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const handle = await open(path, flags).catch((error: unknown) => {
    throw openTrouble(path, error)
  })
  try {
    if (!(await handle.stat()).isFile()) throw openTrouble(path, new Error('it is not a regular file'))
    const stamp = await stampOf(handle)
    const identity: FileIdentity = { ...stamp, sample: await sampleOf(handle, stamp.size) }
    const unchanged = async () => {
      const trouble = describe(path, stamp, await stampOf(handle))
      if (trouble !== undefined) throw trouble
    }
    return {
      path,
      size: stamp.size,
      identity,
      async read(into, offset, length) {
        const read = await fill(handle, into, offset, length).catch((error: unknown) => {
          throw changed(path, error instanceof Error ? error.message : String(error))
        })
        await unchanged()
        if (read < length) throw changed(path, `it ended at byte ${offset + read} where ${stamp.size} were expected`)
        return into.subarray(0, length)
      },
      async confirm() {
        await unchanged()
        const named = await stat(path, { bigint: true }).catch(() => undefined)
        if (named !== undefined && (`${named.dev}` !== stamp.dev || `${named.ino}` !== stamp.ino)) {
          throw changed(path, 'another file has taken its name')
        }
        if ((await sampleOf(handle, stamp.size)) !== identity.sample) throw changed(path, 'its content changed')
      },
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}
