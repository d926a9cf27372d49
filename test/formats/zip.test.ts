import { readdirSync, readFileSync } from 'node:fs'
import { crc32, deflateRawSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { noise } from './counted.ts'
import { joined, u32 } from './fixtures.ts'
import { judged } from './judging.ts'
import { missed } from './missed.ts'

const fixtures = new URL('../../fixtures/formats/zip/', import.meta.url)
const fixture = (name: string) => readFileSync(new URL(name, fixtures))

const u16 = (n: number) => [n & 255, n >> 8]
interface Entry {
  readonly name: string
  readonly data: Uint8Array
  readonly deflate?: boolean
}
const archive = (entries: readonly Entry[], comment: string | Uint8Array = ''): Buffer => {
  const locals: Buffer[] = []
  const central: Buffer[] = []
  let at = 0
  for (const { name, data, deflate = false } of entries) {
    const packed = deflate ? deflateRawSync(data) : data
    const fields = [
      ...u16(20),
      ...u16(0),
      ...u16(deflate ? 8 : 0),
      ...u32(0),
      ...u32(crc32(data)),
      ...u32(packed.length),
    ]
    const common = [...fields, ...u32(data.length), ...u16(name.length), ...u16(0)]
    const local = joined('PK\x03\x04', common, name, packed)
    central.push(joined('PK\x01\x02', u16(20), common, new Uint8Array(10), u32(at), name))
    locals.push(local)
    at += local.length
  }
  const directory = Buffer.concat(central)
  const count = u16(entries.length % 65536)
  const end = joined('PK\x05\x06', u32(0), count, count, u32(directory.length), u32(at), u16(comment.length), comment)
  return Buffer.concat([...locals, directory, end])
}
const large = archive([
  { name: 'data.pkl', data: noise(100) },
  { name: 'data/0', data: noise(300_000) },
  { name: 'data/1', data: noise(40_000), deflate: true },
])

for (const name of readdirSync(fixtures)) {
  test(`${name} is whole, and every cut of it is not`, async () => {
    expect(await judged(fixture(name), name)).toMatchObject({ format: { id: 'zip' }, judgement: 'complete' })
    // An archive that lies in another's last entry looks like one with bytes before it.
    const flagged = name === 'nested.zip' ? /^(broken|suspect)$/ : /^broken$/
    expect(await missed(fixture(name), name, flagged)).toEqual([])
    // Packed in ways that Node does not unpack.
    const proved = /^(bz|lz)\./.test(name) ? 'unknown' : 'complete'
    expect(await judged(fixture(name), name, { prove: true })).toMatchObject({ judgement: proved })
  })
}

test('a large archive takes two reads, and every cut of it is told', async () => {
  expect(await judged(large, 'model.pt')).toMatchObject({ judgement: 'complete', spent: { reads: 2 } })
  expect(await missed(large, 'model.npz')).toEqual([])
})

test('bytes before and behind an archive are legal', async () => {
  const before = joined('#!/bin/sh\n', large)
  expect(await judged(before, 'app.zip')).toMatchObject({ judgement: 'complete' })
  expect(await judged(before, 'app.zip', { prove: true })).toMatchObject({ judgement: 'complete' })
  expect(await missed(before, 'app.zip')).toEqual([])
  for (const behind of [new Uint8Array(512), joined('12345')]) {
    expect(await judged(joined(large, behind), 'a.npz')).toMatchObject({ judgement: 'ended' })
  }
})

test('comments of any length, whatever they hold', async () => {
  const entries = [{ name: 'a', data: noise(50) }]
  for (const comment of ['x'.repeat(65535), 'PK\x05\x06'.repeat(16_000), `PK\x05\x06${'\0'.repeat(18)}`]) {
    expect(await judged(archive(entries, comment), 'a.zip')).toMatchObject({ judgement: 'complete' })
  }
  for (const comment of ['x'.repeat(65535), `PK\x05\x06${'\0'.repeat(18)}`]) {
    expect(await judged(archive(entries, comment).subarray(0, -3), 'a.zip')).toMatchObject({ judgement: 'broken' })
  }
})

test('more than 65,535 entries, counted modulo 65,536', async () => {
  const empty = new Uint8Array()
  const many = archive(Array.from({ length: 65_540 }, (_, i) => ({ name: String(i), data: empty })))
  expect(await judged(many, 'a.zip')).toMatchObject({
    judgement: 'complete',
    because: expect.stringContaining('65540'),
  })
  expect(await judged(many.subarray(0, -1), 'a.zip')).toMatchObject({ judgement: 'broken' })
})

test('bytes that are missing in the middle are counted', async () => {
  const hole = joined(large.subarray(0, 1000), large.subarray(1100))
  expect(await judged(hole, 'a.zip')).toMatchObject({
    judgement: 'broken',
    because: expect.stringContaining('100 bytes are missing'),
    expected: large.length,
  })
})

test('a changed byte in any entry is found by reading all of it, and only then', async () => {
  for (const at of [40, 200_000, 330_000]) {
    const changed = Buffer.from(large)
    changed[at] = (changed[at] ?? 0) ^ 1
    expect((await judged(changed, 'a.zip')).judgement, String(at)).not.toBe('broken')
    expect(await judged(changed, 'a.zip', { prove: true }), String(at)).toMatchObject({ judgement: 'broken' })
  }
})

test('an entry that unpacks to more than it tells is not unpacked on and on', async () => {
  const bomb = archive([{ name: 'a', data: new Uint8Array(50_000_000), deflate: true }])
  const directory = bomb.indexOf('PK\x01\x02')
  bomb.writeUInt32LE(100, directory + 24)
  expect(await judged(bomb, 'a.zip', { prove: true })).toMatchObject({ judgement: 'broken' })
})

test('one part of a split archive, and a file that is none, are unknown', async () => {
  const split = Buffer.from(large)
  split[split.length - 18] = 1
  expect(await judged(split, 'a.zip')).toMatchObject({ judgement: 'unknown' })
  expect(await judged(joined('just some text that is called a zip archive'), 'a.zip')).toMatchObject({
    judgement: 'unknown',
  })
})

test('a stored entry whose checksum was left out is unproved, not broken', async () => {
  const bytes = Buffer.from(archive([{ name: 'data/0', data: noise(1000) }]))
  bytes.writeUInt32LE(0, bytes.indexOf('PK\x01\x02') + 16)
  expect((await judged(bytes, 'a.pt')).judgement).toBe('complete')
  expect((await judged(bytes, 'a.pt', { prove: true })).judgement).toBe('unknown')
})
