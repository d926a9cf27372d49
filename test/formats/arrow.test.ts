import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cuts, judged } from './judging.ts'

// Written by pyarrow 26: uncompressed and compressed, with dictionaries, empty, and of the layout before Arrow 0.15.
const read = (format: string) => {
  const folder = new URL(`../../fixtures/formats/${format}/`, import.meta.url)
  return readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder))] as const)
}
const one = (format: string, name: string): Buffer =>
  read(format).find(([known]) => known === name)?.[1] ?? Buffer.alloc(0)

describe.each([
  ['arrow', 'an Arrow file'],
  ['feather', 'a Feather file of version 1'],
])('%s', (format, title) => {
  test.each(read(format))('%s is whole, and no cut of it is', async (name, bytes) => {
    expect(await judged(bytes, name)).toMatchObject({ judgement: 'complete', format: { id: format, title } })
    expect((await cuts(bytes, name)).broken.filter((length) => length >= 4).length).toBeGreaterThan(bytes.length - 20)
  })

  test.each(read(format).filter(([name]) => !name.startsWith('empty')))(
    'a missing middle of %s is broken',
    async (name, bytes) => {
      const half = Math.floor(bytes.length / 2)
      const spliced = Buffer.concat([bytes.subarray(0, half - 120), bytes.subarray(half)])
      expect(await judged(spliced, name)).toMatchObject({ judgement: 'broken' })
    },
  )
})

test('bytes after an Arrow file are not broken', async () => {
  const bytes = one('arrow', 'dict.arrow')
  expect(await judged(Buffer.concat([bytes, Buffer.from('\n')]), 'a.arrow')).toMatchObject({ judgement: 'unknown' })
})

describe('an Arrow stream', () => {
  test.each(read('arrow-stream'))('%s is whole, and every cut is found', async (name, bytes) => {
    expect(await judged(bytes, name)).toMatchObject({ judgement: 'complete', format: { id: 'arrow-stream' } })
    const found = await cuts(bytes, name)
    // Where a message ends, a stream may end, too: a suspicion.
    expect(found.suspect.length).toBeLessThan(5)
    expect(found.unknown.filter((length) => length > 48)).toEqual([])
    expect([...found.complete, ...found.ended]).toEqual([])
  })

  test('is known by its content, whatever its name', async () => {
    const bytes = one('arrow-stream', 'dict.arrows')
    expect(await judged(bytes, 'data-00000-of-00001.arrow')).toMatchObject({ judgement: 'complete' })
    expect(await judged(Buffer.concat([bytes, bytes]), 'a')).toMatchObject({ judgement: 'ended' })
  })

  test('of many messages is judged by its end', async () => {
    const bytes = one('arrow-stream', 'stream-zstd.arrows')
    const schema = bytes.readUInt32LE(4) + 8
    const end = bytes.length - 8
    const batches = bytes.subarray(schema, end)
    const long = Buffer.concat([bytes.subarray(0, schema), ...Array(9000).fill(batches), bytes.subarray(end)])
    expect(await judged(long, 'a')).toMatchObject({ judgement: 'ended' })
    expect(await judged(long.subarray(0, -1), 'a')).toMatchObject({ judgement: 'suspect' })
  })
})

test('whatever follows the marks gets a verdict', async () => {
  const marks = ['ARROW1\0\0', 'FEA1', '\xff\xff\xff\xff'].map((mark) => Buffer.from(mark, 'latin1'))
  const length = fc.constantFrom([0, 0, 0, 0], [40, 0, 0, 0], [255, 255, 255, 255], [16, 0, 0, 0])
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...marks),
      length,
      fc.uint8Array({ maxLength: 200 }),
      length,
      async (mark, first, rest, last) => {
        for (const end of [mark.subarray(0, 6), mark, Buffer.of()]) {
          const bytes = Buffer.concat([mark, Buffer.from(first), rest, Buffer.from(last), end])
          expect((await judged(bytes, 'a.arrows')).judgement).toBeTypeOf('string')
        }
      },
    ),
  )
  const valid = [...read('arrow'), ...read('feather'), ...read('arrow-stream')]
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...valid), fc.nat(), fc.nat({ max: 255 }), async ([name, whole], at, byte) => {
      const bytes = Buffer.from(whole)
      bytes[at % bytes.length] = byte
      expect((await judged(bytes, name)).judgement).toBeTypeOf('string')
    }),
  )
})
