import { expect, test } from 'vitest'
import { joined, stored, u32, u64, unflagged } from './fixtures.ts'
import { cuts, judged } from './judging.ts'

test('what the library writes is complete, and every cut of it broken', async () => {
  const bytes = stored('coreml/weight.bin')
  expect(await judged(bytes, 'weight.bin')).toMatchObject({ judgement: 'complete', format: { id: 'blob-weights' } })
  expect(unflagged(await cuts(bytes, 'weight.bin'))).toEqual([])
  expect(unflagged(await cuts(bytes, 'other.bin', [68, 100, 511]))).toEqual([])
})

const unit = 64
const padded = (bytes: Uint8Array): Buffer => joined(bytes, new Uint8Array(-bytes.length & (unit - 1)))
const file = (...sizes: readonly number[]): Buffer => {
  const parts: Uint8Array[] = [padded(joined(u32(sizes.length), u32(2)))]
  let at = unit
  for (const size of sizes) {
    const gap = -at & (unit - 1)
    at += gap + unit
    const about = padded(joined([0xef, 0xbe, 0xad, 0xde], u32(2), u64(size), u64(at)))
    parts.push(new Uint8Array(gap), about, new Uint8Array(size).fill(1))
    at += size
  }
  return joined(...parts)
}

test('files without blobs, and with empty ones, are complete', async () => {
  for (const bytes of [file(), file(0), file(0, 5, 0)]) {
    expect(await judged(bytes, 'weight.bin')).toMatchObject({ judgement: 'complete' })
    expect(unflagged(await cuts(bytes, 'weight.bin'))).toEqual([])
  }
})

test('many blobs are followed to the end as long as that costs no more reads than a file may', async () => {
  const bytes = file(...new Array<number>(70).fill(100_000))
  expect(await judged(bytes, 'weight.bin')).toMatchObject({ judgement: 'complete' })
  expect(await judged(bytes.subarray(0, -1), 'weight.bin')).toMatchObject({ judgement: 'broken' })
})

test('of more blobs than are followed, the last one tells', async () => {
  const bytes = file(...new Array<number>(70).fill(1_000_000))
  expect(await judged(bytes, 'weight.bin')).toMatchObject({ judgement: 'ended' })
  expect(await judged(bytes.subarray(0, -1), 'weight.bin')).toMatchObject({
    judgement: 'broken',
    expected: bytes.length,
  })
  const unseen = file(...new Array<number>(60).fill(1_000_000), 9_000_000)
  expect(await judged(unseen, 'weight.bin')).toMatchObject({ judgement: 'unknown' })
})

test('a blob that is not where the one before it ends is unknown, as is another file of the name', async () => {
  const bytes = file(5, 5, 5, 5)
  bytes[unit + 8] = 100
  expect(await judged(bytes, 'weight.bin')).toMatchObject({ judgement: 'unknown' })
  expect(await judged(joined(new Uint8Array(300).fill(9)), 'weight.bin')).toMatchObject({ judgement: 'unknown' })
})
