import { expect, test } from 'vitest'
import { CutShort, OutOfReads, ShortRead } from '../../src/formats/format.ts'
import { openPeek, structureBudget, tailBytes } from '../../src/formats/peek.ts'
import { counted, noise } from './counted.ts'

const KiB = 1024

test('a small file is read in one request, and everything after comes from memory', async () => {
  const bytes = noise(128 * KiB)
  const source = counted(bytes)
  const peek = await openPeek(source, structureBudget)
  expect(peek.head).toEqual(bytes.subarray(0, 64 * KiB))
  expect(peek.tail).toEqual(bytes.subarray(bytes.length - tailBytes))
  expect(await peek.read(70_000, 20_000)).toEqual(bytes.subarray(70_000, 90_000))
  expect(source.reads).toEqual([{ offset: 0, length: bytes.length }])
  expect(peek.spent()).toEqual({ reads: 1, bytes: bytes.length })
})

test('a large file costs its head and its tail, and a read in the middle brings its neighbourhood along', async () => {
  const bytes = noise(1024 * KiB)
  const source = counted(bytes)
  const peek = await openPeek(source, structureBudget)
  expect(source.reads).toHaveLength(2)
  expect(await peek.exactly(500_000, 4)).toEqual(bytes.subarray(500_000, 500_004))
  expect(await peek.exactly(500_100, 4)).toEqual(bytes.subarray(500_100, 500_104))
  expect(source.reads.at(-1)).toEqual({ offset: 500_000, length: 16 * KiB })
  expect(source.reads).toHaveLength(3)
})

test('no read leaves the file, whatever is asked for', async () => {
  const bytes = noise(200 * KiB)
  const source = counted(bytes)
  const peek = await openPeek(source, structureBudget)
  expect(await peek.read(bytes.length - 10, 1000)).toHaveLength(10)
  expect(await peek.read(bytes.length, 10)).toHaveLength(0)
  await expect(peek.exactly(bytes.length - 10, 11)).rejects.toEqual(new CutShort(bytes.length + 1))
  await expect(peek.exactly(2 ** 53 - 1, 2 ** 53 - 1)).rejects.toBeInstanceOf(CutShort)
  await expect(peek.read(-1, 5)).rejects.toBeInstanceOf(RangeError)
  await expect(peek.read(2 ** 60, 5)).rejects.toBeInstanceOf(RangeError)
  await expect(peek.read(0, Number.NaN)).rejects.toBeInstanceOf(RangeError)
  for (const { offset, length } of source.reads) expect(offset + length).toBeLessThanOrEqual(bytes.length)
})

test('the budget ends the reads: their number, their bytes, and the size of one', async () => {
  const bytes = noise(1024 * KiB)
  const read = async (budget: Parameters<typeof openPeek>[1], offset: number, length: number) =>
    (await openPeek(counted(bytes), budget)).read(offset, length)
  const generous = { reads: 3, bytes: 1024 * KiB, piece: 512 * KiB }
  await expect(read(generous, 300_000, 100)).resolves.toHaveLength(100)
  await expect(read({ ...generous, reads: 2 }, 300_000, 100)).rejects.toBeInstanceOf(OutOfReads)
  await expect(read({ ...generous, bytes: 150 * KiB }, 300_000, 64 * KiB)).rejects.toBeInstanceOf(OutOfReads)
  await expect(read({ ...generous, piece: 100 * KiB }, 300_000, 200 * KiB)).rejects.toBeInstanceOf(OutOfReads)
})

test('a store that gives fewer bytes than it has listed is not taken for the end of the file', async () => {
  const source = { size: 1000, read: async () => new Uint8Array(10) }
  await expect(openPeek(source, structureBudget)).rejects.toBeInstanceOf(ShortRead)
})

test('what is kept stays bounded, and comes back by another read', async () => {
  const bytes = noise(20 * 1024 * KiB)
  const source = counted(bytes)
  const peek = await openPeek(source, structureBudget)
  for (let at = 1; at < 10; at += 1) await peek.read(at * 2 * 1024 * KiB, 1024 * KiB)
  const before = source.reads.length
  await peek.read(2 * 1024 * KiB, 10)
  expect(source.reads).toHaveLength(before + 1)
  await peek.read(9 * 2 * 1024 * KiB, 10)
  expect(source.reads).toHaveLength(before + 1)
})
