import fc from 'fast-check'
import { expect, test } from 'vitest'
import { joined, stored, u32, u64, unflagged } from './fixtures.ts'
import { cuts, judged } from './judging.ts'

const text = (value: string) => joined(u64(value.length), value)
const header = (tensors: number, keys: number, version = 3) => joined('GGUF', u32(version), u64(tensors), u64(keys))
const tensor = (type: number, shape: readonly number[], offset = 0) =>
  joined(text('t'), u32(shape.length), ...shape.map(u64), u32(type), u64(offset))
const aligned = (bytes: Buffer, to = 32) => joined(bytes, new Uint8Array(-bytes.length & (to - 1)))
const data = (length: number) => new Uint8Array(length).fill(5)

/** Zeros that pad the last tensor, which no reader needs. */
const padding: Record<string, number> = { quantised: 32, vocabulary: 32, aligned: 64 }
for (const [name, pad] of Object.entries(padding)) {
  test(`what the library writes is complete, and every cut of it broken: ${name}`, async () => {
    const bytes = stored(`gguf/${name}.gguf`)
    expect(await judged(bytes, 'm.gguf')).toMatchObject({ judgement: 'complete', format: { id: 'gguf' } })
    for (const size of unflagged(await cuts(bytes, 'm.gguf'))) expect(size).toBeGreaterThan(bytes.length - pad)
  })
}

test('a type of 256 elements in 210 bytes: the last byte counts', async () => {
  const bytes = joined(aligned(joined(header(1, 0), tensor(14, [256, 3]))), data(630))
  expect(await judged(bytes, 'm.gguf')).toMatchObject({ judgement: 'complete' })
  expect(unflagged(await cuts(bytes, 'm.gguf'))).toEqual([])
  expect(await judged(joined(bytes, data(40)), 'm.gguf')).toMatchObject({ judgement: 'ended' })
})

test('metadata of every type is stepped over, arrays in arrays too', async () => {
  const value = (type: number, bytes: Uint8Array | readonly number[]) => joined(text('key'), u32(type), bytes)
  const widths = [1, 1, 2, 2, 4, 4, 4, 1]
  const values = [
    ...widths.map((width, type) => value(type, data(width))),
    ...[10, 11, 12].map((type) => value(type, data(8))),
    value(8, text('a text')),
    value(9, joined(u32(8), u64(2), text('a'), text('bc'))),
    value(9, joined(u32(5), u64(3), data(12))),
    value(9, joined(u32(9), u64(2), u32(0), u64(3), data(3), u32(8), u64(1), text('x'))),
    value(9, joined(u32(9), u64(0))),
  ]
  const bytes = joined(aligned(joined(header(1, values.length), ...values, tensor(0, []))), data(4))
  expect(await judged(bytes, 'm.gguf')).toMatchObject({ judgement: 'complete' })
  expect(unflagged(await cuts(bytes, 'm.gguf'))).toEqual([])
})

test('a vocabulary beyond the first read is walked to its end', async () => {
  const words = Array.from({ length: 100_000 }, (_, n) => text(`word ${n}`))
  const metadata = joined(text('words'), u32(9), u32(8), u64(words.length), ...words)
  const bytes = joined(aligned(joined(header(1, 1), metadata, tensor(1, [1000, 1000]))), data(2_000_000))
  const found = await judged(bytes, 'm.gguf')
  expect(found).toMatchObject({ judgement: 'complete' })
  expect(found.spent.reads).toBeLessThanOrEqual(6)
  expect(await judged(bytes.subarray(0, -1), 'm.gguf')).toMatchObject({ judgement: 'broken', expected: bytes.length })
})

const nested = (depth: number) => joined(...Array.from({ length: depth }, () => joined(u32(9), u64(1))))
const odd: Record<string, Buffer> = {
  'the big-endian one that the library writes': stored('gguf/big-endian.gguf'),
  'the first version': joined('GGUF', u32(1), data(40)),
  'a type that is not known': joined(aligned(joined(header(1, 0), tensor(99, [4]))), data(4)),
  'a type that is no longer written': joined(aligned(joined(header(1, 0), tensor(4, [32]))), data(32)),
  'a row that is no whole block': joined(aligned(joined(header(1, 0), tensor(14, [200]))), data(400)),
  'metadata of an unknown type': joined(header(0, 1), text('key'), u32(77), data(100)),
  'arrays that nest without end': joined(header(0, 1), text('key'), u32(9), nested(10_000)),
  'an alignment of zero': joined(header(0, 1), text('general.alignment'), u32(4), u32(0), data(100)),
  'more dimensions than any': joined(header(1, 0), text('t'), u32(2 ** 31), data(100)),
  'sides whose product is beyond all files': joined(header(1, 0), tensor(0, [2 ** 40, 2 ** 40]), data(100)),
}
for (const [what, bytes] of Object.entries(odd)) {
  test(`unknown: ${what}`, async () => {
    expect(await judged(bytes, 'm.gguf')).toMatchObject({ judgement: 'unknown' })
  })
}

test('whatever follows the mark, there is a verdict', async () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.constantFrom(u64(2 ** 63), u64(1), u32(9), u32(8), text('a')).map((bytes) => Uint8Array.from(bytes)),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece), async (pieces) => {
      const { judgement } = await judged(joined('GGUF', u32(3), ...pieces), 'm.gguf')
      expect(['broken', 'unknown', 'complete', 'ended']).toContain(judgement)
    }),
  )
})

test('a tensor of zeros may begin at a page', async () => {
  const page = 4096
  const file = (second: number): Buffer => {
    const alignment = joined(text('general.alignment'), u32(4), u32(page))
    const start = joined(header(2, 1), alignment, tensor(24, [second]), tensor(24, [200_000 - second], second))
    return joined(aligned(start, page), data(page), new Uint8Array(200_000 - page))
  }
  expect(await judged(file(page), 'm.gguf')).toMatchObject({ judgement: 'complete' })
  expect(await judged(file(page - 32), 'm.gguf')).toMatchObject({ judgement: 'suspect' })
})
