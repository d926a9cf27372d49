import fc from 'fast-check'
import { expect, test } from 'vitest'
import { judge } from '../../src/formats/index.ts'
import { joined, stored, u64, unflagged } from './fixtures.ts'
import { cuts, judged } from './judging.ts'

const file = (header: string, data: number): Buffer => joined(u64(header.length), header, new Uint8Array(data).fill(7))
const tensor = (begin: number, end: number): string =>
  `{"dtype":"U8","shape":[${end - begin}],"data_offsets":[${begin},${end}]}`

for (const name of ['three', 'none', 'metadata-only']) {
  test(`what the library writes is complete, and every cut of it broken: ${name}`, async () => {
    const bytes = stored(`safetensors/${name}.safetensors`)
    expect(await judged(bytes, 'model.safetensors')).toMatchObject({ judgement: 'complete' })
    expect(unflagged(await cuts(bytes, 'model.safetensors'))).toEqual([])
  })
}

test('it is told by its content under any name, and the missing bytes are told', async () => {
  const bytes = stored('safetensors/three.safetensors')
  const found = await judged(bytes.subarray(0, -3), 'weights.dat')
  expect(found).toMatchObject({ judgement: 'broken', format: { id: 'safetensors' }, expected: bytes.length })
})

const legal: Record<string, Buffer> = {
  'an empty header': file('{}', 0),
  'a header padded with spaces': file(`{"a":${tensor(0, 4)}}      `, 4),
  'a header that begins with spaces inside': file(`{ "a" : ${tensor(0, 4)} }`, 4),
  'a tensor without elements behind the last': file(`{"a":${tensor(0, 4)},"b":${tensor(4, 4)}}`, 4),
  'metadata that looks like offsets': file(`{"__metadata__":{"data_offsets":"[0,99]"},"a":${tensor(0, 4)}}`, 4),
  'a key with brackets and quotes': file(`{"a]}\\"[{":${tensor(0, 4)}}`, 4),
  'a tensor that is called data_offsets': file(`{"data_offsets":${tensor(0, 4)}}`, 4),
}
for (const [what, bytes] of Object.entries(legal)) {
  test(`complete: ${what}`, async () => {
    expect(await judged(bytes, 'm.safetensors')).toMatchObject({ judgement: 'complete' })
    expect(unflagged(await cuts(bytes, 'm.safetensors'))).toEqual([])
  })
}

test('a longer file is no defect', async () => {
  expect(await judged(joined(legal['an empty header'] ?? '', 'more'), 'm.safetensors')).toMatchObject({
    judgement: 'ended',
  })
})

const odd: Record<string, Buffer> = {
  'a pointer to a file of Git LFS': joined('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n'),
  'offsets that are no numbers': file('{"a":{"data_offsets":[-1,4]}}', 4),
  'offsets that are three': file('{"a":{"data_offsets":[0,1,2]}}', 4),
  'a header that is no JSON': file('{"a":', 4),
  'more behind the header': file('{}{}', 4),
  'a length beyond all headers': joined(u64(2 ** 60), '{}'),
}
for (const [what, bytes] of Object.entries(odd)) {
  test(`unknown: ${what}`, async () => {
    expect(await judged(bytes, 'm.safetensors')).toMatchObject({ judgement: 'unknown' })
  })
}

test('a header of 20 MiB is read in pieces', async () => {
  const many = Array.from({ length: 250_000 }, (_, n) => `"layer.${n}.weight":${tensor(n * 4, n * 4 + 4)}`)
  const bytes = file(`{${many.join(',')}}`, 1_000_000)
  expect(await judged(bytes, 'm.safetensors')).toMatchObject({ judgement: 'complete' })
  expect(await judged(bytes.subarray(0, -1), 'm.safetensors')).toMatchObject({ judgement: 'broken' })
})

test('a header beyond all budgets is unknown, unless the file ends within it', async () => {
  const head = joined(u64(90_000_000), '{"a":', ' '.repeat(2 ** 16))
  const source = (size: number) => ({
    size,
    read: async (at: number, length: number) => {
      const bytes = Buffer.alloc(length, ' ')
      if (at < head.length) head.copy(bytes, 0, at)
      return bytes
    },
  })
  expect(await judge(source(2 ** 40), 'm.safetensors')).toMatchObject({ judgement: 'unknown' })
  expect(await judge(source(80_000_000), 'm.safetensors')).toMatchObject({ judgement: 'broken', expected: 90_000_008 })
})

test('whatever the header says, there is a verdict', async () => {
  const header = fc.oneof(fc.json(), fc.string(), fc.constant(`{"a":{"data_offsets":[0,${'9'.repeat(400)}]}}`))
  await fc.assert(
    fc.asyncProperty(header, fc.nat(50), async (text, data) => {
      const bytes = Buffer.from(text)
      const { judgement } = await judged(joined(u64(bytes.length), bytes, new Uint8Array(data)), 'm.safetensors')
      expect(['broken', 'unknown', 'complete', 'ended', 'suspect']).toContain(judgement)
    }),
  )
})

test('a tensor of zeros may begin at a page', async () => {
  const header = (second: number): string =>
    JSON.stringify({
      a: { dtype: 'U8', shape: [second], data_offsets: [0, second] },
      b: { dtype: 'U8', shape: [200_000 - second], data_offsets: [second, 200_000] },
    }).padEnd(4088)
  const bytes = (second: number): Uint8Array =>
    joined(u64(4088), header(second), new Uint8Array(8192).fill(1), new Uint8Array(200_000 - 8192))
  expect(await judged(bytes(8192), 'a.safetensors')).toMatchObject({ judgement: 'complete' })
  expect(await judged(bytes(8000), 'a.safetensors')).toMatchObject({ judgement: 'suspect' })
})
