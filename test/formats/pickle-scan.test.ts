import { expect, test } from 'vitest'
import { type PickleScan, scanPickle } from '../../src/formats/pickle-scan.ts'

const scan = (...parts: (string | Uint8Array | readonly number[])[]): Promise<PickleScan> => {
  const bytes = Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  )
  return scanPickle(over(bytes))
}
const over = (bytes: Uint8Array) => ({
  size: bytes.length,
  read: async (offset: number, length: number) => bytes.subarray(offset, offset + length),
})

const u32 = (n: number) => [n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24]
const u64 = (n: number) => [...u32(n % 2 ** 32), ...u32(Math.floor(n / 2 ** 32))]
const text = (word: string) => ['\x8c', [word.length], word] as const
const class_ = (module: string, name: string) => [...text(module), ...text(name), '\x93'] as const
const blob = (size: number) => ['B', u32(size), new Uint8Array(size)] as const
const proto = '\x80\x04'

test('an attribute is named with the class of its value and its weight in the stream', async () => {
  const array = [...class_('numpy', 'ndarray'), ')\x81', ...blob(100_000), 'b'] as const
  const found = await scan(proto, ...class_('__main__', 'Model'), ')\x81}(', ...text('weights'), ...array, 'ub.')
  expect(found).toMatchObject({
    verdict: 'whole',
    className: '__main__.Model',
    blobs: [{ className: 'numpy.ndarray', bytes: 100_000 }],
  })
  expect(found.holdings).toEqual([
    { path: 'weights', className: 'numpy.ndarray', bytes: 100_000 + 5 + 7 + 9 + 1 + 2 + 1 },
  ])
})

test('large strings are stepped over, whatever their size, and never read', async () => {
  const size = 5 * 2 ** 40
  const head = Buffer.concat([Buffer.from('\x80\x05}(\x8c\x01k\x8e', 'latin1'), Buffer.from(u64(size))])
  const tail = Buffer.from('u.', 'latin1')
  let read = 0
  const found = await scanPickle({
    size: head.length + size + tail.length,
    async read(offset, length) {
      read += 1
      const bytes = Buffer.alloc(length)
      if (offset === 0) head.copy(bytes)
      if (offset >= head.length + size) tail.copy(bytes, 0, offset - head.length - size)
      return bytes
    },
  })
  expect(found).toMatchObject({ verdict: 'whole', walked: head.length + size + 2 })
  expect(found.holdings).toEqual([{ path: 'k', className: 'bytes', bytes: size + 9 }])
  expect(read).toBeLessThan(4)
})

test('what is referred to twice counts once', async () => {
  const found = await scan(proto, '}(', ...text('a'), ...blob(80_000), '\x94', ...text('b'), 'h\x00', 'u.')
  expect(found.holdings).toEqual([{ path: 'a', className: 'bytes', bytes: 80_005 }])
})

test('every cut of a pickle is unknown, and the whole one is not', async () => {
  const whole = Buffer.from(
    '\x80\x02}(U\x01aM\x01\x02U\x01bG01234567X\x03\x00\x00\x00abc\x8a\x02ab(lp1\nh\x01K\x01\x86u.',
    'latin1',
  )
  expect(await scanPickle(over(whole))).toMatchObject({ verdict: 'whole', walked: whole.length })
  for (let size = 0; size < whole.length; size += 1) {
    expect((await scanPickle(over(whole.subarray(0, size)))).verdict, `${size} bytes`).toBe('unknown')
  }
})

const nonsense: Record<string, readonly (string | readonly number[] | Uint8Array)[]> = {
  nothing: [],
  text: ['hello, world'],
  'a stack that is empty': [proto, '0.'],
  'members without a mark': [proto, ']K\x01e.'],
  'a mark that is taken for a value': [proto, ']K\x01(a.'],
  'a key without a value': [proto, '}(K\x01u.'],
  'a length below zero': [proto, 'T', u32(0xffffffff), '.'],
  'a length beyond the file': [proto, '\x8e', u64(2 ** 60), '.'],
  'a length beyond all numbers': [proto, '\x8d', new Uint8Array(8).fill(255), '.'],
  'a protocol of the future': ['\x80\x09N.'],
  'a list that is a number': [proto, 'K\x01K\x02a.'],
  'an index that is none': ['g-1\n.'],
}
for (const [name, parts] of Object.entries(nonsense)) {
  test(`unknown, with the reason: ${name}`, async () => {
    const found = await scan(...parts)
    expect(found).toMatchObject({ verdict: 'unknown', why: expect.any(String) })
    expect(found.walked).toBeLessThanOrEqual(parts.reduce((sum, { length }) => sum + length, 0))
  })
}

test('names are tamed', async () => {
  const name = `\u001b[31m${'x'.repeat(300)}\n`
  const found = await scan(proto, '}(X', u32(name.length), name, ...blob(70_000), 'u.')
  const [held] = found.holdings
  expect(held?.path).toMatch(/^[\x20-\x7e\ufffd]{1,100}$/)
})

test('a million values in each other, a mapping that holds itself, marks without end: an answer, in bounded memory', async () => {
  const deep = await scan(proto, ...blob(100_000), '\x85'.repeat(1_000_000), '.')
  expect(deep).toMatchObject({ verdict: 'whole', holdings: [] })
  // A reference that is made heavy, so that the mapping weighs something inside of itself.
  const heavy = [...blob(70_000)]
  const itself = [proto, '}\x94(', ...text('a'), 'h\x00(', ...text('b'), ...heavy, 'u', 'u.'] as const
  expect(await scan(...itself)).toMatchObject({ verdict: 'whole' })
  expect(await scan(proto, '('.repeat(2_000_000), '.')).toMatchObject({
    verdict: 'unknown',
    why: expect.stringMatching(/piles up/),
  })
  expect(await scan(proto, 'N'.repeat(2_000_000), '.')).toMatchObject({
    verdict: 'unknown',
    why: expect.stringMatching(/piles up/),
  })
  expect(await scan(proto, '('.repeat(2_000_000), '.')).toMatchObject({ verdict: 'unknown' })
})

test('opcodes beyond the limit are not walked, and what was seen is told', async () => {
  const bytes = Buffer.concat([
    Buffer.from('\x80\x04', 'latin1'),
    Buffer.from([...Buffer.from('\x8c\x05numpy\x8c\x07ndarray\x93)\x81B', 'latin1'), ...u32(100_000)]),
    Buffer.alloc(100_000),
    Buffer.from('b0', 'latin1'),
    Buffer.from('N0'.repeat(1_000_000), 'latin1'),
  ])
  expect(await scanPickle(over(bytes), { read: 600_000, entries: 1000, piece: 256 * 1024 })).toMatchObject({
    verdict: 'unknown',
    why: expect.stringMatching(/all that is walked/),
    blobs: [{ className: 'numpy.ndarray', bytes: 100_000 }],
    holdings: [],
  })
})

test('what joblib puts between the opcodes ends the walk', async () => {
  const wrapper = class_('joblib.numpy_pickle', 'NumpyArrayWrapper')
  expect(await scan(proto, ...wrapper, ')\x81}b', new Uint8Array(50), '.')).toMatchObject({
    verdict: 'unknown',
    why: expect.stringContaining('joblib'),
  })
})
