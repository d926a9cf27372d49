/** Uploads that were begun and neither completed nor aborted. */
import type { Gap } from '../check.ts'
import { ifTrouble, Trouble } from '../errors.ts'
import { lastSign, timesOf } from '../stores/age.ts'
import { unsafeBecause } from '../stores/path.ts'
import type { Store, UnfinishedUpload } from '../stores/store.ts'
import { count } from '../words.ts'
import {
  listing,
  localTree,
  manifest,
  modelFiles,
  type PlacedModel,
  store,
  structures,
  target,
  type UnfinishedUploads,
  unfinishedUploads,
} from './declarations.ts'
import { each } from './each.ts'
import type { Needed } from './needed.ts'
import { type Opening, opener } from './opener.ts'

/** More exact-key requests than this would make a scan of a large folder slow (one request each). */
const mostKeys = 1000
/** Likewise of stored objects that look whole: rarely does anything lie over one. */
const mostStored = 200

type Told = UnfinishedUploads['uploads'][number]

export const unfinishedUploadsOpener = opener(
  unfinishedUploads,
  async ({ open, signal, progress }: Opening<Needed>) => {
    const at = await open(target)
    const opened = await open(store)
    const gaps: Omit<Gap, 'kind'>[] = []
    const cannotSee = (because: string, unexpected: boolean) => {
      if (gaps.some((gap) => gap.because === because)) return
      gaps.push({ at: at.name, cannot: 'see', because, unexpected })
    }
    const refused = (error: unknown, what: string) => {
      if (!(error instanceof Trouble)) throw error
      cannotSee(`${what}: ${error.why}`, error.kind !== 'unsupported')
    }
    const now = await opened.now(signal)
    const found = new Map<string, UnfinishedUpload>()
    const gather = async (path?: string) => {
      for await (const upload of opened.unfinished({ ...(path === undefined ? {} : { path }), signal })) {
        found.set(`${upload.path}\n${upload.id}`, upload)
        progress(`${count(found.size, 'unfinished upload')} listed`)
      }
    }
    try {
      await gather()
      const habit = found.size > 0 && opened.listsUploads?.() === 'unknown' ? 'all' : opened.listsUploads?.()
      const expected = await expectedKeys(open)
      const asked = expected.slice(0, mostKeys)
      // Beside what is to be expected, an upload over a stored object that is whole.
      const stored = habit === 'of-new-objects' ? await storedBeside(open, expected) : []
      await each([...asked, ...stored.slice(0, mostStored)], async (path) => {
        signal.throwIfAborted()
        await gather(path)
      })
      if (habit === 'by-key' || habit === 'unknown') cannotSee(byKeyOnly(habit, asked.length), false)
      if (expected.length > mostKeys) {
        cannotSee(
          `of ${expected.length} expected keys that are not stored whole, ${mostKeys} were asked for by name`,
          false,
        )
      }
      if (stored.length > mostStored) {
        cannotSee(
          `this store lists uploads of objects that do not exist yet; over those that are stored, ${mostStored} of ${stored.length} were asked for one`,
          false,
        )
      }
    } catch (error) {
      refused(error, 'unfinished uploads could not be listed')
    }
    const uploads: Told[] = []
    await each(found.values(), async (upload) => {
      signal.throwIfAborted()
      try {
        const told = await partsTold(opened, upload, signal)
        if (told !== undefined) uploads.push(told)
      } catch (error) {
        refused(error, 'the parts of an unfinished upload could not be listed')
        uploads.push(told(upload))
      }
      progress(`the parts of ${uploads.length} of ${count(found.size, 'unfinished upload')}`)
    })
    uploads.sort((a, b) => (a.path === b.path ? (a.id < b.id ? -1 : 1) : a.path < b.path ? -1 : 1))
    const value: UnfinishedUploads = { uploads, gaps, ...(now === undefined ? {} : { now }) }
    const unfinishedBytes = uploads.reduce((sum, { stored = 0 }) => sum + stored, 0)
    return { value, facts: { unfinished: uploads.length, unfinishedBytes } }
  },
)

const told = ({ path, id, initiated, initiator }: UnfinishedUpload): Told => ({
  path,
  id,
  ...(initiated === undefined ? {} : { initiated }),
  ...(initiator === undefined ? {} : { initiator }),
})

/** Undefined for an upload that was completed or aborted since it was listed. */
const partsTold = async (from: Store, upload: UnfinishedUpload, signal: AbortSignal): Promise<Told | undefined> => {
  try {
    const parts = await from.partsOf(upload, signal)
    const sign = lastSign(timesOf(upload, parts))
    return {
      ...told(upload),
      parts: parts.length,
      stored: parts.reduce((sum, part) => sum + part.size, 0),
      ...(sign === undefined ? {} : { lastSign: sign }),
    }
  } catch (error) {
    if (error instanceof Trouble && error.kind === 'not-found') return undefined
    throw error
  }
}

const byKeyOnly = (habit: 'by-key' | 'unknown', asked: number): string => {
  const store =
    habit === 'by-key'
      ? 'this store lists an unfinished upload only by its exact key'
      : 'this store may list an unfinished upload only by its exact key, as MinIO does'
  return `${store}: ${asked === 0 ? 'no key is expected and not stored whole, so none was' : `${count(asked, 'key')} that ${asked === 1 ? 'is' : 'are'} expected and not stored whole ${asked === 1 ? 'was' : 'were'}`} asked for by name; uploads of other keys cannot be seen`
}

/**
 * Keys that should be stored and are not, or not whole. Some stores (MinIO) answer only for an exact key, so each of these is
 * asked for by name, whatever the store is.
 */
const expectedKeys = async (open: Opening<Needed>['open']): Promise<string[]> => {
  const { files } = await open(listing)
  const keys = new Set<string>()
  const expect = (path: string, size?: number) => {
    const stored = files.get(path)
    if (stored === undefined || (size !== undefined && stored.size !== size)) keys.add(path)
  }
  if ((await open(target)).kind === 'model') expect('MLmodel')
  for (const { folder, content } of await open(modelFiles)) {
    if ('malformed' in content) continue
    const short = isShort(files, folder, content)
    for (const { path } of content.refers) {
      if (short) keys.add(`${folder}${path}`)
      else expect(`${folder}${path}`)
    }
  }
  for (const [path, { bytes }] of (await open(localTree).catch(ifTrouble))?.files ?? []) expect(path, bytes)
  for (const [path, { size }] of (await open(manifest).catch(ifTrouble))?.files ?? []) expect(path, size)
  for (const { path } of (await open(structures).catch(ifTrouble))?.refers ?? []) expect(path)
  return [...keys].filter((key) => unsafeBecause(key) === undefined)
}

const storedBeside = async (open: Opening<Needed>['open'], expected: readonly string[]): Promise<string[]> => {
  const known = new Set(expected)
  const { files } = await open(listing)
  return [...files.keys()].filter((path) => !known.has(path) && unsafeBecause(path) === undefined)
}

/** Whether fewer bytes lie in a model's folder than MLmodel counted; MLmodel itself and the files beside it only add to them. */
const isShort = (
  files: ReadonlyMap<string, { readonly size: number }>,
  folder: string,
  { modelSize }: Exclude<PlacedModel['content'], { malformed: string }>,
): boolean => {
  if (modelSize === undefined) return false
  let stored = 0
  for (const [path, { size }] of files) if (path.startsWith(folder)) stored += size
  return stored < modelSize
}
