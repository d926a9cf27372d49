/** Needs that read the content of stored files: format verifiers, checksums against the manifest or a local folder. */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { ifTrouble, NotApplicable, Trouble } from '../errors.ts'
import type { Judged } from '../formats/index.ts'
import { unsafeBecause } from '../stores/path.ts'
import type { Store, StoredFile } from '../stores/store.ts'
import { openSource } from '../transfer/identity.ts'
import {
  largestManifest,
  type Manifest,
  type ManifestFile,
  manifestPath,
  ownFolder,
  parseManifest,
} from '../transfer/manifest.ts'
import { compareByReading, compareWithLocal, type Verdict } from '../transfer/proof.ts'
import {
  type Contents,
  contents,
  type Depth,
  depth,
  formatNames,
  listing,
  localTree,
  manifest,
  type Structures,
  store,
  structures,
} from './declarations.ts'
import type { Needed } from './needed.ts'
import { type Opening, opener } from './opener.ts'

/** Files looked at side by side: a few small reads each, so that the time of an answer, not the line, decides. */
const atOnce = 8
/** Bytes of one read of a whole file. */
const pieceBytes = 4 * 1024 ** 2

/** Runs `act` for each item, `atOnce` at a time; the first failure ends it. */
const each = async <T>(items: Iterable<T>, act: (item: T) => Promise<void>): Promise<void> => {
  const iterator = items[Symbol.iterator]()
  const work = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) await act(next.value)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

export const manifestOpener = opener(manifest, async ({ open, signal }: Opening<Needed>) => {
  const { files } = await open(listing)
  const stored = files.get(manifestPath)
  if (stored === undefined) throw new NotApplicable('there is no manifest of an earlier upload or repair')
  const value = await readManifest(await open(store), stored.size, signal)
  return { value, facts: { manifestFiles: value.files.size } }
})

const readManifest = async (from: Store, size: number, signal: AbortSignal): Promise<Manifest> => {
  const useless = (malformed: string): Manifest => ({ writtenAt: 0, files: new Map(), malformed })
  if (size > largestManifest) return useless(`it has ${size} bytes, and no manifest is larger than ${largestManifest}`)
  try {
    return parseManifest(Buffer.from(await from.read(manifestPath, 0, size, signal)).toString('utf8'))
  } catch (error) {
    if (error instanceof Trouble && error.kind === 'unexpected-answer') return useless(error.why)
    throw error
  }
}

export const formatNamesOpener = opener(formatNames, async () => {
  const { formatOfName } = await import('../formats/index.ts')
  return { value: (path: string) => formatOfName(path) }
})

/** True for the share of files that `sample` reads whole: the same ones each time, as long as they do not change. */
const isSampled = ({ path, etag, size }: StoredFile, share: number): boolean =>
  crc32(`${path}\n${etag ?? size}`) / 2 ** 32 < share

/** Whether the whole of a file is read. */
const isReadWhole = (wanted: Depth, file: StoredFile): boolean =>
  wanted.kind === 'full' || (wanted.kind === 'sample' && isSampled(file, wanted.share))

/** What keeps a file from being looked at, in words for a gap; other failures are thrown on, since the next file would meet them as well. */
const unreadable = (error: unknown): { readonly because: string; readonly unexpected: boolean } => {
  if (!(error instanceof Trouble) || !['unsupported', 'denied', 'not-found'].includes(error.kind)) throw error
  if (error.kind === 'not-found') return { because: 'it has vanished since it was listed', unexpected: true }
  return { because: error.why, unexpected: error.kind === 'denied' }
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1)

export const structuresOpener = opener(structures, async ({ open, signal, progress }: Opening<Needed>) => {
  const wanted = await open(depth)
  if (wanted.kind === 'names' || wanted.kind === 'sizes') {
    throw new NotApplicable(`--depth ${wanted.kind} reads no file`)
  }
  const { judge } = await import('../formats/index.ts')
  const opened = await open(store)
  const { files, bytes: total, partial } = await open(listing)
  const [known, tree] = [await open(manifest).catch(ifTrouble), await open(localTree).catch(ifTrouble)]
  // What a checksum proves is read there, once.
  const provedElsewhere = (file: StoredFile): boolean =>
    hasDigest(known?.files.get(file.path)) || tree?.files.get(file.path)?.bytes === file.size

  const counts = { files: 0, reads: 0, bytes: 0, proved: 0 }
  const doubtful: Structures['doubtful'][number][] = []
  const refers: Structures['refers'][number][] = []
  const untold = new Map<string, { because: string; unexpected: boolean; files: number; first: string }>()
  const cannotTell = ({ path }: StoredFile, because: string, unexpected: boolean) => {
    const before = untold.get(because)
    if (before === undefined) untold.set(because, { because, unexpected, files: 1, first: path })
    else before.files += 1
  }
  const note = (file: StoredFile, judged: Judged, whole: boolean) => {
    const { judgement, format, because, expected } = judged
    counts.reads += judged.spent.reads
    counts.bytes += judged.spent.bytes
    if (judgement === 'broken' || judgement === 'suspect') {
      doubtful.push({
        path: file.path,
        size: file.size,
        judgement,
        because,
        ...(format === undefined ? {} : { format: format.title }),
        ...(expected === undefined ? {} : { expected }),
      })
    } else if (judgement === 'unknown')
      cannotTell(file, format === undefined ? because : `${format.title}: ${because}`, false)
    else if (whole && judgement === 'complete') counts.proved += 1
    for (const reference of judged.refers ?? []) {
      refers.push({ ...reference, from: file.path, path: `${folderOf(file.path)}${reference.path}` })
    }
  }
  await each(files.values(), async (file) => {
    signal.throwIfAborted()
    counts.files += 1
    progress(`${counts.files} of ${files.size} files, ${counts.bytes} of ${total} bytes read`)
    // An empty file is judged by its name alone, by a check of its own.
    if (file.size === 0 || file.path.startsWith(ownFolder)) return
    const unsafe = unsafeBecause(file.path)
    if (unsafe !== undefined) return cannotTell(file, `its name cannot be used: ${unsafe}`, true)
    const whole = isReadWhole(wanted, file)
    const source = { size: file.size, read: (at: number, length: number) => opened.read(file.path, at, length, signal) }
    try {
      note(file, await judge(source, file.path, { prove: whole && !provedElsewhere(file) }), whole)
    } catch (error) {
      const { because, unexpected } = unreadable(error)
      cannotTell(file, because, unexpected)
    }
  })
  const byPath = (a: { readonly path: string }, b: { readonly path: string }) => (a.path < b.path ? -1 : 1)
  const value: Structures = {
    ...counts,
    doubtful: doubtful.sort(byPath),
    refers: partial ? await notElsewhere(refers, files, opened, signal) : refers,
    untold: [...untold.values()],
  }
  return {
    value,
    facts: { judgedFiles: counts.files, structureReads: counts.reads, structureBytes: counts.bytes },
  }
})

/** Of what files in one section of a listing refer to, that which another section holds is left out. */
const notElsewhere = async (
  refers: Structures['refers'],
  files: ReadonlyMap<string, StoredFile>,
  from: Store,
  signal: AbortSignal,
): Promise<Structures['refers']> => {
  const isThere = async (path: string): Promise<boolean> => {
    if (unsafeBecause(path) !== undefined) return false
    if ((await from.stat(path, signal)) !== undefined) return true
    for await (const _ of from.list({ prefix: path, signal })) return true
    return false
  }
  const left: Structures['refers'][number][] = []
  for (const each of refers) if (files.has(each.path) || !(await isThere(each.path))) left.push(each)
  return left
}

const hasDigest = (file: ManifestFile | undefined): file is ManifestFile =>
  file !== undefined && (file.sha256 !== undefined || file.crc32 !== undefined)

/** Reads a stored file whole and holds it against the manifest's strongest checksum. */
const compareWithManifest = async (
  from: Store,
  { path, size }: StoredFile,
  expected: ManifestFile,
  signal: AbortSignal,
): Promise<Verdict> => {
  const hash = expected.sha256 === undefined ? undefined : createHash('sha256')
  let crc = 0
  for (let at = 0; at < size; at += pieceBytes) {
    const piece = await from.read(path, at, Math.min(pieceBytes, size - at), signal)
    if (hash === undefined) crc = crc32(piece, crc)
    else hash.update(piece)
  }
  const name = hash === undefined ? 'CRC32' : 'SHA-256'
  const equal = hash === undefined ? crc === expected.crc32 : hash.digest('hex') === expected.sha256
  if (equal) return { is: 'equal', how: `${name} in the manifest` }
  return { is: 'different', why: `its ${name} is not the one in the manifest` }
}

/** Without reading the object: by the checksum that the store itself keeps. */
const compareByProof = async (
  from: Store,
  path: string,
  expected: ManifestFile,
  signal: AbortSignal,
): Promise<Verdict> => {
  const proof = from.kind === 'folder' ? undefined : await from.proof(path, signal)
  if (proof?.crc32 === undefined || expected.crc32 === undefined) {
    return { is: 'unknown', why: 'the store keeps no CRC32 of the whole file' }
  }
  if (proof.crc32 === expected.crc32) return { is: 'equal', how: 'CRC32 that the store keeps' }
  return { is: 'different', why: 'the CRC32 that the store keeps is not the one in the manifest' }
}

const compareWithFile = async (
  from: Store,
  { path, size }: StoredFile,
  file: string,
  whole: boolean,
  signal: AbortSignal,
): Promise<Verdict> => {
  const source = await openSource(file)
  try {
    if (source.size !== size) return { is: 'unknown', why: 'the local file has changed meanwhile' }
    // A folder has no checksum but by reading it all.
    const proof = from.kind === 'folder' ? undefined : await from.proof(path, signal)
    const verdict: Verdict =
      proof === undefined
        ? { is: 'unknown', why: 'the store keeps no checksum of it' }
        : await compareWithLocal(source, proof, signal)
    return verdict.is === 'unknown' && whole ? await compareByReading(from, path, source, size, signal) : verdict
  } finally {
    await source.close()
  }
}

export const contentsOpener = opener(contents, async ({ open, signal, progress }: Opening<Needed>) => {
  const wanted = await open(depth)
  if (wanted.kind === 'names' || wanted.kind === 'sizes') {
    throw new NotApplicable(`--depth ${wanted.kind} compares no content`)
  }
  const [known, tree] = [await open(manifest).catch(ifTrouble), await open(localTree).catch(ifTrouble)]
  if ((known === undefined || known.malformed !== undefined) && tree === undefined) {
    throw new NotApplicable('neither a manifest nor a local folder says what the content should be')
  }
  const opened = await open(store)
  const { files } = await open(listing)
  const different: Contents['different'][number][] = []
  const untold = new Map<string, { because: string; files: number; first: string }>()
  let equal = 0
  let looked = 0
  await each(files.values(), async (file) => {
    signal.throwIfAborted()
    looked += 1
    if (unsafeBecause(file.path) !== undefined) return
    const local = tree?.files.get(file.path)
    const noted = known?.files.get(file.path)
    const whole = isReadWhole(wanted, file)
    progress(`${looked} of ${files.size} contents`)
    const compare = async (): Promise<[Verdict, Contents['different'][number]['with']] | undefined> => {
      // A file of another size is told as such, by another check.
      if (local?.bytes === file.size) return [await compareWithFile(opened, file, local.file, whole, signal), 'folder']
      if (!hasDigest(noted) || noted.size !== file.size) return undefined
      const verdict = await compareByProof(opened, file.path, noted, signal)
      if (verdict.is !== 'unknown' || !whole) return [verdict, 'manifest']
      return [await compareWithManifest(opened, file, noted, signal), 'manifest']
    }
    try {
      const [verdict, against] = (await compare()) ?? []
      if (verdict === undefined || against === undefined) return
      if (verdict.is === 'equal') equal += 1
      else if (verdict.is === 'different') {
        const modified = file.modified === undefined ? {} : { modified: file.modified }
        different.push({ path: file.path, because: verdict.why, with: against, ...modified })
      } else note(verdict.why, file.path)
    } catch (error) {
      note(unreadable(error).because, file.path)
    }
  })
  function note(because: string, path: string) {
    const before = untold.get(because)
    if (before === undefined) untold.set(because, { because, files: 1, first: path })
    else before.files += 1
  }
  const value: Contents = { equal, different, untold: [...untold.values()] }
  return { value, facts: { comparedFiles: equal + different.length } }
})
