import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Trouble } from '../errors.ts'
import type { StepState } from '../report.ts'
import type { Store, StoredFile } from '../stores/store.ts'
import { digestRange, scratch, sha256Of } from '../transfer/digest.ts'
import { transferFile } from '../transfer/engine.ts'
import { openSource } from '../transfer/identity.ts'
import { type ManifestFile, manifestPath, manifestText } from '../transfer/manifest.ts'
import type { Sender } from '../transfer/sender.ts'
import { readManifest } from '../transfer/stored-manifest.ts'
import { temporaryFolder } from '../transfer/temporary.ts'
import { count } from '../words.ts'
import type { Applying, Place } from './types.ts'

/** A stored file whose content was proved in this run. */
export interface Proved {
  /** The local file that it equals. */
  readonly file: string
  /** Bytes. */
  readonly size: number
  /** Known where it was sent, or where the store keeps it. */
  readonly crc32: number | undefined
}

type Ending = { readonly state: StepState; readonly sent?: number; readonly bytes?: number; readonly because: string }

const entryOf = async (
  { file, size, crc32 }: Proved,
  { manifest, signal }: Pick<Applying, 'manifest' | 'signal'>,
): Promise<ManifestFile> => {
  const hashed = manifest === 'sha256'
  if (crc32 !== undefined && !hashed) return { size, crc32 }
  const source = await openSource(file)
  try {
    const how = { md5: false, buffer: scratch(), signal }
    const known = crc32 ?? (await digestRange(source, { offset: 0, length: size }, how)).crc32
    return { size, crc32: known, ...(hashed ? { sha256: await sha256Of(source, signal) } : {}) }
  } finally {
    await source.close()
  }
}

/** Google keeps the CRC-32C of an object and no CRC32: noted, a later scan compares it without reading a byte. */
const keptSum = async (
  store: Store,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Pick<ManifestFile, 'crc32c'>> => {
  const sum = store.kind === 'gcs' ? (await store.proof(path, signal))?.crc32c : undefined
  return sum === undefined ? {} : { crc32c: sum }
}

/** Of the manifest that is there, the entries that still hold: of files that have kept their size and were not written since. */
const kept = async (
  store: Store,
  there: StoredFile | undefined,
  proved: ReadonlyMap<string, Proved>,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, ManifestFile>> => {
  const held = new Map<string, ManifestFile>()
  if (there === undefined) return held
  const old = await readManifest(store, there.size, signal)
  if (old.unread) {
    const why = old.malformed ?? 'it gave no answer'
    const todo = 'Run the same command again once it can be read'
    throw new Trouble({ kind: 'unavailable', what: `cannot read ${manifestPath}`, why, todo })
  }
  if ([...old.files.keys()].every((path) => proved.has(path))) return held
  for await (const { path, size, modified } of store.list(signal === undefined ? {} : { signal })) {
    const entry = old.files.get(path)
    if (entry === undefined || proved.has(path) || entry.size !== size) continue
    if (modified === undefined || modified <= old.writtenAt) held.set(path, entry)
  }
  return held
}

/**
 * Stores the checksums of all files that were proved in this run beside them, with those entries of an older manifest that
 * still hold. Sizes alone are never written down: a damaged file would pass for whole ever after.
 */
export const writeManifest = async (
  { store }: Place,
  proved: ReadonlyMap<string, Proved>,
  applying: Applying,
  sender: Sender,
): Promise<Ending> => {
  const { signal, journalDir, memoryBytes, concurrency, patience } = applying
  const there = await store.stat(manifestPath, signal)
  const files = new Map(await kept(store, there, proved, signal))
  for (const [path, file] of proved)
    files.set(path, { ...(await entryOf(file, applying)), ...(await keptSum(store, path, signal)) })
  // By the store's clock, by which it is compared with the files.
  const writtenAt = Math.max((await store.now(signal).catch(() => undefined)) ?? 0, Date.now())
  const temporary = await temporaryFolder(journalDir)
  const source = join(temporary.dir, 'manifest.json')
  try {
    await writeFile(source, manifestText({ writtenAt, files }), { mode: 0o600, flag: 'wx' })
    const { sent, size, verified, how } = await transferFile({
      ...{ source, store, path: manifestPath, journalDir, memoryBytes, concurrency, sender },
      ...{ adopt: false, settleMs: 0, ifAbsent: there === undefined },
      ...(there === undefined ? {} : { replaces: there }),
      ...(patience === undefined ? {} : { patience }),
      ...(signal === undefined ? {} : { signal }),
    })
    const because = `checksums of ${count(files.size, 'file')}; ${how}`
    return { state: verified ? 'verified' : 'unverified', sent, bytes: size, because }
  } finally {
    await temporary.remove()
  }
}
