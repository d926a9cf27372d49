import { expect, test } from 'vitest'
import { tally } from '../../src/needs/side-by-side.ts'

test.each([[['a', 'b', 'c']], [['c', 'a', 'b']]])('of %j the first by name stands for all', (paths) => {
  const untold = tally()
  for (const path of paths) untold.add(path, 'no rule', false)
  expect(untold.all).toEqual([{ because: 'no rule', unexpected: false, files: 3, first: 'a' }])
})
