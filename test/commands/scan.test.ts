import { expect, test } from 'vitest'
import { specsOf } from '../../src/commands/scan.ts'

test('--all with --experiment is refused, since the experiment would be counted twice', () => {
  expect(() => specsOf({ all: true, experiment: 'churn' }, '/')).toThrow(expect.objectContaining({ kind: 'usage' }))
  expect(specsOf({ experiment: 'churn' }, '/')).toEqual([{ kind: 'experiment', by: { name: 'churn' } }])
})
