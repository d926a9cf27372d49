import { expect, test } from 'vitest'
import { lastSign, timesOf } from '../../src/stores/age.ts'

test('the last sign of life is the newest time that the store tells', () => {
  expect(lastSign([])).toBeUndefined()
  expect(lastSign([undefined, undefined])).toBeUndefined()
  expect(lastSign([5, undefined, 7, 6])).toBe(7)
  const parts = [
    { number: 1, size: 1 },
    { number: 2, size: 1, modified: 9 },
  ]
  expect(lastSign(timesOf({ path: 'a', id: 'b', initiated: 8 }, parts))).toBe(9)
  expect(lastSign(timesOf({ path: 'a', id: 'b', initiated: 10 }, parts))).toBe(10)
  expect(lastSign(timesOf({ path: 'a', id: 'b' }, []))).toBeUndefined()
})
