import { expect, test } from 'vitest'
import { GiB, MiB } from '../fixtures/host/values.ts'
import { by, passed } from '../fixtures/network/transferred.ts'
import { signedParts, singlePut, toAzure } from '../fixtures/server/routes.ts'
import { capacity } from '../src/capacity.ts'
import type { Limit } from '../src/check.ts'
import { hopsOf } from '../src/probes/rates.ts'
import type { Transfer } from '../src/probes/types.ts'

const top = 50_000 * GiB
const limit = (more: Partial<Limit>): Limit => ({
  kind: 'limit',
  hop: 'proxy',
  setting: 'client_max_body_size',
  scope: 'request',
  max: { bytes: MiB },
  basis: 'measured',
  because: 'nginx refuses more',
  remedy: () => ({ text: 'Raise it.' }),
  ...more,
})
/** `perMB` milliseconds for each million bytes, all of it sending. */
const line = (perMB: number, answerMs = 0): Transfer => {
  const tries = [1, 8, 16].map((mb) => ({ bytes: mb * 1e6, parts: 1, bodyMs: mb * perMB, answerMs, stallMs: 0 }))
  return { tries, ...hopsOf(tries) }
}
const known = {
  route: singlePut,
  limits: [] as readonly Limit[],
  unknown: [],
  as: 'log_artifact' as const,
  transfers: new Map([
    ['proxied-put' as const, line(10)],
    ['signed-parts' as const, line(10)],
  ]),
}

test('without any limit the largest object that a store takes gets through', () => {
  expect(capacity(known)).toEqual({
    files: [{ from: 1, bytes: top, route: 'proxied-put' }],
    largestFile: { from: 1, bytes: top, route: 'proxied-put' },
    largestModel: { from: 1, bytes: top, route: 'proxied-put' },
  })
})

test('a limit in bytes is met exactly, and named with what raises it', () => {
  const { files, largestModel } = capacity({ ...known, limits: [limit({ max: { bytes: 5_000_000_001 } })] })
  expect(files).toMatchObject([
    {
      bytes: 5_000_000_001,
      hop: 'proxy',
      limit: { setting: 'client_max_body_size', max: 5_000_000_001, unit: 'bytes' },
      remedy: { text: 'Raise it.' },
    },
  ])
  // A model may have many such files.
  expect(largestModel?.bytes).toBe(top)
})

test('a limit in time becomes a size by the measured rate, with a margin', () => {
  const limits = [limit({ max: { ms: 100_000 }, setting: 'a time-out' })]
  const { largestFile } = capacity({ ...known, limits })
  // 10 ms for each million bytes: 10 GB take 100 s, of which 85 % are promised.
  expect(largestFile?.bytes).toBeGreaterThan(8.4e9)
  expect(largestFile?.bytes).toBeLessThan(8.6e9)
  expect(largestFile?.limit?.setting).toBe('a time-out')
})

test('where files go in parts from a size on, both ranges are told', () => {
  const limits = [limit({ max: { bytes: 100 * MiB } })]
  const { files, largestFile } = capacity({ ...known, route: signedParts, limits })
  const from = signedParts.multipartMinimum
  expect(files).toMatchObject([
    { from: 1, bytes: 100 * MiB, route: 'proxied-put' },
    { from, bytes: top, route: 'signed-parts' },
  ])
  expect(largestFile).toMatchObject({ route: 'signed-parts', bytes: top })
})

test('the largest model is bounded by what counts the whole upload', () => {
  const limits = [limit({ scope: 'total', max: { bytes: 7 * GiB }, setting: 'TMPDIR', hop: 'host' })]
  const { largestFile, largestModel } = capacity({ ...known, limits })
  expect(largestFile).toMatchObject({ bytes: 7 * GiB, limit: { setting: 'TMPDIR' } })
  expect(largestModel).toMatchObject({ bytes: 7 * GiB, limit: { setting: 'TMPDIR' } })
})

test('a login that expires bounds the model by time, also over many files', () => {
  const limits = [
    limit({ max: { bytes: 1e9 } }),
    limit({ scope: 'total', max: { ms: 1_000_000 }, setting: 'MLFLOW_TRACKING_TOKEN', hop: 'client' }),
  ]
  const { largestFile, largestModel } = capacity({ ...known, limits })
  expect(largestFile?.bytes).toBe(1e9)
  // 100 MB/s for 850 s.
  expect(largestModel?.bytes).toBeGreaterThan(84e9)
  expect(largestModel?.bytes).toBeLessThan(86e9)
  expect(largestModel?.limit?.setting).toBe('MLFLOW_TRACKING_TOKEN')
})

test('where nothing gets through there is no largest file, and it says why', () => {
  const limits = [limit({ scope: 'file', max: { bytes: 0 }, because: 'no artifact may be written', hop: 'server' })]
  const { files, largestFile, largestModel } = capacity({ ...known, transfers: new Map(), limits })
  expect(files).toMatchObject([{ from: 1, route: 'proxied-put', hop: 'server' }])
  expect(files[0]).not.toHaveProperty('bytes')
  expect([largestFile, largestModel]).toEqual([undefined, undefined])
})

test('where larger bodies cannot be judged, the largest canary is the most that is promised', () => {
  const { largestFile } = capacity({ ...known, unjudged: 'nothing on the way judges a declared size' })
  expect(largestFile).toMatchObject({ bytes: 16_000_000 })
  expect(largestFile?.because).toContain('nothing on the way judges a declared size')
})

test('a check that gave no answer leaves every size unknown', () => {
  const { files } = capacity({ ...known, transfers: new Map(), unknown: ['host/temp-disk'] })
  expect(files[0]).not.toHaveProperty('bytes')
  expect(files[0]?.because).toContain('host/temp-disk')
})

test('on Azure a file of one request that takes too long is told apart from larger ones, which go in blocks', () => {
  const MB = 1_000_000
  const limits = [
    limit({ hop: 'client', setting: 'connection_timeout', max: { ms: 20_000 }, routes: ['store-multipart'] }),
  ]
  const transfers = by('store-multipart', [passed(MB, MB), passed(10 * MB, MB)])
  const { files } = capacity({ route: toAzure, limits, transfers, unknown: [], as: 'log_artifact' })
  expect(files.map(({ from }) => from)).toEqual([1, 64 * 1024 ** 2 + 1])
  expect(files[0]?.bytes).toBeGreaterThan(15 * MB)
  expect(files[0]?.bytes).toBeLessThan(20 * MB)
  expect(files[1]?.bytes).toBeGreaterThan(10_000 * MB)
})
