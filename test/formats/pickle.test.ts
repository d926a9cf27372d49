import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { judge } from '../../src/formats/index.ts'
import { noise } from './counted.ts'
import { joined, u64 } from './fixtures.ts'
import { judged } from './judging.ts'
import { missed } from './missed.ts'

const fixtures = new URL('../../fixtures/formats/', import.meta.url)

/** How many bytes are left by cuts that harm nothing: they take a whole pickle, or what follows it. */
const harmless: Record<string, readonly [number, number]> = {
  'multi.pkl': [1307, 1308],
  'trail.pkl': [1254, 1260],
  'newline.p0.pkl': [106, 106],
}

for (const format of ['pickle', 'joblib']) {
  for (const name of readdirSync(new URL(format, fixtures))) {
    test(`${name} is whole, and every cut of it is not`, async () => {
      const bytes = readFileSync(new URL(`${format}/${name}`, fixtures))
      const { judgement } = await judged(bytes, name)
      if (name.includes('lzma')) {
        expect(judgement).toBe('unknown')
        return
      }
      expect(judgement).toMatch(name === 'trail.pkl' || name.includes('bz2') ? /^ended$/ : /^complete$/)
      const [from, to] = harmless[name] ?? [bytes.length, bytes.length]
      // Protocols 0 and 1 have no mark, and what is packed is told by its name where its mark is cut.
      const flagged = /\.p[01]\.|^small/.test(name) ? /^(broken|suspect)$/ : /^broken$/
      const left = (await missed(bytes, name, flagged)).filter((told) => {
        const bytesLeft = Number.parseInt(told, 10)
        return bytesLeft < from || bytesLeft > to
      })
      expect(left).toEqual([])
    })
  }
}

test('a large pickle whose last frame ends with it takes two reads', async () => {
  const frame = (length: number) => joined([0x95], u64(length), 'N0'.repeat(length / 2))
  const frames = Array.from({ length: 140 }, () => frame(65_536))
  const whole = joined('\x80\x04', ...frames, [0x95], u64(100), 'N0'.repeat(49), 'N.')
  expect(await judged(whole, 'model.pkl')).toMatchObject({ judgement: 'complete', spent: { reads: 2 } })
  for (const cut of [1, 50, 100, 200, 40_000, 70_000, 3_000_000]) {
    expect((await judged(whole.subarray(0, -cut), 'model.pkl')).judgement, `${cut} less`).toBe('broken')
  }
})

test('a large string is stepped over, and a cut in it found, however large it is', async () => {
  const size = 3 * 2 ** 40
  const head = joined('\x80\x05}(\x8c\x01k\x8e', u64(size))
  const source = (all: number) => ({
    size: all,
    async read(at: number, length: number) {
      const bytes = Buffer.alloc(Math.min(length, all - at), 7)
      if (at === 0) head.copy(bytes)
      for (const [i, byte] of [...Buffer.from('u.')].entries()) {
        const place = head.length + size + i - at
        if (place >= 0 && place < bytes.length) bytes[place] = byte
      }
      return bytes
    },
  })
  expect(await judge(source(head.length + size + 2), 'a.pkl')).toMatchObject({ judgement: 'complete' })
  expect(await judge(source(head.length + size + 1), 'a.pkl')).toMatchObject({ judgement: 'broken' })
  expect(await judge(source(100 * 2 ** 30), 'a.pkl')).toMatchObject({ judgement: 'broken' })
})

test('a large pickle of protocol 2 is judged by its last byte', async () => {
  const whole = joined('\x80\x02', 'N0'.repeat(5_000_000), 'N.')
  expect(await judged(whole, 'a.pkl')).toMatchObject({ judgement: 'ended' })
  expect(await judged(whole.subarray(0, -1), 'a.pkl')).toMatchObject({ judgement: 'suspect' })
})

test('names tell a pickle without a mark, and nothing else does', async () => {
  expect((await judged(joined('(lp0\nI1\na'), 'a.pkl')).judgement).toBe('suspect')
  expect((await judged(joined('(lp0\nI1\na'), 'a.txt')).judgement).toBe('unknown')
  expect((await judged(joined('some other content under that name'), 'a.pkl')).judgement).toBe('unknown')
})

test('other bytes that begin as a pickle does are not called broken without a name', async () => {
  for (const start of ['\x80\x04\x8e', '\x80\x02X', '\x80\x03(', '\x80\x05\x95']) {
    expect((await judged(joined(start, noise(4000)), 'a.bin')).judgement, start).toMatch(/^(unknown|ended)$/)
  }
})

test('an array of joblib whose description lies does not lead the walk astray', async () => {
  const text = (word: string) => joined('\x8c', [word.length], word)
  const file = (shape: Uint8Array) =>
    joined(
      '\x80\x04',
      text('joblib.numpy_pickle'),
      text('NumpyArrayWrapper'),
      '\x93)\x81}(',
      text('shape'),
      shape,
      text('dtype'),
      text('numpy'),
      text('dtype'),
      '\x93',
      text('f8'),
      '\x89\x88\x87RubPADDED.',
    )
  for (const shape of [joined('J\xff\xff\xff\xff\x85'), joined('N\x85'), text('many'), joined('()t')]) {
    expect((await judged(file(shape), 'a.joblib')).judgement).toMatch(/^(unknown|ended|suspect)$/)
  }
  const huge = joined('\x8a\x06', [255, 255, 255, 255, 255, 127], '\x85')
  expect((await judged(file(huge), 'a.joblib')).judgement).toBe('broken')
})

test('thousands of pickles in one file cost few reads, and a cut in the last is found', async () => {
  const one = joined('\x80\x02', 'N0'.repeat(500), 'N.')
  const many = joined(...Array.from({ length: 5000 }, () => one))
  const whole = await judged(many, 'log.pkl')
  expect(whole).toMatchObject({ judgement: 'complete' })
  expect(whole.spent.reads).toBeLessThan(6)
  expect(await judged(many.subarray(0, -1), 'log.pkl')).toMatchObject({ judgement: 'broken' })
})
