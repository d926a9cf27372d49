import { expect, test } from 'vitest'
import { joined, stored, unflagged } from './fixtures.ts'
import { cuts, judged } from './judging.ts'

/** Where the mark of HDF5 has ended, so that a cut is seen under any name. */
const withMark: Record<string, number> = {
  'earliest-0': 8,
  'earliest-512': 520,
  'latest-0': 8,
  'latest-2048': 2056,
  paged: 8,
  empty: 8,
}
for (const [name, from] of Object.entries(withMark)) {
  test(`what the library writes is complete, and every cut of it broken: ${name}`, async () => {
    const bytes = stored(`hdf5/${name}.h5`)
    expect(await judged(bytes, 'model.h5')).toMatchObject({ judgement: 'complete', format: { id: 'hdf5' } })
    const left = Array.from({ length: bytes.length - from }, (_, n) => from + n).filter(
      (n) => n % 7 === 0 || n > bytes.length - 9,
    )
    expect(unflagged(await cuts(bytes, 'model.bin', left))).toEqual([])
    // Also where nothing but an empty user block is left.
    expect(unflagged(await cuts(bytes, 'model.h5', [1, 40, 300, from]))).toEqual([])
  })
}

const plain = stored('hdf5/earliest-0.h5')
const patched = (at: number, bytes: readonly number[]): Buffer => {
  const copy = Buffer.from(plain)
  copy.set(bytes, at)
  return copy
}
const none = new Array<number>(8).fill(0xff)

test('bytes past the end that it tells are legal', async () => {
  expect(await judged(joined(plain, 'more'), 'model.h5')).toMatchObject({ judgement: 'ended' })
})

test('a user block larger than the first read is looked behind', async () => {
  const bytes = joined(new Uint8Array(2 ** 17).fill(1), plain)
  expect(await judged(bytes, 'model.h5')).toMatchObject({ judgement: 'complete' })
  expect(await judged(bytes.subarray(0, -1), 'model.h5')).toMatchObject({ judgement: 'broken' })
})

const odd: Record<string, Buffer> = {
  'no end that it tells': patched(40, none),
  'a driver of its own': patched(48, [96, 0, 0, 0, 0, 0, 0, 0]),
  'a version of the future': patched(8, [4]),
  'addresses of three bytes': patched(13, [3]),
  'no mark': joined('CDF\x01', new Uint8Array(600)),
}
for (const [what, bytes] of Object.entries(odd)) {
  test(`unknown, even when it is cut: ${what}`, async () => {
    expect(await judged(bytes, 'model.h5')).toMatchObject({ judgement: 'unknown' })
    expect(await judged(bytes.subarray(0, 500), 'model.h5')).toMatchObject({ judgement: 'unknown' })
  })
}

test('a file that was open for writing when it was stored is unknown', async () => {
  const bytes = stored('hdf5/latest-0.h5')
  expect(bytes[8]).toBe(3)
  bytes[11] = 1
  expect(await judged(bytes, 'model.h5')).toMatchObject({ judgement: 'unknown' })
})

test('a user block of zeros is legal at any size, and suspect without what it stands in front of', async () => {
  for (const size of [2 ** 16, 2 ** 20]) {
    const bytes = joined(new Uint8Array(size), plain)
    expect(await judged(bytes, 'model.h5')).toMatchObject({ judgement: 'complete' })
    expect(await judged(bytes.subarray(0, size), 'model.h5')).toMatchObject({ judgement: 'suspect' })
  }
})

test('an array of zeros may begin at a page, where the file says so', async () => {
  const bytes = Buffer.alloc(2 ** 18)
  bytes.fill(1, 0, 8192)
  plain.copy(bytes, 0, 0, 96)
  bytes.writeBigUInt64LE(BigInt(bytes.length), 40)
  expect(await judged(bytes, 'model.h5')).toMatchObject({ judgement: 'suspect' })
  bytes.writeBigUInt64LE(8192n, 1000)
  expect(await judged(bytes, 'model.h5')).toMatchObject({ judgement: 'complete' })
})
