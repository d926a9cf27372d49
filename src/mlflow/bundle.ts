/** What lies in a model folder that is going to be uploaded, as far as a few reads of each file tell. Nothing is executed or unpickled. */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { Trouble } from '../errors.ts'
import { type PickleScan, scanPickle } from '../formats/pickle-scan.ts'
import { type ModelFile, parseModelFile } from './mlmodel.ts'

interface BundledFile {
  /** Relative to the folder. */
  readonly path: string
  /** Bytes. */
  readonly bytes: number
}

/** Files that hold the same. `link`: one file under several names. `hash`: SHA-256 of all of it. `ends`: size, first and last MiB. */
export interface Twins {
  readonly paths: readonly string[]
  /** Bytes of each. */
  readonly bytes: number
  readonly proof: 'link' | 'hash' | 'ends'
}

export interface ModelBundle {
  readonly dir: string
  readonly total: number
  readonly files: readonly BundledFile[]
  /** What the MLmodel says; undefined where none lies there that can be understood. */
  readonly model?: ModelFile
  readonly pickles: readonly (BundledFile & { readonly scan: PickleScan })[]
  readonly twins: readonly Twins[]
  /** Files that could not be read, and why. */
  readonly unread: readonly { readonly path: string; readonly why: string }[]
}

const MiB = 1024 ** 2
/** Bytes; smaller files are neither walked as pickles nor compared: what they could save, no upload would notice. */
const smallest = 1_000_000
/** Bytes; MLmodel files hold names and signatures. */
const largestModelFile = MiB
/** Bytes of each end that are compared. */
const end = MiB
/** Bytes up to which a file is compared as a whole. */
const wholeUpTo = 16 * MiB
/** Bytes that all comparing may read: half a second from a warm disk. */
const compared = 512 * MiB
/** The most pickles that are walked, largest first, each of which reads at most 64 MiB. */
const mostPickles = 4

/** @throws what the signal throws; files that cannot be read are told in `unread`. */
export const readBundle = async (
  dir: string,
  files: readonly BundledFile[],
  signal: AbortSignal,
  progress: (says: string) => void,
): Promise<ModelBundle> => {
  const unread = new Map<string, string>()
  /** Undefined where the file cannot be read, which is then noted. */
  const reading = async <T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T | undefined> => {
    signal.throwIfAborted()
    try {
      // What has become a pipe since it was planned must not hold the check up.
      const file = await open(join(dir, path), constants.O_RDONLY | constants.O_NONBLOCK)
      try {
        return await read(file)
      } finally {
        await file.close()
      }
    } catch (error) {
      if (signal.aborted || (error as NodeJS.ErrnoException).code === undefined) throw error
      unread.set(path, (error as Error).message)
      return undefined
    }
  }
  const byWeight = files.filter(({ bytes }) => bytes >= smallest).sort((a, b) => b.bytes - a.bytes)

  const pickles: (BundledFile & { scan: PickleScan })[] = []
  for (const one of byWeight.filter(({ path }) => isPickle(path)).slice(0, mostPickles)) {
    progress(`reading the opcodes of ${posix.basename(one.path)}`)
    const scan = await reading(one.path, (file) =>
      scanPickle({ size: one.bytes, read: (offset, length) => bytesAt(file, offset, length, signal) }),
    )
    if (scan) pickles.push({ ...one, scan })
  }

  const model = await modelIn(files, reading)
  progress('comparing files of the same size')
  const twins = await twinsAmong(byWeight, reading, signal)
  return {
    dir,
    total: files.reduce((sum, { bytes }) => sum + bytes, 0),
    files,
    ...(model && { model }),
    pickles,
    twins,
    unread: [...unread].map(([path, why]) => ({ path, why })),
  }
}

type Reading = <T>(path: string, read: (file: FileHandle) => Promise<T>) => Promise<T | undefined>

const isPickle = (path: string): boolean => /\.(pkl|pickle|cloudpickle)$/i.test(path)

/** Fewer than `length` only at the file's end. */
const bytesAt = async (file: FileHandle, offset: number, length: number, signal: AbortSignal): Promise<Uint8Array> => {
  signal.throwIfAborted()
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

const modelIn = async (files: readonly BundledFile[], reading: Reading): Promise<ModelFile | undefined> => {
  const found = files.find(({ path }) => path === 'MLmodel')
  if (found === undefined || found.bytes > largestModelFile) return undefined
  const text = await reading(found.path, (file) => file.readFile('utf8'))
  try {
    return text === undefined ? undefined : parseModelFile(text)
  } catch (error) {
    if (error instanceof Trouble) return undefined
    throw error
  }
}

const twinsAmong = async (
  files: readonly BundledFile[],
  reading: Reading,
  signal: AbortSignal,
): Promise<readonly Twins[]> => {
  const left = { bytes: compared }
  const found: Twins[] = []
  for (const alike of groups(files, ({ bytes }) => `${bytes}`)) {
    const [{ bytes }] = alike
    const whole = bytes <= wholeUpTo
    const cost = whole ? bytes : 2 * end
    const known: { path: string; inode: string; hash: string }[] = []
    for (const { path } of alike) {
      if (left.bytes < cost) break
      left.bytes -= cost
      const one = await reading(path, async (file) => {
        const { dev, ino } = await file.stat({ bigint: true })
        const hash = createHash('sha256').update(await bytesAt(file, 0, whole ? bytes : end, signal))
        if (!whole) hash.update(await bytesAt(file, bytes - end, end, signal))
        return { path, inode: `${dev}:${ino}`, hash: hash.digest('hex') }
      })
      if (one) known.push(one)
    }
    for (const same of groups(known, ({ hash }) => hash)) {
      const linked = same.every(({ inode }) => inode === same[0].inode)
      found.push({ paths: same.map(({ path }) => path), bytes, proof: linked ? 'link' : whole ? 'hash' : 'ends' })
    }
  }
  return found
}

/** Those of the groups that have more than one member. */
const groups = <T>(all: readonly T[], by: (one: T) => string): [T, ...T[]][] => {
  const map = new Map<string, [T, ...T[]]>()
  for (const one of all) {
    const key = by(one)
    const group = map.get(key)
    if (group) group.push(one)
    else map.set(key, [one])
  }
  return [...map.values()].filter(({ length }) => length > 1)
}
