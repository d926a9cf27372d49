/** Needs that the artifact store answers. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Gap } from '../check.ts'
import { NotApplicable, Trouble } from '../errors.ts'
import { parseModelFile } from '../mlflow/mlmodel.ts'
import { lastSign, timesOf } from '../stores/age.ts'
import { openStore } from '../stores/index.ts'
import { unsafeBecause } from '../stores/path.ts'
import type { Store, StoredFile } from '../stores/store.ts'
import { openTree } from '../transfer/source.ts'
import {
  type Listing,
  listing,
  localTree,
  modelFiles,
  type PlacedModel,
  settings,
  store,
  target,
  tracking,
  type UnfinishedUploads,
  unfinishedUploads,
} from './declarations.ts'
import type { Needed } from './needed.ts'
import { type Opening, opener } from './opener.ts'

export const storeOpener = opener(store, async ({ context, open, signal }: Opening<Needed>) => {
  const at = await open(target)
  // A bare store URI needs no tracking store; everything proxied does.
  const tracked =
    at.kind === 'uri' && !at.artifactUri.startsWith('mlflow-artifacts:') ? undefined : await open(tracking)
  const value = await openStore(at, await open(settings), tracked, {
    env: context.host.env,
    cwd: context.host.cwd,
    signal,
  })
  return { value, facts: { storeUri: value.uri, reached: value.reached }, close: () => value.close() }
})

export const listingOpener = opener(listing, async ({ context, open, signal, progress }: Opening<Needed>) => {
  const opened = await open(store)
  const files = new Map<string, StoredFile>()
  let bytes = 0
  for await (const file of opened.list({ signal })) {
    files.set(file.path, file)
    bytes += file.size
    if (files.size % 1000 === 0) progress(`${files.size} objects listed`)
  }
  if (files.size === 0 && context.localDir === undefined && (await open(target)).kind === 'uri') {
    await requireSomething(opened, signal)
  }
  const value: Listing = { files, bytes }
  return { value, facts: { objects: files.size, stored: bytes } }
})

/**
 * An address that a user typed, and below which nothing is, must not pass for a healthy store: most often it is mistyped.
 * A folder that is there may be empty. Throws `Trouble` (`not-found`).
 */
const requireSomething = async (opened: Store, signal: AbortSignal): Promise<void> => {
  if (opened.kind === 'folder' && existsSync(fileURLToPath(opened.uri))) return
  try {
    // An upload that was begun here shows that the address is right, though nothing was completed.
    for await (const _ of opened.unfinished({ signal })) return
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
  }
  throw new Trouble({
    kind: 'not-found',
    what: `cannot find artifacts at ${opened.uri}`,
    why: opened.kind === 'folder' ? 'there is no such folder on this machine' : 'nothing is stored below this address',
    todo: 'Correct the address, or name the run or model that the artifacts belong to',
  })
}

/** An MLmodel is a page of text; whatever is larger is not one (1 MiB, the cap of the parser). */
const largestModelFile = 1024 * 1024

export const modelFilesOpener = opener(modelFiles, async ({ open, signal }: Opening<Needed>) => {
  const { files } = await open(listing)
  const opened = await open(store)
  const value: PlacedModel[] = []
  for (const { path, size } of files.values()) {
    if (path !== 'MLmodel' && !path.endsWith('/MLmodel')) continue
    const refused = unsafeBecause(path)
    const content = refused === undefined ? await readModelFile(opened, path, size, signal) : { malformed: refused }
    value.push({ folder: path.slice(0, -'MLmodel'.length), content })
  }
  return { value, facts: { models: value.length } }
})

const readModelFile = async (
  from: Store,
  path: string,
  size: number,
  signal: AbortSignal,
): Promise<PlacedModel['content']> => {
  if (size > largestModelFile)
    return { malformed: `it has ${size} bytes, and no MLmodel is larger than ${largestModelFile}` }
  if (size === 0) return { malformed: 'it is empty' }
  const text = Buffer.from(await from.read(path, 0, size, signal)).toString('utf8')
  try {
    return parseModelFile(text)
  } catch (error) {
    if (error instanceof Trouble) return { malformed: error.why }
    throw error
  }
}

export const localTreeOpener = opener(localTree, async ({ context, open }: Opening<Needed>) => {
  if (context.localDir === undefined) throw new NotApplicable('no local folder was given')
  const value = await openTree(context.localDir, await open(target))
  return { value, facts: { localFiles: value.files.size } }
})

export const unfinishedUploadsOpener = opener(
  unfinishedUploads,
  async ({ open, signal, progress }: Opening<Needed>) => {
    const at = await open(target)
    const opened = await open(store)
    const gaps: Omit<Gap, 'kind'>[] = []
    const uploads = new Map<string, UnfinishedUploads['uploads'][number]>()
    const now = await opened.now(signal)
    const refused = (error: unknown, what: string) => {
      if (!(error instanceof Trouble)) throw error
      const because = `${what}: ${error.why}`
      if (!gaps.some((gap) => gap.because === because)) {
        gaps.push({ at: at.name, cannot: 'see', because, unexpected: error.kind !== 'unsupported' })
      }
    }
    const gather = async (path?: string) => {
      for await (const upload of opened.unfinished({ ...(path === undefined ? {} : { path }), signal })) {
        const key = `${upload.path}\n${upload.id}`
        if (uploads.has(key)) continue
        progress(`${uploads.size + 1} unfinished uploads`)
        const { path: place, id } = upload
        try {
          const parts = await opened.partsOf(upload, signal)
          const sign = lastSign(timesOf(upload, parts))
          uploads.set(key, {
            path: place,
            id,
            parts: parts.length,
            stored: parts.reduce((sum, part) => sum + part.size, 0),
            ...(sign === undefined ? {} : { lastSign: sign }),
          })
        } catch (error) {
          refused(error, 'the parts of an unfinished upload could not be listed')
          uploads.set(key, { path: place, id })
        }
      }
    }
    try {
      await gather()
      // Some stores (MinIO) answer only for an exact key, so every key that is expected and not whole is asked for by name.
      const expected = await expectedKeys(open)
      for (const path of expected.slice(0, mostKeys)) await gather(path)
      if (expected.length > mostKeys) {
        const because = `of ${expected.length} expected keys that are not stored, ${mostKeys} were asked for by name`
        gaps.push({ at: at.name, cannot: 'see', because, unexpected: false })
      }
    } catch (error) {
      refused(error, 'unfinished uploads could not be listed')
    }
    const value: UnfinishedUploads = { uploads: [...uploads.values()], gaps, ...(now === undefined ? {} : { now }) }
    return { value, facts: { unfinished: value.uploads.length } }
  },
)

/** More exact-key requests than this would make a scan of a large folder slow (one request each). */
const mostKeys = 1000

const expectedKeys = async (open: Opening<Needed>['open']): Promise<string[]> => {
  const { files } = await open(listing)
  const keys = new Set<string>()
  for (const { folder, content } of await open(modelFiles)) {
    if (!('malformed' in content)) for (const { path } of content.refers) keys.add(`${folder}${path}`)
  }
  const tree = await open(localTree).catch((error: unknown) => {
    if (error instanceof NotApplicable || error instanceof Trouble) return undefined
    throw error
  })
  for (const path of tree?.files.keys() ?? []) keys.add(path)
  return [...keys].filter((key) => !files.has(key) && unsafeBecause(key) === undefined)
}
