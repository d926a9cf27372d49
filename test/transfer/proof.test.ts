import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compositeEtag } from '../../src/transfer/digest.ts'
import { openSource, type Source } from '../../src/transfer/identity.ts'
import { compareWithLocal, judge, likelyCuts } from '../../src/transfer/proof.ts'

const MiB = 1024 ** 2
const content = randomBytes(9 * MiB + 5)
const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')
const etagOf = (bytes: Uint8Array, partSize: number): string =>
  compositeEtag(
    Array.from({ length: Math.ceil(bytes.length / partSize) }, (_, n) =>
      md5(bytes.subarray(n * partSize, (n + 1) * partSize)),
    ),
  ) ?? ''

let dir: string
let source: Source
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-p-'))
  await writeFile(join(dir, 'f'), content)
  source = await openSource(join(dir, 'f'))
})
afterAll(async () => {
  await source.close()
  await rm(dir, { recursive: true })
})

describe('the proof of an object against what was sent', () => {
  const sent = { size: 10, crc32: 7, etag: `${'a'.repeat(32)}-2` }
  test('is its size first, then its CRC32, then its ETag', () => {
    expect(judge({ size: 9, crc32: 7, etag: sent.etag }, sent).is).toBe('different')
    expect(judge({ size: 10, crc32: 7 }, sent).is).toBe('equal')
    expect(judge({ size: 10, crc32: 8, etag: sent.etag }, sent).is).toBe('different')
    expect(judge({ size: 10, etag: sent.etag.toUpperCase() }, sent).is).toBe('equal')
  })
  test('an ETag that differs disproves nothing, since encryption changes it', () => {
    expect(judge({ size: 10, etag: `${'b'.repeat(32)}-2` }, sent).is).toBe('unknown')
    expect(judge({ size: 10 }, sent).is).toBe('unknown')
    expect(judge({ size: 10, etag: sent.etag }, { size: 10, crc32: 7 }).is).toBe('unknown')
  })
})

describe('an object against a local file', () => {
  test.each([5, 8])('is recognised by the ETag of parts of %i MiB, whole or as its beginning', async (mebibytes) => {
    const whole = { size: content.length, etag: etagOf(content, mebibytes * MiB) }
    expect((await compareWithLocal(source, whole)).is).toBe('equal')
    const beginning = content.subarray(0, 8 * MiB + 1)
    const short = { size: beginning.length, etag: etagOf(beginning, mebibytes * MiB) }
    expect((await compareWithLocal(source, short)).is).toBe('equal')
    const other = Buffer.from(content)
    other[9 * MiB] = (other[9 * MiB] ?? 0) ^ 1
    const unlike = { size: content.length, etag: etagOf(other, mebibytes * MiB) }
    expect((await compareWithLocal(source, unlike)).is).toBe('unknown')
  })

  test('is recognised by its CRC32 or MD5, and told apart by its CRC32', async () => {
    const short = content.subarray(0, 5 * MiB + 1)
    expect((await compareWithLocal(source, { size: short.length, crc32: crc32(short) })).is).toBe('equal')
    expect((await compareWithLocal(source, { size: short.length, crc32: 1 })).is).toBe('different')
    expect((await compareWithLocal(source, { size: short.length, etag: md5(short) })).is).toBe('equal')
    expect((await compareWithLocal(source, { size: short.length, etag: md5(content) })).is).toBe('unknown')
    expect((await compareWithLocal(source, { size: content.length + 1, crc32: 1 })).is).toBe('different')
    expect((await compareWithLocal(source, { size: 0 })).is).toBe('equal')
  })

  test('an ETag of an unknown form tells nothing', async () => {
    for (const etag of ['', 'W/"x"', `${'a'.repeat(32)}-0`, `${'a'.repeat(32)}-99999`, 'not-3']) {
      expect((await compareWithLocal(source, { size: content.length, etag })).is).toBe('unknown')
    }
  })

  test('the cuts that are tried are few and fit the number of parts', () => {
    for (const [size, count] of [
      [content.length, 2],
      [20 * 1024 * MiB, 1280],
      [160_000 * MiB, 10_000],
      [3, 1],
    ] as const) {
      const cuts = likelyCuts(size, count)
      expect(cuts.length).toBeGreaterThan(0)
      expect(cuts.length).toBeLessThanOrEqual(10)
      for (const cut of cuts) expect(Math.ceil(size / cut)).toBe(count)
    }
    for (const count of [0, -1, 5]) expect(likelyCuts(10, count)).toEqual([])
  })
})
