import { expect, test } from 'vitest'
import { hasAt } from '../../src/formats/bytes.ts'
import { broken, complete, type Format, type Peek, unknown } from '../../src/formats/format.ts'
import { formatOfName, judge } from '../../src/formats/index.ts'
import { counted, noise } from './counted.ts'

/** A format of this test alone: the mark LAB1, and a length in the fifth byte in units of 100 bytes. */
const lab: Format = {
  id: 'lab',
  title: 'a lab file',
  names: ['.lab', 'lab.bin'],
  least: 5,
  recognises: (head) => hasAt(head, 0, 'LAB1'),
  judge: async (file) => {
    const wanted = (file.head[4] ?? 0) * 100
    return file.size < wanted ? broken(`it asks for ${wanted} bytes`, wanted) : complete('its length adds up')
  },
  prove: async (file) =>
    (await file.read(file.size - 1, 1))[0] === 7 ? broken('its last byte is 7') : complete('read'),
}
const other: Format = { ...lab, id: 'other', names: ['.lab.gz'], recognises: () => false }
const among = [other, lab]

const file = (size: number, claim: number): Uint8Array => {
  const bytes = noise(size)
  bytes.set([0x4c, 0x41, 0x42, 0x31, claim])
  return bytes
}
const judged = (bytes: Uint8Array, name: string, prove = false) => judge(counted(bytes), name, { among, prove })

test('content decides before the name', async () => {
  expect(await judged(file(500, 5), 'x/y.txt')).toMatchObject({ judgement: 'complete', format: { id: 'lab' } })
  expect(await judged(file(499, 5), 'x/y.lab.gz')).toMatchObject({ judgement: 'broken', expected: 500 })
})

test('the name decides where the content tells nothing', async () => {
  expect(await judged(noise(300), 'a.lab')).toMatchObject({ format: { id: 'lab' } })
  const untold = await judged(noise(300), 'a.txt')
  expect(untold.judgement).toBe('unknown')
  expect(untold.format).toBeUndefined()
})

test('the longest ending of a name wins, and whole names count as such', () => {
  expect(formatOfName('dir/A.LAB.GZ', among)?.id).toBe('other')
  expect(formatOfName('dir/a.lab', among)?.id).toBe('lab')
  expect(formatOfName('dir/lab.bin', among)?.id).toBe('lab')
  expect(formatOfName('dir/my-lab.bin', among)).toBeUndefined()
  expect(formatOfName('dir.lab/x', among)).toBeUndefined()
})

test('a file below the smallest valid size is broken by its name, after one read', async () => {
  const source = counted(new Uint8Array(3))
  expect(await judge(source, 'a.lab', { among })).toMatchObject({ judgement: 'broken', expected: 5 })
  expect(source.reads).toHaveLength(1)
  expect(await judged(new Uint8Array(), 'a.txt')).toMatchObject({ judgement: 'unknown' })
})

test('a file that begins with a page of zeros is not what its name says', async () => {
  const bytes = noise(10_000).fill(0, 0, 4096)
  expect(await judged(bytes, 'a.lab')).toMatchObject({ judgement: 'suspect' })
  expect(await judged(bytes, 'a.raw')).toMatchObject({ judgement: 'unknown' })
})

test('a tail of zeros makes a complete file suspect, and leaves a broken one broken', async () => {
  expect(await judged(file(1_000_000, 5).fill(0, 409_600), 'a')).toMatchObject({ judgement: 'suspect' })
  expect(await judged(file(1_000_000, 5).fill(0, 409_601), 'a')).toMatchObject({ judgement: 'complete' })
  expect(await judged(file(20_000, 255).fill(0, 8192), 'a')).toMatchObject({ judgement: 'broken' })
})

test('a proof is asked for only when the whole file may be read', async () => {
  const bytes = file(500, 5)
  bytes[499] = 7
  expect(await judged(bytes, 'a')).toMatchObject({ judgement: 'complete' })
  expect(await judged(bytes, 'a', true)).toMatchObject({ judgement: 'broken', because: 'its last byte is 7' })
})

const failing = (act: (file: Peek) => Promise<unknown>): Format => ({
  ...lab,
  judge: async (peek) => {
    await act(peek)
    return unknown('not reached')
  },
})
const judgedBy = (format: Format, size = 500) => judge(counted(file(size, 5)), 'a', { among: [format] })

test('mandatory bytes past the end make a file broken; a verifier that stumbles says unknown', async () => {
  expect(await judgedBy(failing((peek) => peek.exactly(400, 200)))).toMatchObject({
    judgement: 'broken',
    expected: 600,
  })
  const stumbling = failing(async () => JSON.parse('{'))
  expect(await judgedBy(stumbling)).toMatchObject({ judgement: 'unknown' })
  const greedy = failing(async (peek) => {
    for (let at = 0; at < peek.size; at += 20_000) await peek.read(at, 10)
  })
  expect(await judgedBy(greedy, 3_000_000)).toMatchObject({
    judgement: 'unknown',
    because: expect.stringMatching(/more reads/),
  })
})

test("a store's own failure goes on to the caller", async () => {
  const source = { size: 500, read: () => Promise.reject(new Error('the line is down')) }
  await expect(judge(source, 'a.lab', { among })).rejects.toThrow('the line is down')
})

test('a whole file of another format may be smaller than its name allows', async () => {
  const wide: Format = { ...other, names: ['.wide'], least: 500 }
  const look = (bytes: Uint8Array) => judge(counted(bytes), 'a.wide', { among: [wide, lab] })
  expect(await look(file(100, 1))).toMatchObject({ judgement: 'complete', format: { id: 'lab' } })
  expect(await look(file(100, 2))).toMatchObject({ judgement: 'broken', format: { id: 'other' }, expected: 500 })
})

test('zeros at the beginning are suspect unless the format may begin with them', async () => {
  const bytes = new Uint8Array(10_240)
  const unknowing: Format = { ...other, judge: async () => unknown('no rule') }
  const look = (format: Format) => judge(counted(bytes), 'a.lab.gz', { among: [format] })
  expect(await look(unknowing)).toMatchObject({ judgement: 'suspect' })
  expect(await look({ ...unknowing, zerosFirst: true })).toMatchObject({ judgement: 'unknown' })
})

test('zeros after text are suspect whatever its format, and legal at the end of what may be bare tensors', async () => {
  const text = new Uint8Array(200_000).fill(0x61, 0, 8192)
  const tensors = noise(200_000).fill(0, 8192)
  expect(await judged(text, 'a.csv')).toMatchObject({ judgement: 'suspect' })
  expect(await judged(tensors, 'model.onnx.data')).toMatchObject({ judgement: 'unknown' })
  expect(await judged(new Uint8Array(200_000), 'variables.data-00000-of-00001')).toMatchObject({ judgement: 'unknown' })
})
