import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { judgements, type RangeSource } from '../../src/formats/format.ts'
import { formats, judge } from '../../src/formats/index.ts'
import { structureBudget } from '../../src/formats/peek.ts'
import { fromBytes } from '../corpus/source.ts'
import { claims, type Filler, type Mutation, mutate, nameFor, samples, vast, watched } from './hostile.ts'

// MLFLOW_DOCTOR_PROPERTY_RUNS=5000 looks longer, from another seed each time.
const longer = process.env.MLFLOW_DOCTOR_PROPERTY_RUNS
const runs = longer === undefined ? { numRuns: 60, seed: 5 } : { numRuns: Number(longer) }
const MiB = 1024 ** 2

const whole = await samples(4, 20_000)

const share = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 0.02, noNaN: true }))
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('byte' as const), at: share, value: fc.nat(255) }),
  fc.record({
    kind: fc.constant('claim' as const),
    at: share,
    claim: fc.constantFrom(...claims),
    bytes: fc.constantFrom(2 as const, 4 as const, 8 as const),
    big: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('cut' as const), at: share }),
  fc.record({
    kind: fc.constantFrom('drop' as const, 'again' as const, 'zeros' as const),
    at: share,
    length: fc.nat(9000),
  }),
  fc.record({ kind: fc.constant('insert' as const), at: share, bytes: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({
    kind: fc.constant('nest' as const),
    at: share,
    mark: fc.constantFrom(0x28, 0x5b, 0x7b, 0x91, 0x81, 0x0a),
    length: fc.nat(200_000),
  }),
)
const fillers: fc.Arbitrary<Filler> = fc.oneof(fc.constantFrom<Filler[]>('zeros', 'noise', 'repeated'), fc.nat(255))

/** A verdict within the budget, from reads that lie in the file; whatever the verifier throws fails the test. */
const sane = async (source: RangeSource, name: string, among: typeof formats, prove = false): Promise<void> => {
  const seen = watched(source)
  const { judgement, because, spent } = await judge(seen, name, { among, prove })
  expect(judgements).toContain(judgement)
  expect(because.length).toBeLessThan(1000)
  for (const { offset, length } of seen.reads) {
    expect(offset).toBeGreaterThanOrEqual(0)
    expect(length).toBeLessThanOrEqual(structureBudget.piece)
    expect(offset + length).toBeLessThanOrEqual(source.size)
  }
  if (prove) return
  expect(seen.reads.length).toBeLessThanOrEqual(structureBudget.reads)
  expect(seen.reads.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(structureBudget.bytes)
  // The read that was refused is counted and not made.
  expect(spent.reads).toBeLessThanOrEqual(structureBudget.reads + 1)
}

describe.each(formats)('$id', (format) => {
  const name = nameFor(format)
  const found = whole.get(format.id) ?? []
  const sample = fc.constantFrom(...(found.length === 0 ? [new Uint8Array(64)] : found))
  const bent = fc
    .tuple(sample, fc.array(mutation, { minLength: 1, maxLength: 6 }))
    .map(([bytes, how]) => mutate(bytes, how))

  test('gives a verdict on any bytes', async () => {
    const any = fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), fc.boolean(), (bytes, prove) =>
      sane(fromBytes(bytes), name, [format], prove),
    )
    await fc.assert(any, runs)
  })

  test('gives a verdict on whole files that were bent', async () => {
    await fc.assert(
      fc.asyncProperty(bent, fc.boolean(), (bytes, prove) => sane(fromBytes(bytes), name, [format], prove)),
      runs,
    )
  })

  test('gives a verdict on a file that claims a pebibyte, within its budget of reads', async () => {
    const huge = fc.asyncProperty(fc.oneof(sample, bent), fillers, (bytes, filler) =>
      sane(vast(bytes, filler), name, [format]),
    )
    await fc.assert(huge, { ...runs, numRuns: Math.ceil(runs.numRuns / 6) })
  })
})

test('all verifiers together give a verdict on files of one format under the name of another', async () => {
  const every = [...whole.values()].flat()
  const mixed = fc.asyncProperty(fc.constantFrom(...every), fc.constantFrom(...formats.map(nameFor)), (bytes, name) =>
    sane(fromBytes(bytes), name, formats),
  )
  await fc.assert(mixed, { ...runs, numRuns: runs.numRuns * 5 })
})

test('no verifier keeps more than 64 MiB alive, whatever a file claims', async () => {
  const worker = new Worker(new URL('memory-worker.ts', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16 },
  })
  const most = await new Promise<Record<string, number>>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject)
  })
  await worker.terminate()
  expect(Object.keys(most)).toHaveLength(formats.length)
  expect(Object.entries(most).filter(([, bytes]) => bytes > 64 * MiB)).toEqual([])
})
