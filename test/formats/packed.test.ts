import { readdirSync, readFileSync } from 'node:fs'
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { noise } from './counted.ts'
import { joined } from './fixtures.ts'
import { judged } from './judging.ts'
import { missed } from './missed.ts'

const fixtures = new URL('../../fixtures/formats/', import.meta.url)
const words = Buffer.from('some words that repeat, some words that do not '.repeat(40))
const bytes200k = noise(200_000)
const pickled = joined('\x80\x04]\x94.', words)

/** How many bytes are left by cuts that take a whole stream, or only what follows the data: the rest is a valid file. */
const harmless: Record<string, (left: number) => boolean> = {
  'pad.xz': (left) => (left >= 88 && left <= 96) || left >= 184,
  'trail.xz': (left) => left >= 88,
  'multi.xz': (left) => left === 76 || left === 108,
  'multi.bz2': (left) => left === 61,
  'trail.bz2': (left) => left >= 61,
  'zeros.bz2': (left) => left >= 61,
  'multi.lz4': (left) => left === 26,
  'skip.lz4': (left) => left === 13,
}

for (const format of ['xz', 'bzip2', 'lz4']) {
  for (const name of readdirSync(new URL(format, fixtures))) {
    test(`${name} is whole, and every cut of it is not`, async () => {
      const bytes = readFileSync(new URL(`${format}/${name}`, fixtures))
      const whole = await judged(bytes, name)
      expect(whole).toMatchObject({ format: { id: format }, judgement: expect.stringMatching(/^(complete|ended)$/) })
      expect((await judged(bytes, name, { prove: true })).judgement).toMatch(/^(complete|ended|unknown)$/)
      const valid = harmless[name] ?? (() => false)
      const left = (await missed(bytes, name)).filter((told) => !valid(Number.parseInt(told, 10)))
      expect(left).toEqual([])
    })
  }
}

const packed: Record<string, Uint8Array> = {
  'a.gz': gzipSync(words),
  'nothing.gz': gzipSync(''),
  'stored.gz': gzipSync(bytes200k.subarray(0, 90_000), { level: 0 }),
  'l0.z': deflateSync(words, { level: 0 }),
  'l9.z': deflateSync(words, { level: 9 }),
  'model.pkl': deflateSync(pickled),
  'a.zst': zstdCompressSync(words),
  'nothing.zst': zstdCompressSync(''),
  'noise.zst': zstdCompressSync(bytes200k),
  'two.zst': joined(zstdCompressSync(words), '\x50\x2a\x4d\x18\x02\0\0\0ab', zstdCompressSync(bytes200k)),
}
// The header with all its optional parts goes before the packed data.
packed['named.gz'] = joined(
  '\x1f\x8b\x08\x1e',
  gzipSync(words).subarray(4, 10),
  [3, 0],
  'xyz',
  'name\0',
  'comment\0',
  [0, 0],
  gzipSync(words).subarray(10),
)

for (const [name, bytes] of Object.entries(packed)) {
  test(`${name} unpacks to its end, and no cut of it does`, async () => {
    expect(await judged(bytes, name, { prove: true })).toMatchObject({ judgement: 'complete' })
    const boundary = name === 'two.zst' ? zstdCompressSync(words).length : -1
    const left = (await missed(bytes, name)).filter((told) => Math.abs(Number.parseInt(told, 10) - boundary - 5) > 5)
    expect(left).toEqual([])
  })
}

test('several members of a gzip file, zeros and other bytes behind it', async () => {
  const two = joined(gzipSync(words), gzipSync(''), gzipSync(bytes200k))
  expect(await judged(two, 'a.gz', { prove: true })).toMatchObject({ judgement: 'complete' })
  expect(await judged(two.subarray(0, -1), 'a.gz', { prove: true })).toMatchObject({ judgement: 'broken' })
  expect(await judged(joined(gzipSync(words), new Uint8Array(512)), 'a.gz')).toMatchObject({ judgement: 'ended' })
  expect(await judged(joined(gzipSync(words), 'more'), 'a.gz')).toMatchObject({ judgement: 'ended' })
  expect(await judged(joined(gzipSync(words), '\x1f\x8b'), 'a.gz')).toMatchObject({ judgement: 'broken' })
})

test('a large gzip file is unknown until it is unpacked', async () => {
  const large = gzipSync(bytes200k)
  expect(await judged(large, 'a.tar.gz')).toMatchObject({ judgement: 'unknown', spent: { reads: 2 } })
  expect(await judged(large.subarray(0, -1), 'a.tar.gz')).toMatchObject({ judgement: 'unknown' })
  expect(await judged(large, 'a.tar.gz', { prove: true })).toMatchObject({ judgement: 'complete' })
  expect(await judged(large.subarray(0, -1), 'a.tar.gz', { prove: true })).toMatchObject({ judgement: 'broken' })
})

test('unpacking finds a changed byte', async () => {
  for (const [name, bytes] of Object.entries({
    'a.gz': gzipSync(bytes200k),
    'model.pkl': deflateSync(joined('\x80\x04', bytes200k)),
  })) {
    const changed = Uint8Array.from(bytes)
    changed[150_000] = (changed[150_000] ?? 0) ^ 1
    expect(await judged(changed, name, { prove: true }), name).toMatchObject({ judgement: 'broken' })
  }
  const sums = readFileSync(new URL('lz4/sums01.lz4', fixtures))
  expect(await judged(sums, 'a.lz4', { prove: true })).toMatchObject({ judgement: 'complete' })
  sums[20] = (sums[20] ?? 0) ^ 1
  expect(await judged(sums, 'a.lz4', { prove: true })).toMatchObject({ judgement: 'broken' })
})

test('text that begins as zlib data does is not called broken', async () => {
  for (const text of ['x^2 + y^2 = z^2\n', 'x^', 'x\x9c and more', `x\x01${'y'.repeat(100)}`]) {
    expect((await judged(joined(text), 'notes')).judgement, text).toBe('unknown')
  }
})

test('an LZMA file is recognised, and nothing is said of it', async () => {
  const bytes = readFileSync(new URL('lzma/a.lzma', fixtures))
  expect(await judged(bytes, 'a')).toMatchObject({ format: { id: 'lzma' }, judgement: 'unknown' })
  expect(await judged(bytes.subarray(0, 12), 'a.lzma')).toMatchObject({ judgement: 'broken' })
})

test('the end of an lz4 file that is too large to be hopped over', async () => {
  const frame = readFileSync(new URL('lz4/sums00.lz4', fixtures))
  const head = frame.subarray(0, 15)
  const blocks = Array.from({ length: 600 }, () => joined([0, 0x10, 0, 0x80], bytes200k.subarray(0, 4096)))
  const large = joined(head, ...blocks, [0, 0, 0, 0])
  expect(await judged(large, 'a.lz4')).toMatchObject({ judgement: 'ended', spent: { reads: 2 } })
  expect(await judged(large.subarray(0, -1), 'a.lz4')).toMatchObject({ judgement: 'broken' })
  expect(await judged(large.subarray(0, 2_200_000), 'a.lz4')).toMatchObject({ judgement: 'broken' })
})

test('another file under such a name is unknown, read in part or as a whole', async () => {
  for (const bytes of [joined('ZF0x25 as old versions of joblib wrote '.repeat(40)), noise(300_000)]) {
    for (const name of [
      'a.gz',
      'a.z',
      'a.xz',
      'a.bz2',
      'a.zst',
      'a.lz4',
      'a.lzma',
      'a.tar',
      'a.zip',
      'a.npy',
      'a.pt',
      'a.pkl',
    ]) {
      for (const prove of [false, true]) {
        expect((await judged(bytes, name, { prove })).judgement, name).toBe('unknown')
      }
    }
  }
})

test('skippable frames alone, and behind an lz4 file that is too large to be hopped over', async () => {
  const skippable = joined('\x5f\x2a\x4d\x18\x03\0\0\0abc')
  const large = joined('\x04\x22\x4d\x18\x60\x70\x73', noise(3 * 1024 ** 2), new Uint8Array(4))
  expect((await judged(joined(large, skippable, skippable), 'a.lz4')).judgement).toBe('ended')
  expect((await judged(joined(large, skippable).subarray(0, -1), 'a.lz4')).judgement).toBe('broken')
  const empty = joined('\x50\x2a\x4d\x18\0\0\0\0')
  for (const name of ['a.lz4', 'a.zst']) {
    expect((await judged(empty, name)).judgement).toBe('complete')
    expect((await judged(empty.subarray(0, 7), name)).judgement).toBe('broken')
  }
})

test('padding between streams of xz is stepped over in few reads', async () => {
  const one = readFileSync(new URL('xz/none.xz', fixtures))
  const bytes = joined(one, new Uint8Array(4 * 1024 ** 2), one)
  const { judgement, spent } = await judged(bytes, 'a.xz', { prove: true })
  expect(judgement).toBe('complete')
  expect(spent.reads).toBeLessThan(100)
})

test('a zstd frame that needs a dictionary and names none is not called broken', async () => {
  const dictionary = noise(1000)
  // What it refers to lies in the dictionary alone.
  const bytes = zstdCompressSync(dictionary.subarray(100, 900), { dictionary })
  expect(bytes.length).toBeLessThan(100)
  expect((await judged(bytes, 'a.zst', { prove: true })).judgement).toBe('unknown')
})
