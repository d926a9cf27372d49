/**
 * The forecast: a pure fold of planned files, the route, what canaries took, and the limits that the checks yielded. It
 * repeats no check's judgement, and it never says more than was looked at.
 */
import type { Limit, RouteKind } from './check.ts'
import { type Estimate, estimate } from './estimate.ts'
import type { Route } from './mlflow/route.ts'
import { requestBytes, routeFor } from './mlflow/route.ts'
import type { PlannedFile, PlannedUpload } from './needs/declarations.ts'
import type { Transfer, TransferTry } from './probes/types.ts'
import type { ForecastRow, Verdict } from './report.ts'
import { bytes, duration, exactBytes } from './words.ts'

export interface ForecastOptions {
  readonly plan: PlannedUpload
  /** Absent where the way of the files could not be found out, such as behind a server that does not answer. */
  readonly route?: Route
  readonly limits: readonly Limit[]
  readonly transfers?: ReadonlyMap<RouteKind, Transfer>
  /** `--training-time` in milliseconds. */
  readonly trainingMs?: number
  /** Why larger bodies than were sent cannot be judged: nothing on the way judges a declared size. */
  readonly unjudged?: string
  /** True when a proxy takes whole bodies before it passes anything on, and hides what stands behind it. */
  readonly hidden?: boolean
  /** Ids of the checks that gave no answer (blocked, crashed, left out, not allowed to write): without them no file can be said to pass. */
  readonly unknown: readonly string[]
}

/** A predicted time within so much of a limit, either way, may fall on either side of it. */
const margin = 0.15
/** A request that arrives with a smaller chance than this is a risk. */
const likely = 0.95

const applies = ({ routes }: Limit, route: RouteKind | undefined): boolean =>
  routes === undefined || (route !== undefined && routes.includes(route))

/** Hops whose limits a canary of the full size has met already. */
const isMet = (limit: Limit): boolean => limit.scope !== 'total' && limit.hop !== 'host' && limit.hop !== 'client'

/** What the whole upload weighs and takes, worked out once for all files. */
interface Whole {
  readonly bytes: number
  readonly ms: number
}

/** What one file is compared with, in the limit's own unit; undefined where that is not known. */
const weighed = (
  limit: Limit,
  file: PlannedFile,
  kind: RouteKind | undefined,
  whole: Whole,
  took: Estimate | undefined,
  r: Route | undefined,
  tries: readonly TransferTry[],
): number | undefined => {
  if ('bytes' in limit.max) {
    if (limit.scope === 'total') return whole.bytes
    return limit.scope === 'request' ? inOneRequest(file, kind, r) : file.bytes
  }
  if (limit.scope === 'total') return whole.ms
  if (took === undefined) return undefined
  // Whatever a larger file takes: a limit that cut canaries is met.
  if (took.rough && limit.scope !== 'idle' && !explains(limit, tries)) {
    const cut = limit.scope === 'answer' ? longestCut(tries, limit.max.ms) : 0
    return cut > 0 ? cut : undefined
  }
  if (limit.scope === 'body') return took.bodyMs
  // What only larger canaries met says nothing about this file.
  const smaller = tries.filter(({ bytes: sent }) => sent <= file.bytes)
  if (limit.scope === 'answer') return Math.max(took.answerMs, longestCut(smaller, limit.max.ms))
  if (limit.scope === 'idle') return longestPause(smaller, limit.max.ms)
  const all = took.bodyMs + took.answerMs
  return limit.scope === 'request' ? all * (inOneRequest(file, kind, r) / Math.max(1, file.bytes)) : all
}

/** Bytes of the file that one request carries: the whole file, except on the routes that cut it into parts. */
const inOneRequest = ({ bytes: size }: PlannedFile, kind: RouteKind | undefined, r: Route | undefined): number =>
  r !== undefined && (kind === 'signed-parts' || kind === 'store-multipart') ? requestBytes(r, size) : size

/** A silence that a limit cut short would have lasted longer, nobody knows how much: counted for a fifth more. */
const cutShort = 1.2

/** What canaries needed whose end came after just such a silence, in milliseconds; 0 where none ended so. */
const longestCut = (tries: readonly TransferTry[], limitMs: number): number =>
  tries.some(({ failed }) => Math.abs((failed?.silentMs ?? 0) - limitMs) <= limitMs * margin) ? limitMs * cutShort : 0

/** The longest pause that canaries made, in milliseconds. A body that flows steadily makes none. */
const longestPause = (tries: readonly TransferTry[], limitMs: number): number =>
  tries.reduce((most, { stallMs }) => Math.max(most, stallMs), longestCut(tries, limitMs))

const maxOf = (limit: Limit): number => ('bytes' in limit.max ? limit.max.bytes : limit.max.ms)

/** Whether the file breaks the limit: surely, perhaps, or not. Sizes are exact, predicted times are not. */
const breaks = (limit: Limit, value: number, took: Estimate | undefined): 'surely' | 'perhaps' | undefined => {
  const max = maxOf(limit)
  if ('bytes' in limit.max) {
    // Where no file gets through at all, an empty one does not either.
    const broken = value > max || (max === 0 && limit.scope === 'file')
    return broken ? (limit.basis === 'measured' ? 'surely' : 'perhaps') : undefined
  }
  if (value <= max * (1 - margin)) return undefined
  const sure = limit.basis === 'measured' && value > max * (1 + margin)
  return sure && !(took?.blurred === true && limit.scope === 'answer') ? 'surely' : 'perhaps'
}

/** Milliseconds that two figures for one time-out may lie apart: gunicorn looks at its workers once a second. */
const alikeMs = 1200

/** Whether a time that was measured otherwise is when canaries were cut: then it is no disk, nor a number of bytes, that ended them. */
const explains = ({ max, basis, hop }: Limit, tries: readonly TransferTry[]): boolean =>
  'ms' in max &&
  basis === 'measured' &&
  hop !== 'client' &&
  tries.some(
    ({ failed }) =>
      failed &&
      [failed.afterMs, failed.silentMs ?? 0].some((ms) => Math.abs(ms - max.ms) <= Math.max(max.ms * margin, alikeMs)),
  )

interface Broken {
  readonly limit: Limit
  readonly value: number
  readonly how: 'surely' | 'perhaps'
  /** Whether it is what canaries ran into. */
  readonly explains: boolean
}

/** What is met first: a full disk before the upload, then what refuses a size, then what loses patience; but before all, what is known to have ended a canary. */
const before = (a: Broken, b: Broken): number =>
  Number(a.how === 'perhaps') - Number(b.how === 'perhaps') ||
  Number(b.explains) - Number(a.explains) ||
  Number('ms' in a.limit.max) - Number('ms' in b.limit.max) ||
  maxOf(a.limit) - maxOf(b.limit)

const inWords = ({ max }: Limit, value: number): string => {
  if ('ms' in max) return duration(value)
  // Both sides of a limit look the same rounded.
  return bytes(value) === bytes(max.bytes) ? exactBytes(value) : bytes(value)
}
const maxInWords = (limit: Limit): string =>
  'bytes' in limit.max ? exactBytes(limit.max.bytes) : duration(limit.max.ms)

export const forecast = (options: ForecastOptions): ForecastRow[] => {
  const { plan, route, limits, transfers } = options
  const kindOf = (file: PlannedFile): RouteKind | undefined => route && routeFor(route, file.bytes)
  const transferOf = (kind: RouteKind | undefined): Transfer | undefined =>
    kind === undefined ? undefined : transfers?.get(kind)
  const estimates = plan.files.map((file) => {
    const transfer = transferOf(kindOf(file))
    return transfer && estimate(transfer, file.bytes)
  })
  // What was measured of a setting stands in for what is usual.
  const measured = limits.filter(({ basis }) => basis === 'measured')
  const known = limits.filter(
    ({ basis, setting, max }) =>
      basis === 'measured' || !measured.some((other) => other.setting === setting && 'ms' in other.max === 'ms' in max),
  )
  // MLflow sends one file after the other.
  const sending = estimates.reduce((sum, took) => sum + (took && !took.rough ? took.bodyMs + took.answerMs : 0), 0)
  const whole: Whole = { bytes: plan.total, ms: (options.trainingMs ?? 0) + sending }
  return plan.files.map((file, index): ForecastRow => {
    const took = estimates[index]
    const kind = kindOf(file)
    const transfer = transferOf(kind)
    const seconds = took && !took.rough ? Number(((took.bodyMs + took.answerMs) / 1000).toPrecision(3)) : undefined
    const row = {
      path: file.path,
      bytes: file.bytes,
      ...(kind !== undefined && { route: kind }),
      ...(seconds !== undefined && { seconds }),
    }
    const [first] = known
      .filter((limit) => applies(limit, kind) && !(took?.tried === true && isMet(limit)))
      .flatMap((limit): Broken[] => {
        const tries = transfer?.tries ?? []
        const value = weighed(limit, file, kind, whole, took, route, tries)
        const how = value === undefined ? undefined : breaks(limit, value, took)
        return value === undefined || how === undefined ? [] : [{ limit, value, how, explains: explains(limit, tries) }]
      })
      .sort(before)
    if (first) {
      const { limit, value } = first
      // A measured limit that a smaller canary ran into needs no prediction.
      const met = failedBelow(transfer, file, took) !== undefined && ('bytes' in limit.max || first.explains)
      const how = limit.basis === 'measured' && met ? 'surely' : first.how
      const unit: 'bytes' | 'ms' = 'bytes' in limit.max ? 'bytes' : 'ms'
      return {
        ...row,
        verdict: how === 'surely' ? 'fails' : 'at-risk',
        hop: limit.hop,
        limit: { setting: limit.setting, max: maxOf(limit), unit },
        because: `${inWords(limit, value)} against ${limit.setting} of ${maxInWords(limit)}: ${limit.because}`,
        remedy: limit.remedy(unit === 'ms' ? Math.ceil(value * 1.25) : value),
      }
    }
    return { ...row, ...unlimited(file, kind, took, transfer, options) }
  })
}

/** A canary of this size or a smaller one that did not get through, where none larger did. */
const failedBelow = (
  transfer: Transfer | undefined,
  { bytes: size }: PlannedFile,
  took: Estimate | undefined,
): TransferTry | undefined =>
  transfer?.tries.find(({ failed, bytes: sent }) => failed && sent <= size && sent > (took?.largest ?? -1))

/** No limit that was found stands in the way. */
const unlimited = (
  file: PlannedFile,
  kind: RouteKind | undefined,
  took: Estimate | undefined,
  transfer: Transfer | undefined,
  { unjudged, hidden, unknown }: ForecastOptions,
): { verdict: Verdict; because: string; hop?: string } => {
  const failed = failedBelow(transfer, file, took)
  if (failed?.failed) {
    return {
      verdict: 'fails',
      hop: 'network',
      because: `a canary of ${exactBytes(failed.bytes)} did not get through: ${failed.failed.why}`,
    }
  }
  if (kind === undefined) {
    return { verdict: 'unknown', because: 'which way it would take is not known, since not every check could look' }
  }
  if (unknown.length > 0) {
    return {
      verdict: 'unknown',
      because: `not every hop was looked at; these checks gave no answer: ${unknown.join(', ')}`,
    }
  }
  if (took === undefined || transfer === undefined) {
    return {
      verdict: 'unknown',
      because: `it fits under every size limit that was found, but no canary was sent on this route${transfer?.objection === undefined ? '' : ` (${transfer.objection})`}, so what it takes is not known`,
    }
  }
  if (!took.tried && transfer.objection !== undefined) {
    return { verdict: 'unknown', because: `no large canary was sent: ${transfer.objection}` }
  }
  if (took.rough) {
    const because = `no canary above ${bytes(took.largest)} got through or was sent, which tells nothing of what a larger file takes`
    return { verdict: 'unknown', because }
  }
  const hops = `: ${duration(took.bodyMs)} to send it and ${duration(took.answerMs)} until the answer`
  const times = `${duration(took.bodyMs + took.answerMs)}${took.answerMs > 0 ? hops : ''}`
  if (took.tried) {
    const how = took.largest === file.bytes ? 'a canary of exactly this size' : 'a larger canary'
    return { verdict: 'passes', because: `${how} got through; expected ${times}` }
  }
  // Parts go past the tracking server and what stands in front of it.
  if (unjudged !== undefined && kind === 'proxied-put') {
    return { verdict: 'unknown', because: `${unjudged}, and no canary above ${bytes(took.largest)} was sent` }
  }
  // botocore sends a lost part again, four times unless told (its retry mode "legacy").
  const chance = kind === 'store-multipart' ? 1 : survival(transfer, file.bytes)
  const beyond =
    hidden === true && kind === 'proxied-put' ? ', above which nothing shows of what stands behind the first proxy' : ''
  const extrapolated = `expected ${times}, by canaries of up to ${bytes(took.largest)}${beyond}`
  if (chance < likely) {
    return {
      verdict: 'at-risk',
      hop: 'network',
      because: `connections break by accident: a request of this size arrives unbroken with a chance of ${Math.round(chance * 100)} %, parts that are sent again when they are lost all arrive; ${extrapolated}`,
    }
  }
  return { verdict: 'passes', because: `it fits under every limit that was found; ${extrapolated}` }
}

/** The chance that a request of so many bytes meets none of the accidents that canaries met, if they come at random. */
const survival = ({ tries }: Transfer, size: number): number => {
  const largest = tries.reduce((most, { failed, bytes: sent }) => (failed ? most : Math.max(most, sent)), 0)
  const accidents = tries.filter(({ failed, bytes: sent }) => failed !== undefined && sent <= largest).length
  const sent = tries.reduce((sum, one) => sum + (one.failed?.sentBytes ?? one.bytes), 0)
  return sent === 0 ? 1 : Math.exp((-size * accidents) / sent)
}
