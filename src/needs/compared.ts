/** What stored files hold, against the manifest of an earlier upload and against a local folder. */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { ifTrouble, NotApplicable } from '../errors.ts'
import { unsafeBecause } from '../stores/path.ts'
import { readExactly } from '../stores/read-exactly.ts'
import type { Store, StoredFile } from '../stores/store.ts'
import { openSource } from '../transfer/identity.ts'
import { hasDigest, type ManifestFile, manifestPath } from '../transfer/manifest.ts'
import { compareByReading, compareWithLocal, type Verdict } from '../transfer/proof.ts'
import { readManifest } from '../transfer/stored-manifest.ts'
import { count } from '../words.ts'
import { type Contents, contents, depth, listing, localTree, manifest, store } from './declarations.ts'
import { isReadWhole, unread } from './judged.ts'
import type { Needed } from './needed.ts'
import { type Opening, opener } from './opener.ts'
import { sideBySide, tally } from './side-by-side.ts'

/** Bytes of one read of a whole file. */
const pieceBytes = 4 * 1024 ** 2

export const manifestOpener = opener(manifest, async ({ open, signal }: Opening<Needed>) => {
  const { files } = await open(listing)
  const stored = files.get(manifestPath)
  if (stored === undefined) throw new NotApplicable('there is no manifest of an earlier upload or repair')
  const value = await readManifest(await open(store), stored.size, signal)
  return { value, facts: { manifestFiles: value.files.size } }
})

/** Reads a stored file whole and holds it against the manifest's strongest checksum. */
const compareWithManifest = async (
  from: Store,
  { path, size }: StoredFile,
  expected: ManifestFile,
  signal: AbortSignal,
  alive: () => void,
): Promise<Verdict> => {
  const hash = expected.sha256 === undefined ? undefined : createHash('sha256')
  let crc = 0
  for (let at = 0; at < size; at += pieceBytes) {
    const piece = await readExactly(from, path, at, Math.min(pieceBytes, size - at), signal)
    if (hash === undefined) crc = crc32(piece, crc)
    else hash.update(piece)
    alive()
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
  for (const [name, kept, noted] of [
    ['CRC32', proof?.crc32, expected.crc32],
    ['CRC-32C', proof?.crc32c, expected.crc32c],
  ] as const) {
    if (kept === undefined || noted === undefined) continue
    if (kept === noted) return { is: 'equal', how: `${name} that the store keeps` }
    return { is: 'different', why: `the ${name} that the store keeps is not the one in the manifest` }
  }
  return { is: 'unknown', why: 'the store keeps no checksum of the whole file that the manifest has, too' }
}

/** A read that is cut short is no difference. */
const exact = (from: Store): Store => ({ ...from, read: (...of) => readExactly(from, ...of) })

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
    return verdict.is === 'unknown' && whole ? await compareByReading(exact(from), path, source, size, signal) : verdict
  } finally {
    await source.close()
  }
}

export const contentsOpener = opener(contents, async ({ open, signal, progress }: Opening<Needed>) => {
  const wanted = await open(depth)
  const none = unread(wanted)
  if (none !== undefined) throw new NotApplicable(none)
  const [known, tree] = [await open(manifest).catch(ifTrouble), await open(localTree).catch(ifTrouble)]
  if ((known === undefined || known.malformed !== undefined) && tree === undefined) {
    throw new NotApplicable('neither a manifest nor a local folder says what the content should be')
  }
  const opened = await open(store)
  const { files } = await open(listing)
  const different: Contents['different'][number][] = []
  const untold = tally()
  const proved = new Set<string>()
  let looked = 0
  await sideBySide(files.values(), untold, signal, async (file) => {
    looked += 1
    const tell = () => progress(`${looked} of ${count(files.size, 'file')} compared`)
    tell()
    const { path, size } = file
    if (unsafeBecause(path) !== undefined) return
    const local = tree?.files.get(path)
    const noted = known?.files.get(path)
    const whole = isReadWhole(wanted, file)
    const compare = async (): Promise<[Verdict, Contents['different'][number]['with']] | undefined> => {
      // A file of another size is told as such, by another check.
      if (local?.bytes === size) return [await compareWithFile(opened, file, local.file, whole, signal), 'folder']
      if (!hasDigest(noted) || noted.size !== size) return undefined
      const verdict = await compareByProof(opened, path, noted, signal)
      if (verdict.is !== 'unknown' || !whole) return [verdict, 'manifest']
      return [await compareWithManifest(opened, file, noted, signal, tell), 'manifest']
    }
    const [verdict, against] = (await compare()) ?? []
    if (verdict === undefined || against === undefined) return
    if (verdict.is === 'equal') proved.add(path)
    else if (verdict.is === 'unknown') untold.add(path, verdict.why, false)
    else {
      const modified = file.modified === undefined ? {} : { modified: file.modified }
      different.push({ path, because: verdict.why, with: against, ...modified })
    }
  })
  const value: Contents = { proved, different, untold: untold.all }
  return { value, facts: { comparedFiles: proved.size + different.length } }
})
