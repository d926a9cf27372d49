import { expect, test } from 'vitest'
import { openPeek, structureBudget } from '../../src/formats/peek.ts'
import { zeroTail } from '../../src/formats/zeros.ts'
import { counted, noise } from './counted.ts'

const KiB = 1024
const MiB = 1024 * KiB

/** Noise up to `from`, zeros to the end. */
const zeroedFrom = (size: number, from: number): Uint8Array => noise(size).fill(0, from)
const look = async (bytes: Uint8Array) => {
  const source = counted(bytes)
  const verdict = await zeroTail(await openPeek(source, structureBudget))
  return { verdict, reads: source.reads.length }
}

test.for([4096, 64 * KiB, 5 * MiB, 8 * MiB, 20 * MiB - 64 * KiB])(
  'zeros from the page boundary %d on are suspect, and it is named',
  async (from) => {
    const { verdict, reads } = await look(zeroedFrom(20 * MiB, from))
    expect(verdict).toMatchObject({ judgement: 'suspect', because: expect.stringContaining(`from byte ${from} on`) })
    expect(reads).toBeLessThan(20)
  },
)

test('a number that ends in zero bytes before the boundary hides nothing', async () => {
  const bytes = zeroedFrom(MiB, 128 * KiB)
  bytes.fill(0, 128 * KiB - 3)
  expect((await look(bytes)).verdict?.judgement).toBe('suspect')
})

test.for([5000, 64 * KiB + 128, 8 * MiB + 64, 12_345_678])(
  'a padding row or a zeroed tensor that begins at %d is legal',
  async (from) => {
    expect((await look(zeroedFrom(20 * MiB, from))).verdict).toBeUndefined()
  },
)

test('zeros that are shorter than 64 KiB, and files that are, are not judged', async () => {
  expect((await look(zeroedFrom(MiB, MiB - 63 * KiB))).verdict).toBeUndefined()
  expect((await look(new Uint8Array(60 * KiB))).verdict).toBeUndefined()
})

test('a header and nothing but zeros after it is an array of zeros', async () => {
  const bytes = new Uint8Array(MiB)
  bytes.set(noise(128))
  expect((await look(bytes)).verdict).toBeUndefined()
})

test('a large file of zeros alone is suspect', async () => {
  expect((await look(new Uint8Array(MiB))).verdict?.because).toContain('all of its')
})

test('a tail of zeros that begins inside a page is not taken for one from its boundary', async () => {
  // The shortest tail that is looked at begins inside the page at 0: what stands before it is data.
  const { verdict } = await look(zeroedFrom(64 * KiB + 800, 800))
  expect(verdict).toBeUndefined()
})
