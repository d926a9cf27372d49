import fc from 'fast-check'
import { expect, test } from 'vitest'
import { joined, stored, unflagged } from './fixtures.ts'
import { cuts, judged } from './judging.ts'

test('what the library writes is complete, and every cut of it broken', async () => {
  const bytes = stored('msgpack/flax.msgpack')
  expect(await judged(bytes, 'flax_model.msgpack')).toMatchObject({ judgement: 'complete' })
  expect(unflagged(await cuts(bytes, 'flax_model.msgpack'))).toEqual([])
  const nodes = stored('msgpack/nodes')
  expect(await judged(nodes, 'model')).toMatchObject({ judgement: 'complete' })
  expect(unflagged(await cuts(nodes, 'model'))).toEqual([])
})

const legal: Record<string, readonly (string | readonly number[])[]> = {
  'an empty map of one byte': [[0x80]],
  'fixed numbers and words': [[0x96, 0, 127, 0xe0, 0xff, 0xc0, 0xc2]],
  'binary of all widths': [[0x93, 0xc4, 1], 'a', [0xc5, 0, 1], 'a', [0xc6, 0, 0, 0, 1], 'a'],
  'extensions of all widths': [[0x93, 0xc7, 1, 5], 'a', [0xc8, 0, 1, 5], 'a', [0xc9, 0, 0, 0, 1, 5], 'a'],
  'fixed extensions': [
    [0x95, 0xd4],
    'xx',
    [0xd5],
    'xxx',
    [0xd6],
    'x'.repeat(5),
    [0xd7],
    'x'.repeat(9),
    [0xd8],
    'x'.repeat(17),
  ],
  'numbers of all widths': [
    [0x9a, 0xca],
    'ffff',
    [0xcb],
    'ffffffff',
    ...[0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3].flatMap((type, n) => [[type], 'n'.repeat(2 ** (n % 4))]),
  ],
  'texts, lists and maps of all widths': [
    [0x96, 0xd9, 1],
    'a',
    [0xda, 0, 1],
    'a',
    [0xdb, 0, 0, 0, 1],
    'a',
    [0xdc, 0, 1, 0, 0xdd, 0, 0, 0, 1, 0],
    [0xde, 0, 1, 0, 0xdf],
    [0, 0, 0, 0],
  ],
}
for (const [what, parts] of Object.entries(legal)) {
  test(`${what}: one byte less is broken, one more is not`, async () => {
    const parsed = joined(...parts)
    const bytes = what.startsWith('texts') ? Buffer.concat([parsed.subarray(0, -5), Buffer.from([0])]) : parsed
    expect(await judged(bytes, 'a.msgpack')).toMatchObject({ judgement: 'complete' })
    expect(await judged(joined(bytes, 'x'), 'a.msgpack')).toMatchObject({
      judgement: 'ended',
    })
    expect(unflagged(await cuts(bytes, 'a.msgpack'))).toEqual([])
  })
}

const odd: Record<string, readonly [string, Buffer]> = {
  'a byte that begins no value': ['a.msgpack', joined([0x91, 0xc1])],
  'a text': ['model', joined('tree of words\n')],
  'a pickle under the name of a spaCy model': ['cfg', joined('\x80\x00\x95 and more')],
  'a map whose key is no text': ['model', joined([0x82, 5, 5])],
}
for (const [what, [name, bytes]] of Object.entries(odd)) {
  test(`unknown: ${what}`, async () => {
    expect(await judged(bytes, name)).toMatchObject({ judgement: 'unknown' })
  })
}

test('lists in lists, a million deep, and counts of four billion cost neither stack nor memory', async () => {
  const deep = new Uint8Array(1_000_000).fill(0x91)
  deep[deep.length - 1] = 0xc0
  expect(await judged(deep, 'a.msgpack')).toMatchObject({ judgement: 'complete' })
  expect(await judged(deep.subarray(0, -1), 'a.msgpack')).toMatchObject({ judgement: 'broken' })
  expect(await judged(joined([0xdd, 255, 255, 255, 255], 'abc'), 'a.msgpack')).toMatchObject({ judgement: 'broken' })
})

test('the settings of a pipe are JSON', async () => {
  expect(await judged('{"a": 1}', 'cfg')).toMatchObject({ judgement: 'complete' })
  expect(await judged('{"a": 1', 'cfg')).toMatchObject({ judgement: 'broken' })
})

test('many large values cost no more reads than a file may', async () => {
  const value = joined([0xc6, 0, 3, 0, 0], new Uint8Array(3 * 2 ** 16).fill(1))
  const bytes = joined([0xdc, 0, 100], ...new Array<Uint8Array>(100).fill(value))
  expect(await judged(bytes, 'a.msgpack')).toMatchObject({ judgement: 'complete' })
  expect(await judged(bytes.subarray(0, -1), 'a.msgpack')).toMatchObject({ judgement: 'broken' })
})

test('large values are not read', async () => {
  const large = joined([0xc6, 0, 0x20, 0, 0], new Uint8Array(2 ** 21).fill(1))
  const bytes = joined([0x84], ...['a', 'b', 'c', 'd'].map((key) => joined([0xa1], key, large)))
  const found = await judged(bytes, 'a.msgpack')
  expect(found).toMatchObject({ judgement: 'complete' })
  expect(found.spent.bytes).toBeLessThan(500_000)
})

test('whatever it holds, there is a verdict', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 60 }), async (bytes) => {
      const { judgement } = await judged(bytes, 'a.msgpack')
      expect(['broken', 'unknown', 'complete', 'ended']).toContain(judgement)
    }),
  )
})
