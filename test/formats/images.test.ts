import { readdirSync, readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cuts, judged } from './judging.ts'

// Written by Pillow 13: plain, animated and progressive ones, one with a resolution, one whose Exif holds marks of an end.
const read = (format: string) => {
  const folder = new URL(`../../fixtures/formats/${format}/`, import.meta.url)
  return readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder))] as const)
}
const chunk = (type: string, data: Uint8Array): Buffer => {
  const body = Buffer.concat([Buffer.from(type), data])
  const [length, crc] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  crc.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, crc])
}
const random = (length: number): Buffer => {
  const bytes = Buffer.alloc(length)
  for (let i = 0, seed = 1; i < length; i += 1) {
    seed = (seed * 48_271) % 0x7fff_ffff
    bytes[i] = seed & 255
  }
  return bytes
}

describe('PNG', () => {
  test.each(read('png'))('%s is whole, and no cut of it is', async (name, bytes) => {
    expect(await judged(bytes, name)).toMatchObject({ judgement: 'complete', format: { id: 'png' } })
    expect(await judged(bytes, name, { prove: true })).toMatchObject({ judgement: 'complete' })
    expect((await cuts(bytes, name)).broken).toHaveLength(bytes.length)
  })

  const [, small] = read('png')[0] ?? ['', Buffer.alloc(0)]
  const header = small.subarray(0, 33)
  const large = (chunks: number): Buffer =>
    Buffer.concat([
      header,
      ...Array.from({ length: chunks }, () => chunk('IDAT', random(8192))),
      chunk('IEND', Buffer.of()),
    ])

  test('of a large one the last chunk is looked for in the tail; a cut one is walked', async () => {
    const bytes = large(400)
    expect(await judged(bytes, 'a.png')).toMatchObject({ judgement: 'ended', spent: { reads: 2 } })
    expect(await judged(bytes.subarray(0, -1), 'a.png')).toMatchObject({ judgement: 'broken' })
    expect(await judged(bytes.subarray(0, 2_000_000), 'a.png')).toMatchObject({ judgement: 'broken' })
    const behind = Buffer.concat([bytes, random(300_000)])
    expect(await judged(behind, 'a.png')).toMatchObject({ judgement: 'complete' })
  })

  test('a changed byte is found by its checksum, but not in a chunk that readers skip', async () => {
    const bytes = Buffer.from(large(20))
    bytes[100_000] = (bytes[100_000] ?? 0) ^ 1
    expect(await judged(bytes, 'a.png', { prove: true })).toMatchObject({ judgement: 'broken' })
    const note = chunk('tEXt', Buffer.from('Title\0one'))
    note[12] = 0
    const noted = Buffer.concat([header, note, small.subarray(33)])
    expect(await judged(noted, 'a.png', { prove: true })).toMatchObject({ judgement: 'complete' })
  })
})

describe('JPEG', () => {
  test.each(read('jpeg'))('%s is ended, and every cut of it suspect', async (name, bytes) => {
    expect(await judged(bytes, name)).toMatchObject({ judgement: 'ended', format: { id: 'jpeg' } })
    const found = await cuts(bytes, name)
    expect(found.broken.length + found.suspect.length).toBe(bytes.length)
  })

  test('what cameras put behind the picture is no cut', async () => {
    const [, bytes] = read('jpeg')[0] ?? ['', Buffer.alloc(0)]
    expect(await judged(Buffer.concat([bytes, Buffer.from('\n\0\0')]), 'a.jpg')).toMatchObject({ judgement: 'ended' })
    const film = Buffer.concat([bytes, random(300_000)])
    expect((await judged(film, 'a.jpg')).judgement).toMatch(/unknown|ended/)
  })

  test('fill bytes without end cost little, and are not judged', async () => {
    const fill = Buffer.alloc(4 * 1024 ** 2, 0xff)
    fill[1] = 0xd8
    const { judgement, spent } = await judged(fill, 'a.jpg')
    expect(judgement).toBe('unknown')
    expect(spent.bytes).toBeLessThan(1024 ** 2)
  })

  test('a large one that ends within its picture is suspect', async () => {
    const [, bytes] = read('jpeg')[0] ?? ['', Buffer.alloc(0)]
    const scan = random(300_000).map((byte) => (byte === 0xff ? 0 : byte))
    const open = Buffer.concat([bytes.subarray(0, -2), scan])
    expect(await judged(open, 'a.jpg')).toMatchObject({ judgement: 'suspect' })
    expect(await judged(Buffer.concat([open, bytes.subarray(-2)]), 'a.jpg')).toMatchObject({ judgement: 'ended' })
  })
})

describe('WebP', () => {
  test.each(read('webp'))('%s is whole, and no cut of it is', async (name, bytes) => {
    expect(await judged(bytes, name)).toMatchObject({ judgement: 'complete', format: { id: 'webp' } })
    expect((await cuts(bytes, name)).broken).toHaveLength(bytes.length)
    expect(await judged(Buffer.concat([bytes, bytes]), name)).toMatchObject({ judgement: 'complete' })
  })
})

test('a picture under the name of another format is judged as what it is, and another file is unknown', async () => {
  const [, bytes] = read('jpeg')[0] ?? ['', Buffer.alloc(0)]
  expect(await judged(bytes, 'a.png')).toMatchObject({ judgement: 'ended', format: { id: 'jpeg' } })
  const page = '<html>a page in place of the picture, as a server gives it</html>'
  for (const name of ['a.png', 'a.jpg', 'a.webp']) {
    expect(await judged(page, name)).toMatchObject({ judgement: 'unknown' })
  }
})

test('whatever follows the marks gets a verdict', async () => {
  const marks = ['\x89PNG\r\n\x1a\n', '\xff\xd8\xff', 'RIFF\xff\xff\xff\xffWEBP'].map((mark) =>
    Buffer.from(mark, 'latin1'),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...marks),
      fc.uint8Array({ maxLength: 200 }),
      fc.boolean(),
      async (mark, rest, prove) => {
        expect((await judged(Buffer.concat([mark, rest]), 'a', { prove })).judgement).toBeTypeOf('string')
      },
    ),
  )
})
