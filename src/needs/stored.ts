/** Needs that the artifact store answers. */
import { statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ifTrouble, NotApplicable, Trouble } from '../errors.ts'
import { parseModelFile } from '../mlflow/mlmodel.ts'
import type { Target } from '../mlflow/types.ts'
import { openStore } from '../stores/index.ts'
import { unsafeBecause } from '../stores/path.ts'
import { readExactly } from '../stores/read-exactly.ts'
import type { Store, StoredFile } from '../stores/store.ts'
import type { FoundFolder } from '../transfer/found-folders.ts'
import { openTree } from '../transfer/source.ts'
import { count } from '../words.ts'
import {
  type Listing,
  type LocalTree,
  listing,
  localTree,
  modelFiles,
  type PlacedModel,
  settings,
  store,
  target,
  tracking,
} from './declarations.ts'
import type { Needed } from './needed.ts'
import { type Opening, opener } from './opener.ts'

export const storeOpener = opener(store, async ({ context, open, signal }: Opening<Needed>) => {
  const at = await open(target)
  if (at.sourceGone !== undefined && /^(?:models|runs):/.test(at.artifactUri)) throw new NotApplicable(at.sourceGone)
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
  const { kind, version } = await open(target)
  // What a version points at was not typed; a check of its own says that nothing is there.
  if (files.size === 0 && context.localDir === undefined && kind === 'uri' && version === undefined) {
    await requireSomething(opened, signal)
  }
  const passedOver = opened.passedOver?.() ?? []
  const value: Listing = { files, bytes, ...(passedOver.length > 0 && { passedOver }) }
  return { value, facts: { objects: files.size, stored: bytes } }
})

/**
 * An address that a user typed, and below which nothing is, must not pass for a healthy store: most often it is mistyped.
 * A folder that is there may be empty. Throws `Trouble` (`not-found`).
 */
const requireSomething = async (opened: Store, signal: AbortSignal): Promise<void> => {
  const there = opened.kind === 'folder' ? statSync(fileURLToPath(opened.uri), { throwIfNoEntry: false }) : undefined
  if (there?.isDirectory() === true) return
  try {
    // An upload that was begun here shows that the address is right, though nothing was completed.
    for await (const _ of opened.unfinished({ signal })) return
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
  }
  throw new Trouble({
    kind: 'not-found',
    what: `cannot find artifacts at ${opened.uri}`,
    why:
      there !== undefined
        ? 'it is not a folder'
        : opened.kind === 'folder'
          ? 'there is no such folder on this machine'
          : 'nothing is stored below this address',
    todo:
      there !== undefined
        ? 'Name the folder that it is in'
        : 'Correct the address, or name the run or model that the artifacts belong to',
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
  const text = Buffer.from(await readExactly(from, path, 0, size, signal)).toString('utf8')
  try {
    return parseModelFile(text)
  } catch (error) {
    if (error instanceof Trouble) return { malformed: error.why }
    throw error
  }
}

export const localTreeOpener = opener(localTree, async ({ context, open }: Opening<Needed>) => {
  const at = await open(target)
  const value =
    context.localDir === undefined
      ? await foundTree(at, (await context.found?.()) ?? [])
      : await openTree(context.localDir, at)
  return { value, facts: { localFiles: value.files.size } }
})

/** The first of the folders that shows by its own MLmodel that it is this target's. Throws `NotApplicable`. */
const foundTree = async (at: Target, folders: readonly FoundFolder[]): Promise<LocalTree> => {
  if (at.model !== undefined || at.kind === 'run') {
    for (const { dir, origin } of folders) {
      const tree = await openTree(dir, at).catch(ifTrouble)
      // Only an MLmodel says whose a folder is that nobody named.
      if (tree?.files.has('MLmodel')) return { ...tree, origin }
    }
  }
  const looked =
    folders.length === 0
      ? ''
      : `, and none of ${count(folders.length, 'model folder')} kept by guard or left in the temp folder is of it`
  throw new NotApplicable(`no local folder was given${looked}`)
}
