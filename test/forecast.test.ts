import { expect, test } from 'vitest'
import { GiB, MiB, planned } from '../fixtures/host/values.ts'
import { by, passed, refused } from '../fixtures/network/transferred.ts'
import { signedParts, singlePut, toFolder, toS3 } from '../fixtures/server/routes.ts'
import type { Limit, RouteKind } from '../src/check.ts'
import { type ForecastOptions, forecast } from '../src/forecast.ts'
import { hopsOf } from '../src/probes/rates.ts'
import type { Transfer } from '../src/probes/types.ts'

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
    because:
      '20 GiB (21474836480 bytes) against client_max_body_size of 20 GiB (21474836479 bytes): nginx refuses more',
    remedy,
  })
  expect(on(20 * GiB)).toMatchObject({ verdict: 'unknown' })
})

test('where no file gets through, an empty one does not either', () => {
  const none = limit(0, { scope: 'file', setting: 'permission to write' })
  const rows = forecast({ plan: planned('log_model', MiB, 0), route: singlePut, limits: [none], unknown: [] })
  expect(rows.map(({ verdict }) => verdict)).toEqual(['fails', 'fails'])
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

test('without a route a file is unknown, unless this machine itself has no room for it', () => {
  const temp = limit(GiB, { hop: 'host', scope: 'total', setting: 'TMPDIR' })
  const body = limit(MiB, { routes: ['proxied-put'] })
  const on = (limits: Limit[]) => forecast({ plan, limits, unknown: ['network/transfer'] })[0]
  expect(on([body])).toMatchObject({ verdict: 'unknown', because: expect.stringMatching(/^which way it would take/) })
  expect(on([body])).not.toHaveProperty('route')
  expect(on([body, temp])).toMatchObject({ verdict: 'fails', limit: { setting: 'TMPDIR' } })
})

test('a blocked check does not hide a limit that was measured', () => {
  const rows = forecast({ plan, route: singlePut, limits: [limit(MiB)], unknown: ['host/memory'] })
  expect(rows[0]).toMatchObject({ verdict: 'fails' })
})

/** 100 MB/s to send, and 1 s with 1 GB/s until the answer. */
const measured = (more: Partial<Transfer> = {}): ReadonlyMap<RouteKind, Transfer> => {
  const tries = [1, 8, 32].map((mb) => ({
    bytes: mb * 1e6,
    parts: 1,
    bodyMs: mb * 10,
    answerMs: 1000 + mb,
    stallMs: 0,
  }))
  return new Map([['proxied-put', { tries, ...hopsOf(tries), ...more }]])
}
const file = (bytes: number, more: Partial<ForecastOptions> = {}) =>
  forecast({
    plan: planned('log_artifact', bytes),
    route: singlePut,
    limits: [],
    transfers: measured(),
    unknown: [],
    ...more,
  })[0]
const timed = (scope: Limit['scope'], ms: number, basis: Limit['basis'] = 'measured') =>
  limit(0, { scope, max: { ms }, basis, setting: 'a time-out' })

test('what fits under every limit passes, with the time that it will take', () => {
  expect(file(10e9)).toMatchObject({ verdict: 'passes', seconds: 111 })
  expect(file(10e9)?.because).toContain('by canaries of up to 30.5 MiB')
})

test.each([
  // 10 GB: 100 s to send and 11 s until the answer.
  ['body', 80_000, 'fails'],
  ['body', 95_000, 'at-risk'],
  ['body', 110_000, 'at-risk'],
  ['body', 120_000, 'passes'],
  ['answer', 9_000, 'fails'],
  ['answer', 12_000, 'at-risk'],
  ['answer', 14_000, 'passes'],
  ['request', 95_000, 'fails'],
  ['request', 140_000, 'passes'],
  ['idle', 1_000, 'passes'],
] as const)('a time limit on the %s of %i ms: %s', (scope, ms, verdict) => {
  expect(file(10e9, { limits: [timed(scope, ms)] })?.verdict).toBe(verdict)
})

test('an assumed time limit only puts a file at risk, and its remedy is worked out for the time needed', () => {
  const asked: (number | undefined)[] = []
  const limits = [
    {
      ...timed('answer', 2000, 'assumed'),
      remedy: (needed: number | undefined) => {
        asked.push(needed)
        return remedy
      },
    },
  ]
  expect(file(10e9, { limits })).toMatchObject({ verdict: 'at-risk', limit: { max: 2000, unit: 'ms' } })
  expect(asked[0]).toBeGreaterThan(13_000)
  expect(asked[0]).toBeLessThan(14_500)
})

test('a login that expires is compared with the training and all files together', () => {
  const on = (trainingMs: number) =>
    forecast({
      plan: planned('log_artifact', 5e9, 5e9),
      route: singlePut,
      limits: [timed('total', 3_600_000)],
      transfers: measured(),
      trainingMs,
      unknown: [],
    }).map(({ verdict }) => verdict)
  expect(on(0)).toEqual(['passes', 'passes'])
  expect(on(3_500_000)).toEqual(['at-risk', 'at-risk'])
  expect(on(4_200_000)).toEqual(['fails', 'fails'])
})

test('a canary of the full size that got through outweighs what is only assumed', () => {
  expect(file(32e6, { limits: [timed('answer', 100, 'assumed')] })).toMatchObject({ verdict: 'passes' })
  expect(file(30e6)?.because).toContain('a larger canary got through')
})

test('a limit of this machine is not met by a canary, which goes past it', () => {
  expect(file(32e6, { limits: [limit(MiB, { hop: 'host', scope: 'total' })] })).toMatchObject({ verdict: 'fails' })
})

test('where nothing judges a declared size, what is larger than every canary is unknown', () => {
  const unjudged = 'nothing on the way judges a declared size'
  expect(file(33e6, { unjudged })).toMatchObject({ verdict: 'unknown' })
  expect(file(32e6, { unjudged })).toMatchObject({ verdict: 'passes' })
})

test('what judges bodies at the tracking server says nothing about parts, which go past it', () => {
  const [tries] = [...measured().values()]
  const transfers = new Map([['signed-parts' as const, tries as Transfer]])
  const unjudged = 'nothing on the way judges a declared size'
  const on = { transfers, unjudged, hidden: true, route: signedParts }
  expect(file(10e9, on)).toMatchObject({ verdict: 'passes', route: 'signed-parts' })
  expect(file(10e9, on)?.because).not.toContain('behind the first proxy')
  expect(file(10e9, { hidden: true })?.because).toContain('behind the first proxy')
})

test('a canary that failed, and no limit that explains it, fails what is as large', () => {
  const failed = { how: 'closed', during: 'body', afterMs: 9, sentBytes: 9, why: 'the connection was closed' } as const
  const [good = []] = [...measured().values()].map(({ tries }) => tries)
  const tries = [...good, { bytes: 64e6, parts: 1, bodyMs: 9, stallMs: 0, failed }]
  const transfers = new Map([['proxied-put' as const, { tries, ...hopsOf(good) }]])
  expect(file(64e6, { transfers })).toMatchObject({ verdict: 'fails', hop: 'network' })
  expect(file(50e6, { transfers })).toMatchObject({ verdict: 'passes' })
})

test('accidents on the way make the chance that one request of this size survives', () => {
  const failed = { how: 'closed', during: 'body', afterMs: 9, sentBytes: 16e6, why: 'cut' } as const
  const [good = []] = [...measured().values()].map(({ tries }) => tries)
  const tries = [...good, { bytes: 32e6, parts: 1, bodyMs: 9, stallMs: 0, failed }]
  const transfers = new Map([['proxied-put' as const, { tries, ...hopsOf(good) }]])
  // One break in 57 MB: exp(-100/57) = 17 %.
  expect(file(100e6, { transfers })).toMatchObject({ verdict: 'at-risk', hop: 'network' })
  expect(file(100e6, { transfers })?.because).toContain('17 %')
})

test('accidents put no file at risk where the client sends lost parts again', () => {
  const parts = { parts: 4 }
  const tries = [passed(8e6), refused(16e6, { sentBytes: 4e6 }), passed(16e6)].map((one) => ({ ...one, ...parts }))
  const on = (kind: RouteKind, route: typeof toS3) =>
    forecast({ plan: planned('log_artifact', 20 * GiB), route, limits: [], transfers: by(kind, tries), unknown: [] })[0]
  expect(on('store-multipart', toS3)?.verdict).toBe('passes')
  expect(on('signed-parts', signedParts)?.verdict).toBe('at-risk')
})

test('a canary of 1 KiB alone tells nothing of the time that a large file takes', () => {
  const patience = limit(0, { hop: 'client', scope: 'answer', max: { ms: 120_000 }, routes: ['proxied-put'] })
  const tiny = [passed(1024, 1e5, 1e5, 20)]
  const on = (tries: Parameters<typeof by>[1], more: object = {}) =>
    forecast({
      plan: planned('log_artifact', 20 * GiB, 2000),
      route: singlePut,
      limits: [patience],
      transfers: by('proxied-put', tries, more),
      unknown: [],
    })
  const [large, small] = on(tiny, { objection: 'the bucket keeps versions of what is deleted' })
  expect(large).toMatchObject({ verdict: 'unknown', because: expect.stringContaining('keeps versions') })
  expect(large).not.toHaveProperty('seconds')
  expect(small).toHaveProperty('seconds')
  expect(on(tiny)[0]).toMatchObject({ verdict: 'unknown', because: expect.stringContaining('1 KiB') })
  // What a canary ran into is met all the same.
  const late = { during: 'answer', afterMs: 130_000, silentMs: 120_000 } as const
  expect(on([...tiny, refused(4e6, late), refused(4e6, late)])[0]).toMatchObject({ verdict: 'fails', hop: 'client' })
})

test('a limit on pauses is met where a canary was cut after just such a silence, or paused as long itself', () => {
  const idle = (ms: number) => limit(0, { scope: 'idle', max: { ms }, setting: 'client_body_timeout' })
  const cut = refused(600_000, { afterMs: 2400, silentMs: 2010 })
  const paused = { ...passed(1_000_000), stallMs: 4000 }
  const on = (tries: Parameters<typeof by>[1], ms: number) =>
    forecast({
      plan: planned('log_model', 50_000_000, 1),
      route: singlePut,
      limits: [idle(ms)],
      transfers: by('proxied-put', tries),
      unknown: [],
    })[0]
  expect(on([passed(150_000), cut, cut], 2000)).toMatchObject({
    verdict: 'fails',
    limit: { setting: 'client_body_timeout', max: 2000 },
  })
  // Cut by something else, which waits longer.
  expect(on([passed(150_000), cut, cut], 900)).not.toHaveProperty('limit')
  expect(on([paused], 3000)).toMatchObject({ verdict: 'fails' })
  expect(on([paused], 10_000)).toMatchObject({ verdict: 'passes' })
})

test('a limit on the answer that a smaller canary ran into is surely met, however short the answer was predicted', () => {
  const on = (tries: Parameters<typeof by>[1]) =>
    forecast({
      plan: planned('log_model', 50_000_000, 1),
      route: singlePut,
      limits: [limit(0, { scope: 'answer', max: { ms: 3000 }, setting: 'proxy_read_timeout' })],
      transfers: by('proxied-put', tries, { blurred: true }),
      unknown: [],
    })[0]
  const cut = refused(20_000_000, { status: 504, afterMs: 3010, silentMs: 3005 })
  expect(on([passed(5_000_000), cut])).toMatchObject({ verdict: 'fails', limit: { setting: 'proxy_read_timeout' } })
  expect(on([passed(5_000_000), { ...cut, bytes: 60_000_000 }])).not.toHaveProperty('limit')
})

test('a silence that ended a large canary is no pause that a small file makes', () => {
  const tries = [passed(MiB), refused(20 * MiB, { afterMs: 2100, silentMs: 2000, how: 'silent' })]
  const on = (size: number) =>
    forecast({
      plan: planned('log_artifact', size),
      route: singlePut,
      limits: [timed('idle', 2000), timed('answer', 2000)],
      transfers: by('proxied-put', tries),
      unknown: [],
    })[0]
  expect(on(MiB)).toMatchObject({ verdict: 'passes' })
  expect(on(20 * MiB)).toMatchObject({ verdict: 'fails' })
})

test('what was measured of a setting stands in for what is usual', () => {
  const limits = [timed('request', 30_000, 'assumed'), timed('body', 300_000)]
  expect(file(10e9, { limits })).toMatchObject({ verdict: 'passes' })
  expect(file(10e9, { limits: limits.slice(0, 1) })).toMatchObject({ verdict: 'at-risk' })
})

test('a canary that failed makes no limit sure that it has nothing to do with', () => {
  const failed = { how: 'closed', during: 'body', afterMs: 9, sentBytes: 9, why: 'the connection was closed' } as const
  const [good = []] = [...measured().values()].map(({ tries }) => tries)
  const tries = [...good, { bytes: 64e6, parts: 1, bodyMs: 9, stallMs: 0, failed }]
  const transfers = new Map([['proxied-put' as const, { tries, ...hopsOf(good) }]])
  // 10 GB are expected to take 100 s to send: within the margin of the limit.
  expect(file(10e9, { transfers, limits: [timed('body', 100_000)] })).toMatchObject({ verdict: 'at-risk' })
})

test('canaries that were cut at a time that was measured otherwise name that time, not the disk that it looked like', () => {
  const tries = [passed(MiB), refused(64 * MiB, { afterMs: 3600, status: 500 })]
  const measured: Limit = { ...limit(0), setting: '--timeout of gunicorn', hop: 'server', max: { ms: 2900 } }
  const disk = limit(MiB, { setting: 'disk of the server', hop: 'store' })
  const on = (worker: Limit) =>
    forecast({
      plan: planned('log_artifact', 64 * GiB),
      route: singlePut,
      limits: [disk, worker],
      transfers: by('proxied-put', tries),
      unknown: [],
    })[0]
  const slow = { ...measured, scope: 'request' } as const
  expect(on(slow)).toMatchObject({ verdict: 'fails', limit: { setting: '--timeout of gunicorn' } })
  expect(on({ ...slow, max: { ms: 30_000 } })).toMatchObject({ limit: { setting: 'disk of the server' } })
})
