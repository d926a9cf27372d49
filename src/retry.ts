import { setTimeout as wait } from 'node:timers/promises'
import { Trouble } from './errors.ts'

export interface Patience {
  /** Tries in all, the first one included. */
  readonly tries: number
  /** Milliseconds before the second try, at most; doubled from try to try. */
  readonly pauseMs: number
}

export const patience: Patience = { tries: 6, pauseMs: 1000 }

const longestPauseMs = 30_000
/** A server that asks for more is not worth waiting for within one command. */
const longestAskedMs = 120_000

/** True for what may pass when tried again as it is. */
export const isPassing = (error: unknown): error is Trouble =>
  error instanceof Trouble && (error.kind === 'unreachable' || error.kind === 'unavailable')

/** Waits before try number `next` (2 on): what the other side asked for, else a random part of a doubling pause, so that many clients do not come back at once. */
export const pauseBefore = async (
  next: number,
  { pauseMs }: Patience,
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const asked = error instanceof Trouble ? error.retryAfterMs : undefined
  const doubling = Math.min(pauseMs * 2 ** (next - 2), longestPauseMs)
  const ms = asked === undefined ? doubling * (0.5 + Math.random() / 2) : Math.min(asked, longestAskedMs)
  await wait(ms, undefined, signal === undefined ? {} : { signal })
}

/** Runs until it succeeds, fails with something that no other try can mend, or the tries are used up. */
export const withRetry = async <T>(
  run: () => Promise<T>,
  patient: Patience,
  signal: AbortSignal | undefined,
  mends: (error: unknown) => boolean = isPassing,
): Promise<T> => {
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted()
    try {
      return await run()
    } catch (error) {
      signal?.throwIfAborted()
      if (attempt >= patient.tries || !mends(error)) throw error
      await pauseBefore(attempt + 1, patient, error, signal)
    }
  }
}
