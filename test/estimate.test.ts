import { expect, test } from 'vitest'
import { estimate } from '../src/estimate.ts'
import { hopsOf } from '../src/probes/rates.ts'
import type { Transfer, TransferTry } from '../src/probes/types.ts'

const MB = 1_000_000
const took = (bytes: number, bodyMs: number, answerMs = 0): TransferTry => ({
  bytes,
  parts: 1,
  bodyMs,
  answerMs,
  stallMs: 0,
})
const of = (...tries: readonly TransferTry[]): Transfer => ({ tries, ...hopsOf(tries) })

test('nothing is known where no canary got through', () => {
  const failed = { how: 'closed', during: 'body', afterMs: 1, sentBytes: 0, why: '' } as const
  expect(estimate(of({ ...took(MB, 1), failed }), MB)).toBeUndefined()
})

test('a larger file is reckoned by the rates of both hops', () => {
  const transfer = of(took(MB, 100, 60), took(10 * MB, 1000, 150))
  expect(estimate(transfer, 100 * MB)).toMatchObject({ tried: false, largest: 10 * MB })
  expect(estimate(transfer, 100 * MB)?.bodyMs).toBeCloseTo(10_000, -1)
  expect(estimate(transfer, 100 * MB)?.answerMs).toBeCloseTo(1050, -1)
})

test('a file of exactly the size of a canary takes what that took', () => {
  const transfer = of(took(MB, 100, 60), took(10 * MB, 1300, 150))
  const whole = estimate(transfer, 10 * MB)
  expect(whole).toMatchObject({ tried: true, largest: 10 * MB })
  expect((whole?.bodyMs ?? 0) + (whole?.answerMs ?? 0)).toBeCloseTo(1450)
  // The line through the bodies begins below zero: so much of the answer was spent sending.
  expect(whole?.bodyMs).toBeCloseTo(1333, 0)
  expect(estimate(transfer, 5 * MB)).toMatchObject({ tried: true })
})

test('where a server copies again for each piece, a larger file costs the square', () => {
  const transfer = of(...[4, 16, 64].map((mb) => took(mb * MB, mb * mb)))
  expect(estimate(transfer, 640 * MB)?.bodyMs).toBeCloseTo(409_600, 0)
})

test('a single size is scaled', () => {
  expect(estimate(of(took(MB, 100, 20)), 10 * MB)).toMatchObject({ bodyMs: 1000, answerMs: 200 })
})
