/** What the format verifiers say of stored files. */
import { crc32 } from 'node:zlib'
import { ifTrouble, NotApplicable } from '../errors.ts'
import type { Reference } from '../formats/format.ts'
import type { Judged } from '../formats/index.ts'
import { unsafeBecause } from '../stores/path.ts'
import { readExactly } from '../stores/read-exactly.ts'
import type { Store, StoredFile } from '../stores/store.ts'
import { ownFolder } from '../transfer/manifest.ts'
import { bytes, count } from '../words.ts'
import {
  contents,
  type Depth,
  depth,
  folderParts,
  formatNames,
  listing,
  type Structures,
  store,
  structures,
} from './declarations.ts'
import type { Needed } from './needed.ts'
import { type Opening, opener } from './opener.ts'
import { sideBySide, tally } from './side-by-side.ts'

export const formatNamesOpener = opener(formatNames, async () => {
  const { formatOfName } = await import('../formats/index.ts')
  return { value: (path: string) => formatOfName(path) }
})

/** True for the share of files that `sample` reads whole: the same ones each time, as long as they do not change. */
const isSampled = ({ path, etag, size }: StoredFile, share: number): boolean =>
  crc32(`${path}\n${etag ?? size}`) / 2 ** 32 < share

/** Whether the whole of a file is read. */
export const isReadWhole = (wanted: Depth, file: StoredFile): boolean =>
  wanted.kind === 'full' || (wanted.kind === 'sample' && isSampled(file, wanted.share))

/** Why no content is read at this depth; undefined where it is. */
export const unread = ({ kind }: Depth): string | undefined =>
  kind === 'names' || kind === 'sizes' ? `--depth ${kind} reads no file` : undefined

/** References of one file that are followed: the weights of the largest models lie in a few hundred shards. */
const mostReferences = 10_000

/** More files than this that nothing shows to be whole say nothing about any one of them. */
const mostUnproved = 100

/** The path below the target's root that a file refers to. */
const pathOf = (from: string, { path }: Reference): string =>
  `${from.slice(0, from.lastIndexOf('/') + 1)}${path.replace(/^(\.\/)+/, '')}`

export const structuresOpener = opener(structures, async ({ open, signal, progress }: Opening<Needed>) => {
  const wanted = await open(depth)
  const why = unread(wanted)
  if (why !== undefined) throw new NotApplicable(why)
  const { judge } = await import('../formats/index.ts')
  const opened = await open(store)
  const { files, partial } = await open(listing)
  // What a comparison proved byte for byte is not read a second time.
  const proved = (await open(contents).catch(ifTrouble))?.proved

  const counts = { files: 0, reads: 0, bytes: 0 }
  const doubtful: Structures['doubtful'][number][] = []
  const refers: Structures['refers'][number][] = []
  const zeroed: Structures['doubtful'][number][] = []
  const untold = tally()
  const unproved = new Set<string>()
  let many = false
  const note = ({ path, size }: StoredFile, judged: Judged) => {
    const { judgement, format, because, expected, zeros } = judged
    counts.reads += judged.spent.reads
    if (judgement === 'complete') unproved.delete(path)
    if (judgement === 'broken' || judgement === 'suspect') {
      doubtful.push({
        path,
        size,
        judgement,
        because,
        ...(format === undefined ? {} : { format: format.title }),
        ...(expected === undefined ? {} : { expected }),
      })
    } else if (judgement === 'unknown')
      untold.add(path, format === undefined ? because : `${format.title}: ${because}`, false)
    if (zeros !== undefined) zeroed.push({ path, size, judgement: 'suspect', because: zeros })
    const all = judged.refers ?? []
    if (all.length > mostReferences) {
      untold.add(path, `it names ${all.length} files, of which the first ${mostReferences} were looked for`, false)
    }
    for (const reference of all.slice(0, mostReferences)) {
      const to = pathOf(path, reference)
      const unsafe = unsafeBecause(to)
      if (unsafe === undefined) refers.push({ ...reference, from: path, path: to })
      else untold.add(path, `it names a file that is not followed: ${unsafe}`, false)
    }
  }
  const tell = () => progress(`${counts.files} of ${count(files.size, 'file')} judged, ${bytes(counts.bytes)} read`)
  await sideBySide(files.values(), untold, signal, async (file) => {
    const { path, size } = file
    counts.files += 1
    tell()
    if (path.startsWith(ownFolder)) return
    if (unproved.size > mostUnproved) many = true
    else unproved.add(path)
    // An empty file is judged by its name alone, by a check of its own.
    if (size === 0) return
    const unsafe = unsafeBecause(path)
    if (unsafe !== undefined) return untold.add(path, `its name cannot be used: ${unsafe}`, true)
    const whole = isReadWhole(wanted, file)
    const read = async (at: number, length: number) => {
      const got = await readExactly(opened, path, at, length, signal)
      counts.bytes += got.length
      tell()
      return got
    }
    note(file, await judge({ size, read }, path, { prove: whole && proved?.has(path) !== true }))
  })
  // What no other file reads its tensors from has no reason to end in zeros; another section may hold the one that does.
  const read = new Set(refers.map(({ path }) => path))
  if (!partial) doubtful.push(...zeroed.filter(({ path }) => !read.has(path)))
  const byPath = (a: { readonly path: string }, b: { readonly path: string }) => (a.path < b.path ? -1 : 1)
  const value: Structures = {
    ...counts,
    doubtful: doubtful.sort(byPath),
    refers: partial ? await notElsewhere(refers, files, opened, signal) : refers,
    untold: untold.all,
    ...(many ? {} : { unproved: [...unproved] }),
  }
  return {
    value,
    facts: { judgedFiles: counts.files, structureReads: counts.reads, structureBytes: counts.bytes },
  }
})

/** Of what one section of a listing seems to lack, that which another section holds is left out. */
const notElsewhere = async <T extends { readonly path: string }>(
  lacking: readonly T[],
  files: ReadonlyMap<string, StoredFile>,
  from: Store,
  signal: AbortSignal,
): Promise<readonly T[]> => {
  const isThere = async (path: string): Promise<boolean> => {
    const plain = path.replace(/\/$/, '')
    if (unsafeBecause(plain) !== undefined) return false
    if ((await from.stat(plain, signal)) !== undefined) return true
    for await (const _ of from.list({ prefix: plain, signal })) return true
    return false
  }
  const left: T[] = []
  for (const each of lacking) if (files.has(each.path) || !(await isThere(each.path))) left.push(each)
  return left
}

export const folderPartsOpener = opener(folderParts, async ({ open, signal }: Opening<Needed>) => {
  const { files, partial } = await open(listing)
  const { folderFindings } = await import('../formats/folders.ts')
  const found = folderFindings(files)
  if (!partial || found.length === 0) return { value: found }
  return { value: await notElsewhere(found, files, await open(store), signal) }
})
