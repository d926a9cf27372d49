import { expect, test } from 'vitest'
import { joined, stored, unflagged } from './fixtures.ts'
import { cuts, judged } from './judging.ts'

const markEnd = 16

test('what SQLite writes is complete, and every cut of it broken that leaves a byte', async () => {
  const bytes = stored('sqlite/plain.db')
  expect(await judged(bytes, 'mlflow.db')).toMatchObject({ judgement: 'complete', format: { id: 'sqlite' } })
  expect(unflagged(await cuts(bytes, 'mlflow.db'))).toEqual([0])
  expect(unflagged(await cuts(bytes, 'x', [markEnd, 99, 100, 2047]))).toEqual([])
})

test('a cut database whose pages may be in a log beside it is suspect', async () => {
  const bytes = stored('sqlite/wal.db')
  expect(await judged(bytes, 'a.sqlite')).toMatchObject({ judgement: 'complete' })
  expect((await cuts(bytes, 'a.sqlite', [100, 1024, bytes.length - 1])).suspect).toHaveLength(3)
})

const plain = stored('sqlite/plain.db')
const patched = (at: number, bytes: readonly number[]): Buffer => {
  const copy = Buffer.from(plain)
  copy.set(bytes, at)
  return copy
}

test('the page size 1 means 65536', async () => {
  const bytes = joined(patched(16, [0, 1]), new Uint8Array(4 * 65_536 - 2048).fill(1))
  expect(await judged(bytes, 'a.db')).toMatchObject({ judgement: 'complete' })
  expect(await judged(bytes.subarray(0, -1), 'a.db')).toMatchObject({ judgement: 'broken', expected: 4 * 65_536 })
})

const odd: Record<string, Buffer> = {
  'a count of pages that is out of date': patched(24, [9, 9, 9, 9]),
  'a count of none': patched(28, [0, 0, 0, 0]),
  'a page size that is no power of two': patched(16, [3, 3]),
  'another kind of .db': joined('\x00\x05\x31\x62', new Uint8Array(3000).fill(1)),
}
for (const [what, bytes] of Object.entries(odd)) {
  test(`unknown, even when it is cut: ${what}`, async () => {
    expect(await judged(bytes, 'a.db')).toMatchObject({ judgement: 'unknown' })
    expect(await judged(bytes.subarray(0, 1000), 'a.db')).toMatchObject({ judgement: 'unknown' })
  })
}

test('a database that nothing was written to has no bytes', async () => {
  expect(await judged('', 'a.db')).toMatchObject({ judgement: 'unknown' })
})

test('free pages may be zeros, as many as the header counts', async () => {
  const page = 4096
  const pages = (free: number): Buffer => {
    const bytes = Buffer.alloc(40 * page)
    bytes.fill(1, 100, 10 * page)
    plain.copy(bytes, 0, 0, 100)
    bytes.writeUInt16BE(page, 16)
    bytes.writeUInt32BE(40, 28)
    bytes.writeUInt32BE(free, 36)
    return bytes
  }
  expect(await judged(pages(30), 'a.db')).toMatchObject({ judgement: 'complete' })
  expect(await judged(pages(29), 'a.db')).toMatchObject({ judgement: 'suspect' })
})
