import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { crc32 } from 'node:zlib'
import { Trouble } from '../errors.ts'
import type { OpenUpload, Store } from '../stores/store.ts'
import { fullSize } from './put-transfer.ts'
import { rateOf, smallest } from './rates.ts'
import type { Transfer, TransferTry } from './types.ts'

export interface PartsTransferOptions {
  /** Bytes of each part, as the client that will upload cuts them. */
  readonly partSize: number
  /** Parts that it sends at once. */
  readonly threads: number
  /** Begins an upload that is aborted whatever happens, by `end`. */
  begin(bytes: number): Promise<{ readonly upload: OpenUpload; end(): Promise<void> }>
  /** The most that all canaries together may send, in bytes. */
  readonly budget: number
  /** Bytes that one upload may have, where its parts may be no more than so many. */
  readonly most?: number
  /** Sizes of the planned files that take this route. */
  readonly planned: readonly number[]
  /** Milliseconds for all canaries together. */
  readonly timeMs: number
  readonly signal: AbortSignal
  progress(says: string): void
}

/** Halvings from a part of boto3's 8 MiB to a figure that is right to `smallest`. */
const closingSteps = 7

/**
 * Uploads in parts, as the MLflow client sends them, begun and never completed: no object is ever written. One small and
 * one as large as `budget` and `timeMs` allow, or as the largest planned file. Throws what is no `Trouble`.
 */
export const partsTransfer = async (store: Store, options: PartsTransferOptions): Promise<Transfer> => {
  const tries: TransferTry[] = []
  const until = performance.now() + options.timeMs
  const content = randomBytes(Math.min(options.partSize, Math.max(1, options.budget)))
  let left = options.budget

  const send = async (bytes: number): Promise<TransferTry> => {
    options.progress(`a canary of ${bytes} bytes in parts`)
    left -= bytes
    const result = await once(bytes, content, store, options)
    tries.push(result)
    return result
  }
  const { most = Number.POSITIVE_INFINITY } = options
  const target = fullSize(
    options.planned.filter((bytes) => bytes <= most),
    left,
  )
  const first = await send(
    Math.max(1, Math.min(target ?? Number.MAX_SAFE_INTEGER, options.partSize, Math.floor(left / 8))),
  )
  const steps = target === undefined ? [left / 4, left * 0.7] : [Math.min(target, left - target), target]
  let last = first
  for (const step of steps.map(Math.floor)) {
    if (last.failed !== undefined) break
    const perByte = last.bodyMs / last.bytes
    const bytes = Math.min(
      step,
      most,
      Math.floor(left),
      Math.floor((until - performance.now()) / Math.max(perByte, 1e-9)),
    )
    if (bytes < smallest || bytes < last.bytes * 1.2) continue
    last = await send(bytes)
  }
  // What refuses a part for its size takes a small one, and up to which size is closed in on.
  const { failed: refusal, bytes: refused } = first
  if (refusal?.status !== undefined && refused > smallest && left >= smallest + refused) {
    let passes = (await send(smallest)).failed === undefined ? smallest : undefined
    let fails = refused
    for (let step = 0; passes !== undefined && refusal.status === 413 && step < closingSteps; step += 1) {
      const bytes = passes + Math.floor((fails - passes) / 2)
      if (bytes > left - refused || performance.now() >= until) break
      if ((await send(bytes)).failed === undefined) passes = bytes
      else fails = bytes
    }
  }
  // Once more, to tell what always fails from an accident.
  if (last.failed !== undefined && left >= last.bytes) await send(last.bytes)
  const good = tries.filter(({ failed }) => failed === undefined)
  const uplink = rateOf(good.map(({ bytes, bodyMs }) => ({ bytes, ms: bodyMs })))
  return { tries, ...(uplink && { uplink: { ...uplink, fixedMs: Math.max(0, uplink.fixedMs) } }) }
}

const once = async (
  bytes: number,
  content: Uint8Array,
  store: Store,
  { partSize, threads, begin, signal }: PartsTransferOptions,
): Promise<TransferTry> => {
  const parts = Math.max(1, Math.ceil(bytes / partSize))
  const began = performance.now()
  let sent = 0
  let failedMs: number | undefined
  let held: Awaited<ReturnType<PartsTransferOptions['begin']>> | undefined
  const done = (more: Partial<TransferTry> = {}): TransferTry => ({
    bytes,
    parts,
    bodyMs: performance.now() - began,
    // Parts are watched as wholes: how long one takes says nothing about a pause in it.
    stallMs: 0,
    ...more,
  })
  try {
    held = await begin(bytes)
    const { upload } = held
    let next = 1
    const worker = async (): Promise<void> => {
      for (let number = next++; number <= parts && failedMs === undefined; number = next++) {
        const size = number < parts ? partSize : bytes - (parts - 1) * partSize
        const body = content.subarray(0, size)
        try {
          await upload.send(number, body, crc32(body), signal)
        } catch (error) {
          failedMs ??= performance.now() - began
          throw error
        }
        sent += size
      }
    }
    // A part that is still on its way when the upload is aborted may stay in the store, so all are waited for.
    const ends = await Promise.allSettled(Array.from({ length: Math.min(threads, parts) }, worker))
    const failure = ends.find((end) => end.status === 'rejected')
    if (failure) throw failure.reason
    return done()
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof Trouble)) throw error
    const { status, why } = error
    const how = status === undefined ? 'closed' : 'status'
    const afterMs = failedMs ?? performance.now() - began
    const by = store.kind === 'folder' ? {} : { by: 'the store' }
    return done({
      failed: { how, during: 'body', afterMs, sentBytes: sent, why, ...by, ...(status !== undefined && { status }) },
    })
  } finally {
    await held?.end()
  }
}
