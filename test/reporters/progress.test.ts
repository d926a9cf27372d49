import stringWidth from 'string-width'
import { describe, expect, test } from 'vitest'
import { inColumns, progress } from '../../src/reporters/progress.ts'

const GiB = 1024 ** 3
const moved = {
  path: 'artifacts/weights/model-00001-of-00002.safetensors',
  files: { done: 1, total: 3 },
  done: 4 * GiB,
  total: 10 * GiB,
  reused: 1 * GiB,
  bytesPerSecond: 50 * 1024 ** 2,
}
const options = {
  unicode: true,
  redact: (text: string) => text.replaceAll('secret', '[redacted]'),
  widthOf: stringWidth,
}

describe('a line of progress', () => {
  test.each([200, 120, 80, 60, 40, 20, 10, 3])('fits into %i columns', (columns) => {
    for (const unicode of [true, false]) {
      const line = inColumns(moved.path, moved, columns, { ...options, unicode })
      expect(stringWidth(line)).toBeLessThanOrEqual(columns)
    }
  })

  test.each([200, 100, 60])('at %i columns', (columns) => {
    expect(inColumns(moved.path, moved, columns, options)).toMatchSnapshot()
  })

  test('is ASCII where nothing else shows', () => {
    expect(inColumns('looking …', undefined, 80, { ...options, unicode: false })).toBe('looking ...')
    expect(inColumns(moved.path, moved, 120, { ...options, unicode: false })).toMatch(/^[\x20-\x7e]+$/)
  })

  test('holds no secret, no control code, and counts wide letters as two', () => {
    expect(inColumns('a secret\u001b[2J', undefined, 80, options)).toBe('a [redacted]\\x1b[2J')
    expect(stringWidth(inColumns('模'.repeat(50), undefined, 21, options))).toBeLessThanOrEqual(21)
  })

  test('of nothing to send is whole', () => {
    expect(inColumns('x', { ...moved, done: 0, total: 0, reused: 0 }, 80, options)).toContain('100%')
  })
})

test('a line of JSON stays one when a secret is a number, and holds no secret in a name', async () => {
  const lines: string[] = []
  const writer = { isTTY: false, write: (text: string) => void lines.push(text) }
  const redact = (text: string) => text.replaceAll('4294967296', '[redacted]').replaceAll('weights', '[redacted]')
  const { says, stop } = await progress(writer, redact, { kind: 'json', unicode: true, color: false })
  says(moved.path, moved)
  stop()
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { path: 'artifacts/[redacted]/model-00001-of-00002.safetensors', done: 4 * GiB },
  ])
})
