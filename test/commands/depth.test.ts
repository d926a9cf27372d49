import { expect, test } from 'vitest'
import { parseDepth } from '../../src/commands/depth.ts'

test.each([
  ['names', { kind: 'names' }],
  ['sizes', { kind: 'sizes' }],
  ['structure', { kind: 'structure' }],
  ['Full', { kind: 'full' }],
  ['sample=5%', { kind: 'sample', share: 0.05 }],
  ['sample=0.5%', { kind: 'sample', share: 0.005 }],
  ['sample=100%', { kind: 'sample', share: 1 }],
])('--depth %s', (text, depth) => {
  expect(parseDepth(text)).toEqual(depth)
})

test.each(['', 'deep', 'sample', 'sample=5', 'sample=0%', 'sample=101%', 'sample=-5%', 'sample=1e9%', 'fullx'])(
  'no depth: %j',
  (text) => {
    expect(() => parseDepth(text)).toThrow(`cannot use --depth ${text}`)
  },
)
