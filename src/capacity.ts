/** The question turned round: the largest file and the largest model that will get through. Asks the forecast, and nothing else. */
import { type ForecastOptions, forecast } from './forecast.ts'
import { type Route, routeFor } from './mlflow/route.ts'
import type { PlannedUpload } from './needs/declarations.ts'
import type { Capacity, ForecastRow, Reach } from './report.ts'

type Known = Omit<ForecastOptions, 'plan' | 'route'> & { readonly route: Route; readonly as: PlannedUpload['as'] }

/** 50,000 GiB: what AWS takes as one object since December 2025, and more than any other store. */
const top = 50_000 * 2 ** 30

const planOf = (files: PlannedUpload['files'], total: number, as: PlannedUpload['as']): PlannedUpload => ({
  files,
  largest: files.reduce((most, { bytes }) => Math.max(most, bytes), 0),
  total,
  as,
})

const rowFor = (known: Known, bytes: number): ForecastRow | undefined =>
  forecast({ ...known, plan: planOf([{ path: 'a file', bytes }], bytes, known.as) })[0]

/** The largest value from `low` to `high` that passes, where all below it pass; undefined when `low` does not. */
const largest = (low: number, high: number, passes: (value: number) => boolean): number | undefined => {
  if (high < low || !passes(low)) return undefined
  let [good, bad] = [low, high + 1]
  while (bad - good > 1) {
    const middle = good + Math.floor((bad - good) / 2)
    if (passes(middle)) good = middle
    else bad = middle
  }
  return good
}

const above = (row: ForecastRow | undefined): Omit<Reach, 'from' | 'bytes' | 'route'> =>
  row === undefined || row.verdict === 'passes'
    ? {}
    : {
        because: row.because,
        ...(row.hop !== undefined && { hop: row.hop }),
        ...(row.limit && { limit: row.limit }),
        ...(row.remedy && { remedy: row.remedy }),
      }

export const capacity = (known: Known): Capacity => {
  const { route } = known
  const passes = (bytes: number): boolean => rowFor(known, bytes)?.verdict === 'passes'
  // A file that goes whole may fail where a larger one, in parts, passes.
  const cut = route.multipart && route.multipartMinimum > 0
  const from =
    cut && (route.proxied || route.multipartChunk < route.multipartMinimum - 1) ? route.multipartMinimum : undefined
  const ranges: readonly (readonly [low: number, high: number])[] =
    from === undefined
      ? [[1, top]]
      : [
          [1, Math.min(top, from - 1)],
          [from, top],
        ]
  const files = ranges.map(([low, high]): Reach => {
    const bytes = largest(low, high, passes)
    const next = bytes === undefined ? low : bytes + 1
    return {
      from: low,
      ...(bytes !== undefined && { bytes }),
      route: routeFor(route, low),
      ...(next <= high ? above(rowFor(known, next)) : {}),
    }
  })
  const best = files.findLast(({ bytes }) => bytes !== undefined)
  const size = best?.bytes
  if (best === undefined || size === undefined) return { files }
  // A model of many such files: only what counts the whole upload bounds it.
  const model = (total: number): ForecastRow | undefined => {
    const some = Math.min(size, total)
    const plan = { ...planOf([{ path: 'a file', bytes: some }], total, known.as) }
    const one = rowFor(known, some)
    const repeated = ((one?.seconds ?? 0) * 1000 * (total - some)) / Math.max(1, some)
    return forecast({ ...known, trainingMs: (known.trainingMs ?? 0) + repeated, plan })[0]
  }
  const total = largest(1, top, (bytes) => model(bytes)?.verdict === 'passes')
  return {
    files,
    largestFile: best,
    ...(total !== undefined && {
      largestModel: { from: 1, bytes: total, route: best.route, ...(total < top ? above(model(total + 1)) : {}) },
    }),
  }
}
