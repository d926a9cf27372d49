import { randomInt } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Trouble } from '../../src/errors.ts'
import type { UploadLimits } from '../../src/stores/store.ts'
import { type ChunkPlan, inferPartSize, partAt, planChunks, planWith } from '../../src/transfer/chunk-plan.ts'

const MiB = 1024 ** 2
const GiB = 1024 ** 3
const TiB = 1024 ** 4
const s3: UploadLimits = { minPart: 5 * MiB, maxPart: 5 * GiB, maxParts: 10_000, maxObject: 5 * TiB }
const budget = { memoryBytes: 64 * MiB, concurrency: 4 }
const plenty = { memoryBytes: 8 * GiB, concurrency: 4 }

const covers = (plan: ChunkPlan, limits: UploadLimits): void => {
  let next = 0
  for (const number of [1, 2, plan.parts - 1, plan.parts].filter((n) => n >= 1 && n <= plan.parts)) {
    const { offset, length } = partAt(plan, number)
    expect(offset).toBe((number - 1) * plan.partSize)
    expect(length).toBe(number < plan.parts ? plan.partSize : plan.size - offset)
    next = offset + length
  }
  expect(next).toBe(plan.size)
  expect(plan.parts).toBeLessThanOrEqual(limits.maxParts)
  if (plan.parts > 1) {
    expect(plan.partSize).toBeGreaterThanOrEqual(limits.minPart)
    expect(partAt(plan, plan.parts).length).toBeGreaterThan(0)
  }
  expect(plan.partSize).toBeLessThanOrEqual(limits.maxPart)
}

const kindOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof Trouble) return error.kind
    throw error
  }
  return 'none'
}

describe('cutting a file', () => {
  const edges = [0, 1, 5 * MiB - 1, 5 * MiB, 5 * MiB + 1, 16 * MiB - 1, 16 * MiB, 16 * MiB + 1, 48 * MiB]
  const capacity = 16 * MiB * 10_000
  const large = [capacity - 1, capacity, capacity + 1, 600 * GiB, TiB, 5 * TiB - 1, 5 * TiB]
  const random = Array.from({ length: 300 }, () => Math.floor(2 ** (randomInt(0, 4200) / 100)))

  test.each(edges)('%i bytes within S3 limits', (size) => {
    const plan = planChunks(size, s3, budget)
    covers(plan, s3)
    expect(plan.parts).toBe(Math.ceil(size / (16 * MiB)))
  })

  test.each(large)('%i bytes with memory to spare', (size) => covers(planChunks(size, s3, plenty), s3))

  test('any size keeps every limit and the memory given', () => {
    for (const size of random) {
      const plan = planChunks(size, s3, plenty)
      covers(plan, s3)
      expect(plan.concurrency * Math.min(plan.partSize, Math.max(1, size))).toBeLessThanOrEqual(plenty.memoryBytes)
    }
  })

  test('an empty file has no parts', () => {
    expect(planChunks(0, s3, budget)).toMatchObject({ parts: 0, concurrency: 1 })
  })

  test('little memory means smaller parts first, then fewer workers', () => {
    expect(planChunks(GiB, s3, { memoryBytes: 32 * MiB, concurrency: 4 })).toMatchObject({
      partSize: 8 * MiB,
      concurrency: 4,
    })
    expect(planChunks(GiB, s3, { memoryBytes: 12 * MiB, concurrency: 4 })).toMatchObject({
      partSize: 5 * MiB,
      concurrency: 2,
    })
  })

  test('a part that does not fit into the memory is said, not taken', () => {
    expect(kindOf(() => planChunks(5 * TiB, s3, budget))).toBe('usage')
    expect(kindOf(() => planChunks(GiB, s3, { memoryBytes: 4 * MiB, concurrency: 1 }))).toBe('usage')
  })

  test('beyond the largest object, or the last part number, it is too large', () => {
    expect(kindOf(() => planChunks(5 * TiB + 1, s3, plenty))).toBe('too-large')
    const aligned = { ...s3, alignment: 10 * MiB }
    expect(kindOf(() => planChunks(100_000 * MiB, aligned, budget))).toBe('none')
    expect(kindOf(() => planChunks(100_000 * MiB + 1, aligned, budget))).toBe('too-large')
    expect(kindOf(() => planChunks(101 * MiB, { ...s3, maxPart: 10 * MiB, maxParts: 10 }, budget))).toBe('too-large')
  })

  test('a store that prescribes the part size gets it', () => {
    expect(planChunks(25 * MiB, { ...s3, alignment: 10 * MiB }, budget)).toMatchObject({ partSize: 10 * MiB, parts: 3 })
  })

  test('one part may be smaller than the smallest part allowed', () => {
    expect(planWith(3, 5 * MiB, s3, { memoryBytes: 3, concurrency: 8 })).toMatchObject({ parts: 1, concurrency: 1 })
  })
})

describe('the part size of an upload begun by someone else', () => {
  const cut = (size: number, partSize: number): { number: number; size: number }[] => {
    const plan = planWith(size, partSize, { ...s3, minPart: 1 }, plenty)
    return Array.from({ length: plan.parts }, (_, i) => ({ number: i + 1, size: partAt(plan, i + 1).length }))
  }

  test.each([5, 8, 10, 16, 64])('%i MiB parts are recognised from any subset that holds a full one', (mebibytes) => {
    const size = 640 * MiB + 12345
    const all = cut(size, mebibytes * MiB)
    for (let round = 0; round < 20; round += 1) {
      const some = all.filter((part) => part.number === 1 || randomInt(0, 2) === 1)
      expect(inferPartSize(size, some)).toBe(mebibytes * MiB)
    }
  })

  test('unequal parts, or numbers beyond the end of the file, fit no cut', () => {
    const infer = (...parts: [number: number, size: number][]) =>
      inferPartSize(
        100,
        parts.map(([number, size]) => ({ number, size })),
      )
    expect(infer([1, 29], [2, 30], [3, 30])).toBeUndefined()
    expect(infer([1, 30], [5, 30])).toBeUndefined()
    expect(infer()).toBeUndefined()
    expect(infer([1, 0])).toBeUndefined()
    expect(infer([1, 30], [2, 12])).toBe(30)
    expect(infer([2, 30], [4, 10])).toBe(30)
  })
})
