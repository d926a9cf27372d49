import { expect, test } from 'vitest'
import { crc32c } from '../../src/crc32c.ts'
import { joined, stored, unflagged } from './fixtures.ts'
import { cuts, judged } from './judging.ts'

const bytes = stored('tensorflow/variables.index')
/** Where the beginning tells the format under any name. */
const markEnd = 9
/** The table's footer: places of two blocks, and the mark. */
const footerBytes = 48
const patched = (at: number, byte: number): Buffer => {
  const copy = Buffer.from(bytes)
  copy[at] = byte
  return copy
}

test('what TensorFlow writes is complete, and tells what the file of tensors has at least', async () => {
  const found = await judged(bytes, 'variables/variables.index')
  expect(found).toMatchObject({ judgement: 'complete', format: { id: 'tensor-bundle' } })
  // The size of the file that TensorFlow wrote beside it.
  expect(found.refers).toEqual([{ path: 'variables.data-00000-of-00001', least: 3486 }])
  expect(await judged(bytes, 'ckpt-1.index')).toMatchObject({ refers: [{ path: 'ckpt-1.data-00000-of-00001' }] })
})

test('every cut is broken, and under other names every one that leaves the beginning', async () => {
  expect(unflagged(await cuts(bytes, 'variables.index'))).toEqual([])
  const left = Array.from({ length: bytes.length - markEnd }, (_, n) => n + markEnd)
  expect(unflagged(await cuts(bytes, 'model.ckpt-7.index', left))).toEqual([])
})

test('a missing middle is broken, and bytes behind the end are not', async () => {
  const hollow = joined(bytes.subarray(0, 300), bytes.subarray(400))
  expect(await judged(hollow, 'variables.index')).toMatchObject({ judgement: 'broken' })
  expect(await judged(joined(bytes, 'more'), 'variables.index')).toMatchObject({ judgement: 'ended' })
})

test('another kind of index is unknown', async () => {
  for (const other of [joined('IxFI', new Uint8Array(100).fill(3)), joined('\0\0\x06', new Uint8Array(100).fill(3))]) {
    expect(await judged(other, 'variables.index')).toMatchObject({ judgement: 'unknown' })
    expect(await judged(other, 'faiss.index')).toMatchObject({ judgement: 'unknown' })
  }
})

test('the checksums of its blocks tell any byte that differs', async () => {
  expect(await judged(bytes, 'variables.index', { prove: true })).toMatchObject({ judgement: 'complete' })
  for (let at = 0; at < bytes.length - footerBytes; at += 1) {
    const found = await judged(patched(at, (bytes[at] ?? 0) ^ 0x10), 'variables.index', { prove: true })
    expect(['broken', 'unknown', 'ended'], `byte ${at}: ${found.because}`).toContain(found.judgement)
  }
  const value = patched(500, (bytes[500] ?? 0) ^ 0x10)
  expect(await judged(value, 'variables.index', { prove: true })).toMatchObject({
    judgement: 'broken',
    because: expect.stringMatching(/checksum/),
  })
})

test('the checksum is that of RFC 3720, B.4, in pieces too', () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
  const text = Buffer.from('123456789')
  expect(crc32c(text)).toBe(0xe3069283)
  expect(crc32c(text.subarray(4), crc32c(text.subarray(0, 4)))).toBe(0xe3069283)
})

test('blocks that lie in each other are not followed', async () => {
  const end = [0, 0, 0, 0, 1, 0, 0, 0]
  const entry = (value: readonly number[]) => [0, 1, value.length, 0x6b, ...value]
  const block = Uint8Array.from([0, 0, 4, 0x08, 1, 0x20, 1, ...entry([0x28, 1]), ...end])
  const index = Uint8Array.from([...entry([0, block.length]), ...entry([0, block.length]), ...end])
  const footer = new Uint8Array(footerBytes)
  footer.set([0, 0, block.length + 5, index.length])
  footer.set([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb], footerBytes - 8)
  const table = joined(block, new Uint8Array(5), index, new Uint8Array(5), footer)
  expect(await judged(table, 'variables.index')).toMatchObject({
    judgement: 'unknown',
    because: expect.stringContaining('in each other'),
  })
})
