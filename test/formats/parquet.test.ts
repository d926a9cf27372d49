import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cuts, judged } from './judging.ts'

// Written by pyarrow 26: page checksums, indexes and bloom filters, no rows, no columns, no row groups, nested columns, chunks in other files, both kinds of encryption.
const folder = new URL('../../fixtures/formats/parquet/', import.meta.url)
const names = readdirSync(folder)
const read = (name: string) => readFileSync(new URL(name, folder))

test.each(names)('%s is whole, and so are its pages', async (name) => {
  const judgement = name === 'encrypted.parquet' ? 'ended' : 'complete'
  expect(await judged(read(name), name)).toMatchObject({ judgement, format: { id: 'parquet' } })
  expect(await judged(read(name), name, { prove: true })).toMatchObject({ judgement })
})

test.each(names)('every cut of %s is broken', async (name) => {
  const bytes = read(name)
  expect((await cuts(bytes, name)).broken).toHaveLength(bytes.length)
})

test('a missing middle is broken: the footer points past it', async () => {
  const bytes = read('crc.parquet')
  const spliced = Buffer.concat([bytes.subarray(0, 1000), bytes.subarray(1100)])
  expect(await judged(spliced, 'a.parquet')).toMatchObject({ judgement: 'broken', expected: bytes.length })
})

test('the indexes and the bloom filter count as content', async () => {
  for (const name of ['index.parquet', 'bloom.parquet']) {
    const bytes = read(name)
    const length = bytes.readUInt32LE(bytes.length - 8)
    const spliced = Buffer.concat([bytes.subarray(0, -9 - length), bytes.subarray(-8 - length)])
    expect(await judged(spliced, name)).toMatchObject({ judgement: 'broken', expected: bytes.length })
  }
})

test('bytes before the footer and after the end are not broken', async () => {
  const bytes = read('crc.parquet')
  const length = bytes.readUInt32LE(bytes.length - 8)
  const gap = Buffer.concat([bytes.subarray(0, -8 - length), Buffer.alloc(50), bytes.subarray(-8 - length)])
  expect(await judged(gap, 'a.parquet')).toMatchObject({ judgement: 'complete' })
  expect(await judged(Buffer.concat([bytes, Buffer.from('\n')]), 'a.parquet')).toMatchObject({ judgement: 'unknown' })
})

test('a changed byte in a page is found by its checksum, a zeroed one by its header', async () => {
  const bytes = Buffer.from(read('crc.parquet'))
  const at = 200
  bytes[at] = (bytes[at] ?? 0) ^ 1
  expect(await judged(bytes, 'a.parquet')).toMatchObject({ judgement: 'complete' })
  expect(await judged(bytes, 'a.parquet', { prove: true })).toMatchObject({ judgement: 'broken' })
  const plain = Buffer.from(read('bloom.parquet')).fill(0, 4, 40)
  expect(await judged(plain, 'a.parquet', { prove: true })).toMatchObject({ judgement: 'broken' })
})

test('a file of another kind under its name is unknown', async () => {
  expect(await judged('a,b\n1,2\n3,4\n', 'a.parquet')).toMatchObject({ judgement: 'unknown' })
})

test('hostile footers get a verdict', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (footer) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(footer.length)
      const bytes = Buffer.concat([Buffer.from('PAR1'), footer, length, Buffer.from('PAR1')])
      for (const prove of [false, true]) {
        expect((await judged(bytes, 'a.parquet', { prove })).judgement).toBeTypeOf('string')
      }
    }),
  )
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 5000 }), fc.nat({ max: 255 }), async (at, byte) => {
      const bytes = Buffer.from(read('crc.parquet'))
      bytes[bytes.length - 1 - (at % bytes.length)] = byte
      expect((await judged(bytes, 'a.parquet', { prove: true })).judgement).toBeTypeOf('string')
    }),
  )
})

test("another file's footer, alone, is unknown: nothing was stored with it", async () => {
  const bytes = read('crc.parquet')
  const length = bytes.readUInt32LE(bytes.length - 8)
  const alone = Buffer.concat([bytes.subarray(0, 4), bytes.subarray(bytes.length - 8 - length)])
  expect((await judged(alone, '_metadata')).judgement).toBe('unknown')
})
