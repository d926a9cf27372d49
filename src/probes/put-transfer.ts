import { performance } from 'node:perf_hooks'
import { type PutCanaryOptions, putCanary } from './put-canary.ts'
import { growsFaster, hopsOf, isBlurred, msFor, rateOf, smallest } from './rates.ts'
import type { Transfer, TransferTry } from './types.ts'

export interface PutTransferOptions extends PutCanaryOptions {
  /** Makes room for one canary: names it, and sees to it that it is removed whatever happens. */
  begin(): Promise<PutPlace>
  /** The most that all canaries together may send, in bytes. */
  readonly budget: number
  /** Sizes of the planned files that take this route. */
  readonly planned: readonly number[]
  /** The largest body that nothing refuses by its declared size, in bytes; no larger canary is sent. */
  readonly accepted: number
  /** Milliseconds for all canaries together. */
  readonly timeMs: number
  progress(says: string): void
}

export interface PutPlace {
  readonly url: URL
  /** Why nothing larger may be written here, asked while the first canary lies there. */
  objection(): Promise<string | undefined>
  /** `lateMs` when the server may still store it, since its answer was not heard: for about as long, in milliseconds. */
  remove(lateMs?: number): Promise<void>
}

/** The first one, in bytes: shows whether anything may be written, and whether it can be removed again. */
const tiny = 1024
/** Answers that another try cannot change. */
const definite: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 411, 413, 501])
/** Answers that tell of a time-out, not of a size. */
const late: ReadonlySet<number> = new Set([408, 502, 503, 504, 522, 524])

/** Steps between a size that passed and one that failed: to the byte where a refusal is cheap to ask for, roughly otherwise. */
const exactSteps = 40
const roughSteps = 5

/**
 * Whole files through the tracking server: canaries of growing size, a planned file at its full size where `budget` allows
 * it. A canary that fails is sent once more, to tell a limit from an accident, and a limit is closed in on.
 */
export const putTransfer = async (options: PutTransferOptions): Promise<Transfer> => {
  const tries: TransferTry[] = []
  const until = performance.now() + options.timeMs
  let left = options.budget
  let objection: string | undefined
  const timeLeft = (): number => until - performance.now()

  const send = async (bytes: number): Promise<TransferTry> => {
    options.progress(`a canary of ${bytes} bytes`)
    const place = await options.begin()
    left -= bytes
    // When this throws, the end of the run removes it.
    const result = await putCanary(place.url, bytes, options)
    tries.push(result)
    if (result.failed === undefined && passed(tries).length === 1) objection = await place.objection()
    await place.remove(mayCome(result) ? (expected(bytes) ?? 0) : undefined)
    return result
  }
  /** Milliseconds from the first byte to the answer, by the canaries so far. */
  const expected = (bytes: number): number | undefined => {
    const points = passed(tries).map((each) => ({ bytes: each.bytes, ms: each.bodyMs + (each.answerMs ?? 0) }))
    const total = rateOf(points)
    if (total) return msFor(total, bytes)
    // One alone has to do on a slow line, where the next step would take all the time that there is.
    const one = points.find((point) => point.bytes >= smallest)
    return one && (one.ms * bytes) / one.bytes
  }
  /** The size that still fits into what is left of bytes and time. */
  const fitting = (bytes: number): number => {
    const most = Math.min(bytes, Math.floor(left), options.accepted)
    const takes = expected(most)
    if (takes === undefined || takes <= timeLeft()) return most
    return Math.floor((most * timeLeft() * 0.9) / takes)
  }
  const largestPassed = (): number => passed(tries).reduce((most, { bytes }) => Math.max(most, bytes), 0)

  let first = await send(Math.min(tiny, options.budget, options.accepted))
  if (first.failed !== undefined && !definite.has(first.failed.status ?? 0)) first = await send(first.bytes)
  if (first.failed === undefined && objection === undefined) {
    for (const wanted of ladder(options, left)) {
      const bytes = fitting(wanted)
      if (bytes < smallest || bytes <= largestPassed() * 1.2 || timeLeft() <= 0) continue
      let result = await send(bytes)
      const again = result.failed !== undefined && !definite.has(result.failed.status ?? 0) && left >= bytes
      if (again) result = await send(bytes)
      if (result.failed === undefined) continue
      await closeIn(result)
      break
    }
  }

  async function closeIn(failed: TransferTry): Promise<void> {
    const { status } = failed.failed ?? {}
    if (status !== undefined && late.has(status)) return
    let [passes, fails] = [largestPassed(), failed.bytes]
    const steps = status === 413 ? exactSteps : roughSteps
    for (let step = 0; step < steps && fails - passes > 1; step += 1) {
      const bytes = passes + Math.floor((fails - passes) / 2)
      if (bytes > left || timeLeft() <= 0) return
      const { failed: again } = await send(bytes)
      if (again === undefined) passes = bytes
      else fails = bytes
    }
  }

  return {
    tries,
    ...hopsOf(passed(tries)),
    ...(isBlurred(passed(tries)) && { blurred: true }),
    ...(growsFaster(tries) && { quadratic: true }),
    ...(objection !== undefined && { objection }),
  }
}

/** Whether the server may still store it: its answer was not heard, or a proxy answered in its place. */
const mayCome = ({ failed }: TransferTry): boolean =>
  failed !== undefined && (failed.status === undefined || late.has(failed.status))

const passed = (tries: readonly TransferTry[]): TransferTry[] => tries.filter(({ failed }) => failed === undefined)

/**
 * The largest planned file that fits into `budget`; undefined for none, and where it is so small beside it that it would
 * tell nothing about a larger one that does not fit. Sizes in bytes.
 */
export const fullSize = (planned: readonly number[], budget: number): number | undefined => {
  const fits = planned.reduce((most, bytes) => (bytes <= budget ? Math.max(most, bytes) : most), 0)
  const larger = planned.some((bytes) => bytes > budget)
  return fits === 0 || (larger && fits < budget / 4) ? undefined : fits
}

/** The sizes to send, in bytes: up to a planned file where it fits, else up to most of the budget. */
const ladder = ({ planned, accepted }: PutTransferOptions, left: number): number[] => {
  const target = fullSize(
    planned.filter((bytes) => bytes <= accepted),
    left,
  )
  if (target === undefined) return [left / 64, left / 16, left / 4, left * 0.66].map(Math.floor)
  const rest = left - target
  const scale = Math.min(1, rest / (target * 0.34))
  return [target / 64, target / 16, target / 4].map((bytes) => Math.floor(bytes * scale)).concat(target)
}
