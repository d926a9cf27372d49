import fc from 'fast-check'
import { expect, test } from 'vitest'
import { joined, stored, u32, unflagged } from './fixtures.ts'
import { cuts, judged } from './judging.ts'

for (const name of ['float', 'int8']) {
  test(`what the converter writes is complete, and every cut of it broken: ${name}`, async () => {
    const bytes = stored(`tflite/${name}.tflite`)
    expect(await judged(bytes, 'm.tflite')).toMatchObject({ judgement: 'complete', format: { id: 'tflite' } })
    expect(unflagged(await cuts(bytes, 'm.tflite'))).toEqual([])
  })
}

test('metadata that is appended in a zip is legal; cut before it a model is broken, and within it suspect', async () => {
  const bytes = stored('tflite/labels-after.tflite')
  expect(await judged(bytes, 'm.tflite')).toMatchObject({ judgement: 'ended' })
  const model = bytes.indexOf('PK\x03\x04', 0, 'latin1')
  const left = Array.from({ length: model }, (_, n) => n)
  expect((await cuts(bytes, 'm.tflite', left)).broken).toEqual(left)
  expect((await cuts(bytes, 'm.tflite', [model + 4, model + 100, bytes.length - 1])).suspect).toHaveLength(3)
})

const u16 = (n: number): number[] => [n & 255, n >> 8]
/** A table with fields of four bytes, its list of fields before it. */
const table = (values: readonly number[]) =>
  joined(
    u16(4 + 2 * values.length),
    u16(4 + 4 * values.length),
    ...values.map((_, nth) => u16(4 + 4 * nth)),
    u32(4 + 2 * values.length),
    ...values.map(u32),
  )

/** A model of buffers alone: field 4, whose offset is counted from its own place. */
const buffers = (...sizes: readonly number[]): Buffer => {
  const model = table([3, 0, 0, 0, 0])
  const inModel = model.length - 4
  model.set(u32(4), inModel)
  // Unset, as a field without a value is.
  for (const nth of [1, 2, 3]) model.set(u16(0), 4 + 2 * nth)
  const tables = sizes.map((size) => joined(table([4]), u32(size), new Uint8Array(size).fill(7)))
  const offsets: number[] = []
  let at = 4 * sizes.length
  for (const [nth, bytes] of tables.entries()) {
    // To the table behind its list of six bytes.
    offsets.push(at + 6 - 4 * nth)
    at += bytes.length
  }
  const root = 8 + 14
  return joined(u32(root), 'TFL3', model, u32(sizes.length), ...offsets.map(u32), ...tables)
}

test('the last byte of the last buffer counts, in models beyond all reads too', async () => {
  const small = buffers(3, 0, 5)
  expect(await judged(small, 'm.tflite')).toMatchObject({ judgement: 'complete' })
  expect(unflagged(await cuts(small, 'm.tflite'))).toEqual([])

  const large = buffers(...new Array<number>(60).fill(150_000))
  const found = await judged(large, 'm.tflite')
  expect(found).toMatchObject({ judgement: 'complete' })
  expect(found.spent.reads).toBeLessThan(8)
  expect(await judged(large.subarray(0, -1), 'm.tflite')).toMatchObject({ judgement: 'broken', expected: large.length })
  expect(await judged(large.subarray(0, 1_000_000), 'm.tflite')).toMatchObject({ judgement: 'broken' })
})

test('offsets that point into nowhere, counts of four billion and changed bytes: always a verdict', async () => {
  const bytes = stored('tflite/float.tflite')
  const change = fc.tuple(
    fc.nat(bytes.length - 12),
    fc.constantFrom([0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0x7f], [0], [1]),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 5 }), async (changes) => {
      const copy = Buffer.from(bytes)
      for (const [at, patch] of changes) copy.set(patch, at + 8)
      const { judgement } = await judged(copy.subarray(0, bytes.length), 'm.tflite')
      expect(['broken', 'unknown', 'complete', 'ended']).toContain(judgement)
    }),
  )
})

test('another file under its name is unknown', async () => {
  expect(await judged(joined('PK\x05\x06nothing of a model'), 'm.tflite')).not.toMatchObject({ judgement: 'complete' })
  expect(await judged(joined('plain text that is long enough'), 'm.tflite')).toMatchObject({ judgement: 'unknown' })
})

test('lists of tables that lie in each other are not gone through again and again', async () => {
  // A count, an offset and a list of no fields at once.
  const word = 0x1_0004
  const lists = 7
  const [subgraphs, tables, region] = [128, 256, 512]
  const bytes = Buffer.alloc(region + 5 * word + 92)
  for (let at = region; at < bytes.length; at += 4) bytes.writeUInt32LE(word, at)
  bytes.writeUInt32LE(64, 0)
  bytes.write('TFL3', 4)
  for (const [nth, value] of [10, 8, 0, 0, 4].entries()) bytes.writeUInt16LE(value, 16 + 2 * nth)
  for (const [nth, value] of [6, 8, 4].entries()) bytes.writeUInt16LE(value, 32 + 2 * nth)
  bytes.writeUInt32LE(64 - 16, 64)
  bytes.writeUInt32LE(subgraphs - 68, 68)
  bytes.writeUInt32LE(lists, subgraphs)
  for (let nth = 0; nth < lists; nth += 1) {
    const [entry, table] = [subgraphs + 4 + 4 * nth, tables + 8 * nth]
    bytes.writeUInt32LE(table - entry, entry)
    bytes.writeUInt32LE(table - 32, table)
    bytes.writeUInt32LE(region + 4 * nth - (table + 4), table + 4)
  }
  expect(await judged(bytes, 'a.tflite')).toMatchObject({
    judgement: 'unknown',
    because: expect.stringContaining('458787 tables'),
  })
})
