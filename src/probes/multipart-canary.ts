import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { crc32 } from 'node:zlib'
import { NotApplicable, Trouble } from '../errors.ts'
import type { OpenUpload, Store } from '../stores/store.ts'

/** The steps of a multipart upload, in the order that the canary takes them. */
export type CanaryStep = 'create' | 'upload-part' | 'list-parts' | 'list-uploads' | 'abort'

/** What came of each step; a step after a failed `create` is absent, and so is one that this route does not offer. Nothing is completed, so no object is ever written. */
export interface MultipartCanary {
  readonly steps: readonly { readonly step: CanaryStep; readonly ms: number; readonly trouble?: Trouble }[]
  /** Whether the upload showed in the list of everything below the root. Absent when that list was refused or is not offered. */
  readonly listedByPrefix?: boolean
  /** Whether it showed in the list for its exact key. */
  readonly listedByKey?: boolean
  /** Canary uploads of this user that an earlier, killed run left, and that this one removed. */
  readonly removedStale: number
}

export interface CanaryOptions {
  /** Whose canary it is: only this user's own old ones are removed. */
  readonly owner: string
  readonly signal: AbortSignal
  /** Registers what must be undone whatever happens; called before anything is created. */
  onCleanup(undo: () => Promise<void>): void
}

const prefix = '.mlflow-doctor-canary'
/** Milliseconds; a canary takes seconds, so what is older was left by a run that was killed. */
const staleAfter = 3_600_000
const content = Buffer.from('mlflow-doctor: a part of an upload that is never completed\n')

/** `20261123T214500Z`, which sorts, and which every file system takes as part of a name. */
const stamp = (time: number): string => new Date(time).toISOString().replace(/[-:]|\.\d+/g, '')
const timeOf = (text: string): number =>
  Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))

const nameFor = (owner: string, time: number): string =>
  `${prefix}-${stamp(time)}-${owner}-${randomBytes(4).toString('hex')}`

/** When this owner's canary of that name was begun, by the store's clock; undefined for every other name. */
const begunAt = (path: string, owner: string): number | undefined => {
  const match = new RegExp(`^\\${prefix}-(\\d{8}T\\d{6}Z)-(.+)-[0-9a-f]{8}$`).exec(path)
  const time = match?.[2] === owner ? timeOf(match[1] ?? '') : Number.NaN
  return Number.isNaN(time) ? undefined : time
}

const plan = { sourceSize: content.length, partSize: content.length }

/**
 * Begins a multipart upload, sends one small part, lists and aborts it. The abort is registered before the upload exists
 * and happens whatever comes in between. Throws `NotApplicable` where the route has no multipart upload, and what is no
 * `Trouble`; troubles of single steps are in the result.
 */
export const multipartCanary = async (store: Store, options: CanaryOptions): Promise<MultipartCanary> => {
  if (store.route === 'proxied-put') {
    throw new NotApplicable('files go through the tracking server in one request, not in parts')
  }
  const owner = options.owner.replace(/[^A-Za-z0-9_.]/g, '_').slice(0, 40) || 'unknown'
  const time = (await store.now(options.signal).catch(ifTrouble)) ?? Date.now()
  const removedStale = await removeStale(store, owner, time, options.signal)

  const steps: { step: CanaryStep; ms: number; trouble?: Trouble }[] = []
  const take = async <T>(step: CanaryStep, act: () => Promise<T>): Promise<T | undefined> => {
    options.signal.throwIfAborted()
    const start = performance.now()
    try {
      const result = await act()
      steps.push({ step, ms: performance.now() - start })
      return result
    } catch (error) {
      const trouble = ifTrouble(error, true)
      // A tracking server has no call that lists uploads: nothing was refused.
      if (store.kind !== 'proxied' || step !== 'list-uploads') {
        steps.push({ step, ms: performance.now() - start, trouble })
      }
      return undefined
    }
  }

  let upload: OpenUpload | undefined
  options.onCleanup(async () => {
    const left = upload
    upload = undefined
    await left?.abort()
  })
  const path = nameFor(owner, time)
  // Without the signal: an interrupted begin might leave an upload whose id nobody knows.
  const begun = await take('create', async () => {
    upload = await store.openUpload(path, plan)
    return upload
  })
  if (begun === undefined) return { steps, removedStale }
  await take('upload-part', () => begun.send(1, content, crc32(content), options.signal))
  const parts = begun.parts(options.signal)
  if (parts !== undefined) await take('list-parts', () => parts)
  const listed = await take('list-uploads', async () => ({
    listedByPrefix: await isIn(store.unfinished({ signal: options.signal }), begun.id),
    listedByKey: await isIn(store.unfinished({ path, signal: options.signal }), begun.id),
  }))
  await take('abort', async () => {
    await begun.abort()
    upload = undefined
  })
  return { steps, removedStale, ...listed }
}

const isIn = async (uploads: ReturnType<Store['unfinished']>, id: string): Promise<boolean> => {
  for await (const upload of uploads) if (upload.id === id) return true
  return false
}

/** Aborts this owner's canaries that are older than an hour by every sign; what cannot be listed or aborted stays for the next run. */
const removeStale = async (store: Store, owner: string, now: number, signal: AbortSignal): Promise<number> => {
  let removed = 0
  try {
    for await (const upload of store.unfinished({ signal })) {
      const begun = begunAt(upload.path, owner)
      if (begun === undefined || now - Math.max(begun, upload.initiated ?? begun) < staleAfter) continue
      await store.abort(upload, signal)
      removed += 1
    }
  } catch (error) {
    ifTrouble(error)
  }
  return removed
}

function ifTrouble(error: unknown, keep: true): Trouble
function ifTrouble(error: unknown): undefined
function ifTrouble(error: unknown, keep = false): Trouble | undefined {
  if (!(error instanceof Trouble)) throw error
  return keep ? error : undefined
}
