import fc from 'fast-check'
import { expect, test } from 'vitest'
import { judge } from '../../src/formats/index.ts'
import { structureBudget } from '../../src/formats/peek.ts'
import { bytesOf } from './of.ts'

const MiB = 1024 ** 2
/** Marks by which files are recognised, and the names that go with them. */
const marks: Record<string, string> = {
  'a.zip': 'PK\x03\x04',
  'b.zip': 'PK\x05\x06',
  'a.npy': "\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (",
  'a.pt': '\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.',
  'a.pkl': '\x80\x05\x95',
  'b.pkl': '',
  'a.joblib': '\x80\x04\x8c\x13joblib.numpy_pickle\x8c\x11NumpyArrayWrapper\x93)\x81}(',
  'a.xz': '\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4F',
  'a.gz': '\x1f\x8b\x08\x1e\x00\x00\x00\x00\x00\x03',
  'a.bz2': 'BZh91AY&SY',
  'a.zst': '\x28\xb5\x2f\xfd',
  'a.lz4': '\x04\x22\x4d\x18\x64\x40\xa7',
  'a.z': '\x78\x9c',
  'a.lzma': '\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff',
}
/** Marks that lie further in. */
const inner = [
  'PK\x01\x02',
  'PK\x05\x06',
  'PK\x06\x06',
  'PK\x06\x07',
  'YZ',
  '\x93NUMPY\x01\x00',
  '\x95',
  '\x8e',
  '\x8d',
  '.',
]
const part = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.constantFrom(...inner).map((mark) => bytesOf(mark)),
  fc.constantFrom(0, 255, 127, 128).map((byte) => new Uint8Array(8).fill(byte)),
  fc.nat({ max: 400 }).map((length) => new Uint8Array(length)),
)

for (const [name, mark] of Object.entries(marks)) {
  test(`${name}: whatever follows the mark, there is a verdict within the budget`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), fc.integer({ min: 0, max: 2 ** 45 }), async (parts, hole) => {
        // The parts at both ends of a file that may claim to be of any size.
        const ends = bytesOf(mark, ...parts)
        const size = ends.length * 2 + (hole % 3 === 0 ? 0 : hole)
        let [reads, bytes] = [0, 0]
        const source = {
          size,
          async read(at: number, length: number) {
            reads += 1
            bytes += length
            expect(at >= 0 && length > 0 && at + length <= size && length <= structureBudget.piece).toBe(true)
            const got = Buffer.alloc(length)
            ends.copy(got, 0, Math.min(at, ends.length))
            const back = at - (size - ends.length)
            ends.copy(got, Math.max(0, -back), Math.max(0, back))
            return got
          },
        }
        const verdict = await judge(source, name)
        expect(verdict.judgement).toMatch(/^(broken|suspect|complete|ended|unknown)$/)
        expect(reads).toBeLessThanOrEqual(structureBudget.reads)
        expect(bytes).toBeLessThanOrEqual(structureBudget.bytes)
        if (size < MiB) expect((await judge(source, name, { prove: true })).judgement).toMatch(/./)
      }),
      { numRuns: 60 },
    )
  })
}
