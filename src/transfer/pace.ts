import { setTimeout as wait } from 'node:timers/promises'
import { Trouble } from '../errors.ts'
import { isPassing } from '../retry.ts'

/**
 * How many requests go side by side, found out while they go: one more as long as more of them carry more bytes, half as
 * many when the other side says that it is too much, and none at all for as long as it asks for.
 */
export interface Pace {
  /** Resolves when one more request may begin. */
  enter(signal?: AbortSignal): Promise<void>
  /** A request has ended well, with so many bytes. */
  well(bytes: number): void
  /** A request has failed, so many milliseconds after it began. */
  badly(error: unknown, ms: number): void
  /** Requests that may go side by side now. */
  readonly limit: number
}

/** How much more a further request must carry to be worth keeping: below that the line is full. */
const worthwhile = 1.05
/** A server that asks for a longer silence is not worth waiting for within one command; milliseconds. */
const longestSilence = 120_000

/** Milliseconds; time limits of hops begin at 30 s (gunicorn), most have 60 s. */
const longRequest = 20_000

/** The other side says so, or a request that was long under way was cut: with fewer beside it, it is sooner through. */
const tooMuch = (error: unknown, ms: number): boolean =>
  error instanceof Trouble &&
  ([408, 429, 503, 504, 509].includes(error.status ?? 0) || (ms >= longRequest && isPassing(error)))

/** @param start requests side by side at first; @param most never more than these */
export const openPace = ({ start, most }: { readonly start: number; readonly most: number }): Pace => {
  let limit = Math.max(1, Math.min(start, most))
  let under = 0
  let silentUntil = 0
  const waiting: (() => void)[] = []
  /** One round: as many requests as may go side by side, and what they carried. */
  let round = { since: performance.now(), ended: 0, bytes: 0 }
  let before: { readonly limit: number; readonly rate: number } | undefined
  /** Not raised again until so many rounds have passed. */
  let patience = 0

  const wake = (): void => {
    while (under < limit) {
      const next = waiting.shift()
      if (next === undefined) return
      under += 1
      next()
    }
  }
  const leave = (): void => {
    under -= 1
    wake()
  }
  const endRound = (): void => {
    const now = performance.now()
    const rate = round.bytes / Math.max(1, now - round.since)
    round = { since: now, ended: 0, bytes: 0 }
    const raised = before !== undefined && limit > before.limit
    if (raised && before !== undefined && rate < before.rate * worthwhile) {
      limit = before.limit
      before = undefined
      patience = 8
      return
    }
    if (patience > 0) {
      patience -= 1
      return
    }
    before = { limit, rate }
    limit = Math.min(most, limit + 1)
  }

  return {
    get limit() {
      return limit
    },
    async enter(signal) {
      signal?.throwIfAborted()
      if (under < limit) under += 1
      else {
        await new Promise<void>((resolve, reject) => {
          const go = () => {
            signal?.removeEventListener('abort', stop)
            resolve()
          }
          const stop = () => {
            const at = waiting.indexOf(go)
            if (at !== -1) waiting.splice(at, 1)
            reject(signal?.reason)
          }
          signal?.addEventListener('abort', stop, { once: true })
          waiting.push(go)
        })
      }
      const silence = silentUntil - performance.now()
      if (silence <= 0) return
      try {
        await wait(silence, undefined, signal === undefined ? {} : { signal })
      } catch (error) {
        leave()
        throw error
      }
    },
    well(bytes) {
      round.ended += 1
      round.bytes += bytes
      // Only a round in which all places were taken tells whether more of them would help.
      if (round.ended >= 2 * limit) {
        if (waiting.length > 0 || under >= limit) endRound()
        else round = { since: performance.now(), ended: 0, bytes: 0 }
      }
      leave()
    },
    badly(error, ms) {
      if (tooMuch(error, ms)) {
        limit = Math.max(1, limit >> 1)
        before = undefined
        patience = 4
        const asked = error instanceof Trouble ? (error.retryAfterMs ?? 0) : 0
        silentUntil = Math.max(silentUntil, performance.now() + Math.min(asked, longestSilence))
        round = { since: performance.now(), ended: 0, bytes: 0 }
      }
      leave()
    },
  }
}
