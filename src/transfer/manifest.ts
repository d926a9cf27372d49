import { Trouble } from '../errors.ts'

/** What an upload or a repair of this tool wrote down after it had verified every file: sizes and checksums, by path below the artifact root. */
export interface Manifest {
  /** Milliseconds since the epoch, by the clock of the machine that wrote it. */
  readonly writtenAt: number
  readonly files: ReadonlyMap<string, ManifestFile>
  /** Why what is stored under the manifest's name cannot be used; `files` is empty then. */
  readonly malformed?: string
  /** It may be in order, and could not be read; `malformed` says why. */
  readonly unread?: true
}

export interface ManifestFile {
  /** Bytes. */
  readonly size: number
  /** CRC32 (ISO-HDLC, as `zlib.crc32`) of the whole file. */
  readonly crc32?: number
  /** CRC-32C of the whole file, where it is the one that the store keeps (Google Cloud Storage). */
  readonly crc32c?: number
  /** Lower-case hex. */
  readonly sha256?: string
}

/** Whether the manifest holds a checksum of the file. */
export const hasDigest = (file: ManifestFile | undefined): file is ManifestFile =>
  file !== undefined && (file.sha256 !== undefined || file.crc32 !== undefined)

/** All that this tool ever stores beside a user's files lies below this folder. */
export const ownFolder = '.mlflow-doctor/'
export const manifestPath = `${ownFolder}manifest.json`

/** Bytes; 100,000 files with SHA-256 take some 16 MB. */
export const largestManifest = 64 * 1024 ** 2
const version = 1

/** Which checksums a manifest is written with; a CRC32 is known from sending, a SHA-256 costs one more read of each file. */
export const manifestKinds = ['crc32', 'sha256', 'none'] as const
export type ManifestKind = (typeof manifestKinds)[number]

const hex32 = (sum: number): string => sum.toString(16).padStart(8, '0')
const in32 = (text: unknown): number | undefined =>
  typeof text === 'string' && /^[0-9a-f]{8}$/.test(text) ? Number.parseInt(text, 16) : undefined

/** The text that `parseManifest` reads: the same files give the same text, whatever the order. */
export const manifestText = ({ writtenAt, files }: Pick<Manifest, 'writtenAt' | 'files'>): string => {
  const sorted = [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const entries = sorted.map(([path, { size, crc32, crc32c, sha256 }]) => [
    path,
    {
      size,
      ...(crc32 === undefined ? {} : { crc32: hex32(crc32) }),
      ...(crc32c === undefined ? {} : { crc32c: hex32(crc32c) }),
      ...(sha256 === undefined ? {} : { sha256 }),
    },
  ])
  const root = { version, writtenAt: new Date(writtenAt).toISOString(), files: Object.fromEntries(entries) }
  return `${JSON.stringify(root, undefined, 1)}\n`
}

const malformed = (why: string): Trouble =>
  new Trouble({
    kind: 'unexpected-answer',
    what: `cannot use ${manifestPath}`,
    why,
    todo: 'Repair the target again to have it written anew',
  })

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const fileOf = (value: unknown): ManifestFile | undefined => {
  if (!isObject(value)) return undefined
  const { size, sha256 } = value
  const [crc32, crc32c] = [in32(value.crc32), in32(value.crc32c)]
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined
  return {
    size,
    ...(crc32 === undefined ? {} : { crc32 }),
    ...(crc32c === undefined ? {} : { crc32c }),
    ...(typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256) ? { sha256 } : {}),
  }
}

/** The text is as hostile as any other file of the store. @throws Trouble `unexpected-answer` where it is no manifest of a version that this tool knows */
export const parseManifest = (text: string): Manifest => {
  let root: unknown
  try {
    root = JSON.parse(text)
  } catch {
    throw malformed('it is not JSON, so it is damaged')
  }
  if (!isObject(root) || !isObject(root.files)) throw malformed('it lists no files')
  if (root.version !== version) throw malformed(`its version is not ${version}, the one that this tool knows`)
  const writtenAt = typeof root.writtenAt === 'string' ? Date.parse(root.writtenAt) : Number.NaN
  if (Number.isNaN(writtenAt)) throw malformed('it does not say when it was written')
  const files = new Map<string, ManifestFile>()
  for (const [path, entry] of Object.entries(root.files)) {
    const file = fileOf(entry)
    if (file === undefined) throw malformed(`its entry for ${JSON.stringify(path.slice(0, 200))} has no size`)
    files.set(path, file)
  }
  return { writtenAt, files }
}
