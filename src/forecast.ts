/**
 * The forecast: a pure fold of planned files, the route and the limits that the checks yielded. It repeats no check's
 * judgement, and it never says more than was looked at.
 */
import type { Limit, RouteKind } from './check.ts'
import type { Route } from './mlflow/route.ts'
import { routeFor } from './mlflow/route.ts'
import type { PlannedFile, PlannedUpload } from './needs/declarations.ts'
import type { ForecastRow } from './report.ts'
import { bytes, exactBytes } from './words.ts'

const inBytes = (limit: Limit): number | undefined => ('bytes' in limit.max ? limit.max.bytes : undefined)

/** What one file is compared with: its own size, or that of the whole upload. */
const weighed = (limit: Limit, file: PlannedFile, plan: PlannedUpload, route: RouteKind, r: Route): number => {
  if (limit.scope === 'total') return plan.total
  // A request carries the whole file, except on the routes that cut it into parts.
  if (limit.scope === 'request' && route === 'signed-parts') return Math.min(file.bytes, r.multipartChunk)
  return file.bytes
}

const applies = (limit: Limit, route: RouteKind): boolean => limit.routes === undefined || limit.routes.includes(route)

export interface ForecastOptions {
  readonly plan: PlannedUpload
  readonly route: Route
  readonly limits: readonly Limit[]
  /** Ids of the checks that gave no answer (blocked, crashed, left out, not allowed to write): without them no file can be said to pass. */
  readonly unknown: readonly string[]
}

export const forecast = ({ plan, route, limits, unknown }: ForecastOptions): ForecastRow[] =>
  plan.files.map((file) => {
    const kind = routeFor(route, file.bytes)
    const row = { path: file.path, bytes: file.bytes, route: kind }
    const broken = limits
      .filter((limit) => applies(limit, kind))
      .flatMap((limit) => {
        const max = inBytes(limit)
        return max !== undefined && weighed(limit, file, plan, kind, route) > max ? [{ limit, max }] : []
      })
      .sort((a, b) => a.max - b.max)
    const [tightest] = broken
    if (tightest) {
      const { limit, max } = tightest
      return {
        ...row,
        verdict: limit.basis === 'measured' ? 'fails' : 'at-risk',
        hop: limit.hop,
        limit: { setting: limit.setting, max, unit: 'bytes' },
        because: `${bytes(weighed(limit, file, plan, kind, route))} against ${limit.setting} of ${exactBytes(max)}: ${limit.because}`,
        remedy: limit.remedy(weighed(limit, file, plan, kind, route)),
      }
    }
    return {
      ...row,
      verdict: 'unknown',
      because:
        unknown.length > 0
          ? `not every hop was looked at; these checks gave no answer: ${unknown.join(', ')}`
          : 'it fits under every size limit that was found; time-outs and transfer rates are not measured by this version',
    }
  })
