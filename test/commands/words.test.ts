import { expect, test } from 'vitest'
import { checks } from '../../checks/index.ts'
import { select, severityOverrides } from '../../src/commands/selection.ts'
import { parseSize, parseTime } from '../../src/commands/sizes.ts'

test.each([
  ['20GiB', 21_474_836_480],
  ['1.5g', 1_610_612_736],
  ['500MB', 500_000_000],
  ['1048576', 1_048_576],
  ['0', 0],
])('size %s', (text, bytes) => expect(parseSize('--size', text)).toBe(bytes))

test.each(['', 'big', '-1', '1XB', '1e3', '9999999999TiB'])('no size: %s', (text) => {
  expect(() => parseSize('--size', text)).toThrow(/--size/)
})

test.each([
  ['60', 60_000],
  ['24h', 86_400_000],
  ['7d', 604_800_000],
  ['5min', 300_000],
])('time %s', (text, ms) => expect(parseTime('--older-than', text)).toBe(ms))

test.each(['', 'soon', '-1h', '1y'])('no time: %s', (text) =>
  expect(() => parseTime('--settle', text)).toThrow(/--settle/),
)

test('patterns choose checks, and one that matches nothing is an error', () => {
  const artifact = select(checks, ['artifact/*'], ['artifact/size-mismatch']).map((check) => check.id)
  expect(artifact).toContain('artifact/unfinished-uploads')
  expect(artifact).not.toContain('artifact/size-mismatch')
  expect(artifact.filter((id) => !id.startsWith('artifact/'))).toEqual([])
  expect(() => select(checks, ['artifcat/*'], [])).toThrow(/no check of this command/)
  expect(() => select(checks, [], ['x'])).toThrow(/--skip x/)
})

test('severities are given as ID=LEVEL', () => {
  expect(severityOverrides(checks, ['model/status=info'])).toEqual(new Map([['model/status', 'info']]))
  expect(() => severityOverrides(checks, ['model/status=fatal'])).toThrow(/fatal/)
  expect(() => severityOverrides(checks, ['model/gone=info'])).toThrow(/model\/gone/)
})
