import { expect, test } from 'vitest'
import { Trouble, type TroubleKind } from '../src/errors.ts'
import { withRetry } from '../src/retry.ts'

const trouble = (kind: TroubleKind, retryAfterMs?: number): Trouble =>
  new Trouble({ kind, what: 'w', why: 'y', todo: 't', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
const failing = (times: number, error: unknown): (() => Promise<number>) => {
  let calls = 0
  return async () => {
    calls += 1
    if (calls <= times) throw error
    return calls
  }
}
const patient = { tries: 4, pauseMs: 1 }

test.each(['unreachable', 'unavailable'] as const)('%s is tried again, up to the last try', async (kind) => {
  expect(await withRetry(failing(3, trouble(kind)), patient, undefined)).toBe(4)
  await expect(withRetry(failing(4, trouble(kind)), patient, undefined)).rejects.toMatchObject({ kind })
})

test.each(['denied', 'full', 'conflict', 'source-changed', 'unauthenticated', 'too-large'] as const)(
  '%s is not tried again',
  async (kind) => {
    await expect(withRetry(failing(1, trouble(kind)), patient, undefined)).rejects.toMatchObject({ kind })
  },
)

test('a defect is not tried again', async () => {
  await expect(withRetry(failing(1, new TypeError('x')), patient, undefined)).rejects.toBeInstanceOf(TypeError)
})

test('what the other side asks for is waited for, and an interruption ends the wait', async () => {
  const begun = performance.now()
  await withRetry(failing(1, trouble('unavailable', 80)), patient, undefined)
  expect(performance.now() - begun).toBeGreaterThanOrEqual(75)
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 20)
  await expect(withRetry(failing(1, trouble('unavailable', 60_000)), patient, stop.signal)).rejects.toMatchObject({
    name: 'AbortError',
  })
})
