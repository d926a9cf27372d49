import { expect, test } from 'vitest'
import { growsFaster, hopsOf, isBlurred, msFor, rateOf } from '../../src/probes/rates.ts'
import type { TransferTry } from '../../src/probes/types.ts'

const MB = 1_000_000
const took = (bytes: number, bodyMs: number, answerMs = 0): TransferTry => ({
  bytes,
  parts: 1,
  bodyMs,
  answerMs,
  stallMs: 0,
})

test('a line through canaries gives what is fixed and what grows', () => {
  const rate = rateOf([1, 4, 16, 64].map((mb) => ({ bytes: mb * MB, ms: 250 + mb * 100 })))
  expect(rate?.bytesPerSecond).toBeCloseTo(10 * MB, -1)
  expect(rate?.fixedMs).toBeCloseTo(250)
  expect(rate && msFor(rate, 1000 * MB)).toBeCloseTo(100_250, -1)
})

test('one size, or none above the smallest that counts, gives no rate', () => {
  expect(rateOf([])).toBeUndefined()
  expect(
    rateOf([
      { bytes: MB, ms: 1 },
      { bytes: MB, ms: 2 },
    ]),
  ).toBeUndefined()
  expect(
    rateOf([
      { bytes: 1024, ms: 1 },
      { bytes: 60_000, ms: 2 },
    ]),
  ).toBeUndefined()
})

test('times that do not grow with the size cost the same for every size', () => {
  const rate = rateOf([
    { bytes: MB, ms: 31 },
    { bytes: 16 * MB, ms: 30 },
  ])
  expect(rate && msFor(rate, 1e12)).toBeLessThan(1100)
  expect(rate && msFor(rate, MB)).toBeCloseTo(30, 0)
})

test('what buffers took at once belongs to the body, not to the way to the store', () => {
  // 2 MB/s; 6 MB of buffers; the server stores at 20 MB/s with 100 ms of its own.
  const tries = [8, 16, 32, 64].map((mb) => took(mb * MB, (mb - 6) * 500, 3000 + 100 + mb * 50))
  const { uplink, relay } = hopsOf(tries)
  expect(uplink?.bytesPerSecond).toBeCloseTo(2 * MB, -2)
  expect(uplink && msFor(uplink, 1000 * MB)).toBeCloseTo(500_000, -2)
  expect(relay?.bytesPerSecond).toBeCloseTo(20 * MB, -2)
  expect(relay && msFor(relay, 1000 * MB)).toBeCloseTo(50_100, -2)
})

test('canaries that buffers take whole say only how long both hops take together', () => {
  expect(isBlurred([took(2 * MB, 3, 900)])).toBe(true)
  expect(isBlurred([took(2 * MB, 800, 100)])).toBe(false)
  expect(isBlurred([took(64 * MB, 3, 9000)])).toBe(false)
  expect(isBlurred([took(2 * MB, 3, 20)])).toBe(false)
})

test('growth with the square of the size is seen, and straight growth, noise and buffers are not', () => {
  const square = [4, 16, 64].map((mb) => took(mb * MB, (mb * mb) / 2))
  expect(growsFaster(square)).toBe(true)
  expect(growsFaster([4, 16, 64].map((mb) => took(mb * MB, mb * 20)))).toBe(false)
  expect(growsFaster([took(4 * MB, 1), took(16 * MB, 10), took(64 * MB, 100)])).toBe(false)
  // All fixed cost until the last one.
  expect(growsFaster([4, 16, 64].map((mb) => took(mb * MB, 400 + mb * 20)))).toBe(false)
})
