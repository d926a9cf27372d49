import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { joined } from './fixtures.ts'
import { judged } from './judging.ts'
import { missed } from './missed.ts'

const fixtures = new URL('../../fixtures/formats/tar/', import.meta.url)
const fixture = (name: string) => readFileSync(new URL(name, fixtures))

const header = (name: string, size: number, kind = '0'): Buffer => {
  const block = Buffer.alloc(512)
  block.write(name)
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  block.write('        ', 148)
  block.write(kind, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}
const end = new Uint8Array(1024)

for (const name of readdirSync(fixtures)) {
  test(`${name} is whole, and every cut before its last two blocks is not`, async () => {
    const bytes = fixture(name)
    expect(await judged(bytes, name)).toMatchObject({ format: { id: 'tar' }, judgement: 'complete' })
    // The padding of the last record may go without harm.
    const content = bytes.findLastIndex((byte) => byte !== 0)
    const left = (await missed(bytes, name, /^(broken|suspect)$/)).filter(
      (told) => Number.parseInt(told, 10) <= content,
    )
    expect(left).toEqual([])
  })
}

test('an archive without end blocks is suspect, one whose data is cut is broken', async () => {
  const member = joined(header('a', 700), new Uint8Array(1024).fill(7))
  expect(await judged(joined(member, end), 'a.tar')).toMatchObject({ judgement: 'complete' })
  expect(await judged(member, 'a.tar')).toMatchObject({ judgement: 'suspect' })
  expect(await judged(member.subarray(0, 1100), 'a.tar')).toMatchObject({
    judgement: 'broken',
    because: expect.stringContaining('lacks 112 bytes'),
  })
})

test('sizes in binary, and links with a size but no data', async () => {
  const wide = header('a', 0)
  wide.fill(0, 124, 136)
  wide[124] = 0x80
  wide.writeUInt32BE(700, 132)
  wide.write('        ', 148)
  const sum = wide.reduce((total, byte) => total + byte, 0)
  wide.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  const link = header('b', 5000, '1')
  const whole = joined(wide, new Uint8Array(1024).fill(7), link, end)
  expect(await judged(whole, 'a.tar')).toMatchObject({ judgement: 'complete' })
  expect(await judged(whole.subarray(0, 1000), 'a.tar')).toMatchObject({ judgement: 'broken' })
})

test('more members than reads allow: the end decides', async () => {
  const member = joined(header('a', 400_000), new Uint8Array(400_384).fill(7))
  const many = Buffer.concat([...Array.from({ length: 100 }, () => member), end])
  expect(await judged(many, 'a.tar')).toMatchObject({ judgement: 'ended' })
  expect(await judged(many.subarray(0, -700), 'a.tar')).toMatchObject({ judgement: 'suspect' })
})

test('an archive without members is zeros, and whole', async () => {
  expect(await judged(new Uint8Array(10_240), 'a.tar')).toMatchObject({ judgement: 'complete' })
  expect((await judged(new Uint8Array(10_240), 'a.zip')).judgement).toBe('suspect')
})

test('a record of a MiB that zeros fill is legal, and zeros in place of the data are suspect', async () => {
  const data = 4096 * 3 - 512
  const bytes = joined(header('a', data), new Uint8Array(data).fill(7), new Uint8Array(1024 ** 2))
  expect(await judged(bytes, 'a.tar')).toMatchObject({ judgement: 'complete' })
  expect(await judged(bytes.fill(0, 8192), 'a.tar')).toMatchObject({ judgement: 'suspect' })
})
