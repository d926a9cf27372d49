import { expect, test } from 'vitest'
import { GiB, MiB, planned } from '../fixtures/host/values.ts'
import { signedParts, singlePut, toFolder, toS3 } from '../fixtures/server/routes.ts'
import type { Limit } from '../src/check.ts'
import { forecast } from '../src/forecast.ts'

const remedy = { text: 'Raise it.' }
const limit = (max: number, more: Partial<Limit> = {}): Limit => ({
  kind: 'limit',
  hop: 'proxy',
  setting: 'client_max_body_size',
  scope: 'request',
  max: { bytes: max },
  basis: 'measured',
  because: 'nginx refuses more',
  remedy: () => remedy,
  ...more,
})
const plan = planned('log_model', 20 * GiB, 300)

test('one row for each planned file, in their order, with the route that it takes', () => {
  const rows = forecast({ plan, route: signedParts, limits: [], unknown: [] })
  expect(rows.map(({ path, bytes, route }) => ({ path, bytes, route }))).toEqual([
    { path: 'data-0.bin', bytes: 20 * GiB, route: 'signed-parts' },
    { path: 'data-1.bin', bytes: 300, route: 'proxied-put' },
  ])
  const routes = [singlePut, toS3, toFolder].map(
    (route) => forecast({ plan, route, limits: [], unknown: [] })[0]?.route,
  )
  expect(routes).toEqual(['proxied-put', 'store-multipart', 'folder-copy'])
})

test('a file above a measured limit fails, and one of exactly its size does not', () => {
  const on = (max: number) => forecast({ plan, route: singlePut, limits: [limit(max)], unknown: [] })[0]
  expect(on(20 * GiB - 1)).toMatchObject({
    verdict: 'fails',
    hop: 'proxy',
    limit: { setting: 'client_max_body_size', max: 20 * GiB - 1, unit: 'bytes' },
    because: '20 GiB against client_max_body_size of 20 GiB (21474836479 bytes): nginx refuses more',
    remedy,
  })
  expect(on(20 * GiB)).toMatchObject({ verdict: 'unknown' })
})

test('an assumed limit only puts a file at risk', () => {
  const limits = [limit(MiB, { basis: 'assumed' })]
  expect(forecast({ plan, route: singlePut, limits, unknown: [] }).map(({ verdict }) => verdict)).toEqual([
    'at-risk',
    'unknown',
  ])
})

test('the tightest of several broken limits decides, whatever their order', () => {
  const limits = [limit(GiB, { hop: 'server' }), limit(MiB, { hop: 'network' }), limit(2 * GiB)]
  for (const given of [limits, limits.toReversed()]) {
    expect(forecast({ plan, route: singlePut, limits: given, unknown: [] })[0]).toMatchObject({ hop: 'network' })
  }
})

test('a limit that names its routes holds for those alone', () => {
  const limits = [limit(MiB, { routes: ['proxied-put'] })]
  const verdict = (route: typeof toS3) => forecast({ plan, route, limits, unknown: [] })[0]?.verdict
  expect([verdict(singlePut), verdict(signedParts), verdict(toS3)]).toEqual(['fails', 'unknown', 'unknown'])
})

test('a limit on requests is compared with one part where the server signs parts', () => {
  const verdict = (max: number) => forecast({ plan, route: signedParts, limits: [limit(max)], unknown: [] })[0]?.verdict
  expect(verdict(10 * MiB)).toBe('unknown')
  expect(verdict(10 * MiB - 1)).toBe('fails')
})

test('a limit on files is compared with the whole file on every route', () => {
  const limits = [limit(GiB, { scope: 'file' })]
  expect(forecast({ plan, route: signedParts, limits, unknown: [] })[0]).toMatchObject({ verdict: 'fails' })
})

test('a limit on the whole upload fails every file when the sum is above it', () => {
  const on = (max: number) =>
    forecast({ plan, route: toFolder, limits: [limit(max, { scope: 'total' })], unknown: [] }).map((row) => row.verdict)
  expect(on(20 * GiB + 299)).toEqual(['fails', 'fails'])
  expect(on(20 * GiB + 300)).toEqual(['unknown', 'unknown'])
})

test('a limit in time decides nothing about sizes', () => {
  const limits = [limit(0, { scope: 'idle', max: { ms: 1 } })]
  expect(forecast({ plan, route: singlePut, limits, unknown: [] })[0]).toMatchObject({ verdict: 'unknown' })
})

test('what is unknown says why: the checks that were blocked, else what is not measured at all', () => {
  const because = (unknown: string[]) => forecast({ plan, route: singlePut, limits: [], unknown })[0]?.because
  expect(because(['proxy/body-limit', 'host/memory'])).toBe(
    'not every hop was looked at; these checks gave no answer: proxy/body-limit, host/memory',
  )
  expect(because([])).toMatch(/^it fits under every size limit that was found, but no canary was sent on this route/)
})

test('a blocked check does not hide a limit that was measured', () => {
  const rows = forecast({ plan, route: singlePut, limits: [limit(MiB)], unknown: ['host/memory'] })
  expect(rows[0]).toMatchObject({ verdict: 'fails' })
})
