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
}

export interface CanaryOptions {
  readonly signal: AbortSignal
  /** Begins an upload that is aborted whatever happens, by `end`; `time` by the store's clock. */
  begin(
    store: Store,
    plan: { sourceSize: number; partSize: number },
    time: number,
  ): Promise<{ upload: OpenUpload; end(): Promise<void> }>
}

const content = Buffer.from('mlflow-doctor: a part of an upload that is never completed\n')

const plan = { sourceSize: content.length, partSize: content.length }

/**
 * Begins a multipart upload, sends one small part, lists and aborts it. Throws `NotApplicable` where the route has no multipart upload, and what is no
 * `Trouble`; troubles of single steps are in the result.
 */
export const multipartCanary = async (store: Store, options: CanaryOptions): Promise<MultipartCanary> => {
  if (store.route === 'proxied-put') {
    throw new NotApplicable('files go through the tracking server in one request, not in parts')
  }
  const time = (await store.now(options.signal).catch(ifTrouble)) ?? Date.now()

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

  const held = await take('create', () => options.begin(store, plan, time))
  if (held === undefined) return { steps }
  const { upload } = held
  await take('upload-part', () => upload.send(1, content, crc32(content), options.signal))
  const parts = upload.parts(options.signal)
  if (parts !== undefined) await take('list-parts', () => parts)
  const { path } = upload
  const listed = await take('list-uploads', async () => ({
    listedByPrefix: await isIn(store.unfinished({ signal: options.signal }), upload.id),
    listedByKey: await isIn(store.unfinished({ path, signal: options.signal }), upload.id),
  }))
  await take('abort', held.end)
  return { steps, ...listed }
}

const isIn = async (uploads: ReturnType<Store['unfinished']>, id: string): Promise<boolean> => {
  for await (const upload of uploads) if (upload.id === id) return true
  return false
}

function ifTrouble(error: unknown, keep: true): Trouble
function ifTrouble(error: unknown): undefined
function ifTrouble(error: unknown, keep = false): Trouble | undefined {
  if (!(error instanceof Trouble)) throw error
  return keep ? error : undefined
}
