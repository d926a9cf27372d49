import { defineCheck, type Gap, type Limit, type Remedy, type RouteKind } from '../../src/check.ts'
import { bodyLimit, paced, route, trackingReach, transfers } from '../../src/needs/declarations.ts'
import { duration } from '../../src/words.ts'
import {
  blamed,
  closedInSilence,
  type Setting,
  secondsFor,
  soonest,
  worker,
  workerAllows,
  workerRemedy,
} from './products/patience.ts'
import type { Counts, Recognised } from './products/product.ts'
import { recognise } from './products/recognise.ts'

type Value<N> = N extends { readonly is?: infer V } ? NonNullable<V> : never
type Paced = Value<typeof paced>
type Cut = NonNullable<Paced['idle']>
type Transfer = Value<typeof transfers> extends ReadonlyMap<RouteKind, infer T> ? T : never
type Try = Transfer['tries'][number]

/** Answers of a proxy that has waited for the server's own answer in vain. */
const patienceOver: ReadonlySet<number> = new Set([504, 524])
/** Answers that also come at once, from a proxy whose server is not there. */
const perhapsOver: ReadonlySet<number> = new Set([502, 503])
/** How far apart two figures may lie that are taken for the same. */
const alike = 1.15

const facts = { canary: 'bytes', status: 'count', after: 'ms' } as const

export default defineCheck({
  id: 'proxy/time-outs',
  title: 'No time-out on the way is shorter than the uploads take',
  severity: 'error',
  on: ['check'],
  answers: ['times'],
  needs: [trackingReach, route],
  wants: [bodyLimit, transfers, paced],
  facts,
  explain: {
    measures:
      'Recognises proxies, load balancers and clouds in front of the tracking server by the Server header, by headers that only they add, by the host name and by their error pages, and takes the time-outs that they have unless told otherwise: the forecast calls a file at risk by them. With --deep, requests that are kept open measure two of them: how long a body may pause, and how long it may take. Both are POSTs that are never completed and that no MLflow can act on. The silence until the answer cannot be made to last on purpose; it is measured where a canary runs into it.',
    breaks:
      'A body whose sending takes longer, or an answer that comes later, than something on the way waits for. The client sees 504, 408 or a closed connection, sends the whole file again up to seven times, and the server may well store the file after the client has given up.',
    remedy:
      'Raise the time-out that the message names, in the product that was recognised, to the value that the upload needs; or have files go in parts, each of which takes a fraction of the time.',
  },
  async *run({ trackingReach: reach, route, bodyLimit: declared, transfers: measured, paced: held }) {
    if (!route.proxied) return
    const tries = measured?.get('proxied-put')?.tries ?? []
    const inFront = recognise({
      software: reach.software,
      traces: reach.traces,
      host: URL.parse(route.firstHop)?.hostname,
      answered: [declared?.refusedBy, held?.idle?.by, held?.body?.by, ...tries.map(({ failed }) => failed?.by)],
    })
    const met = canariesMet(measured?.get('proxied-put'), inFront)
    const limits = [...pacedLimits(held, inFront, reach.software), ...(met?.limits ?? [])]
    yield* limits
    yield* assumedLimits(inFront, limits, tries, held)
    if (met) {
      const { limits, canary, status, after } = met
      const [limit] = limits
      const passed = tries.some(({ failed }) => failed === undefined)
      yield {
        kind: 'finding',
        at: route.firstHop,
        // The forecast says which files meet it, where smaller ones got through.
        ...(passed && { severity: 'warning' as const }),
        says: passed ? limit.because : `not even the smallest canary gets through: ${limit.because}`,
        facts: { canary, ...(status !== undefined && { status }), after: Math.round(after) },
        remedy: limit.remedy(undefined),
      }
    }
    const gap = unseen(held, route.firstHop, inFront)
    if (gap) yield gap
  },
})

const remedyOf = ({ product, time }: Setting, neededMs: number | undefined): Remedy => {
  const wanted = secondsFor(neededMs)
  const most = time.most === undefined ? wanted : Math.floor(time.most / 1000)
  const seconds = Math.min(wanted, most)
  const lines = time.lines?.(seconds) ?? []
  const short =
    wanted > most
      ? ` ${product.name} allows no more than ${most} s, and ${wanted} s are needed: have files go in parts, or lead uploads round it.`
      : ''
  return { text: `${time.text(seconds)}${short}`, ...(lines.length > 0 && { commands: lines }) }
}

const limitOf = (of: Pick<Limit, 'hop' | 'setting' | 'scope' | 'basis' | 'because' | 'remedy'>, ms: number): Limit => ({
  kind: 'limit',
  routes: ['proxied-put'],
  max: { ms: Math.round(ms) },
  ...of,
})

/** Where nothing that was recognised has such a time-out. */
const anybody =
  (what: string) =>
  (neededMs: number | undefined): Remedy => ({
    text: `Ask whoever runs what stands between here and the server for a ${what} of ${secondsFor(neededMs)} s.`,
  })

/** gunicorn ends the worker that is busy for too long, and what is in front of it answers 502 then. */
const byWorker = ({ status, by }: Cut, software: string | undefined): boolean =>
  by === 'gunicorn' || /gunicorn/i.test(software ?? '') || (status !== undefined && perhapsOver.has(status))

const how = ({ status, by }: Cut): string =>
  status === undefined ? 'its connection was closed' : `${by ?? 'something on the way'} answered ${status}`

const pacedLimits = (
  held: Paced | undefined,
  inFront: readonly Recognised[],
  software: string | undefined,
): readonly Limit[] => {
  const limits: Limit[] = []
  if (held?.idle) {
    const { idle } = held
    const found = blamed(inFront, ['idle'], idle)
    const because = `a request whose body paused was ended after ${duration(idle.ms)}: ${how(idle)}`
    const remedy = found ? (needed?: number) => remedyOf(found, needed) : anybody('time-out for idle requests')
    const setting = found?.time.setting ?? 'time-out for idle requests'
    const common = { hop: 'proxy', setting, basis: 'measured', remedy } as const
    limits.push(limitOf({ ...common, scope: 'idle', because }, idle.ms))
    if (found?.time.counts.includes('answer'))
      limits.push(
        limitOf({ ...common, scope: 'answer', because: `${because}, and ${setting} counts the answer, too` }, idle.ms),
      )
  }
  if (held?.body) {
    const { body } = held
    const because = `a body that was sent slowly and without a pause was ended after ${duration(body.ms)}: ${how(body)}`
    const found = blamed(inFront, ['body', 'request'], body)
    if (found) {
      const scope = found.time.counts.includes('request') ? 'request' : 'body'
      const { setting } = found.time
      const remedy = (needed?: number): Remedy => remedyOf(found, needed)
      limits.push(limitOf({ hop: 'proxy', setting, basis: 'measured', scope, because, remedy }, body.ms))
    } else if (byWorker(body, software))
      limits.push(limitOf({ ...worker, basis: 'measured', because, remedy: workerRemedy }, workerAllows(body.ms)))
    else {
      const setting = 'time-out for whole requests'
      const remedy = anybody(setting)
      limits.push(limitOf({ hop: 'network', setting, basis: 'measured', scope: 'body', because, remedy }, body.ms))
    }
  }
  return limits
}

interface Met {
  /** One for each thing that the setting counts. */
  readonly limits: readonly [Limit, ...Limit[]]
  readonly canary: number
  readonly status: number | undefined
  /** Milliseconds. */
  readonly after: number
}

/** A canary that something on the way did not wait for: in the silence after its body, or in a pause of the line. */
const canariesMet = (transfer: Transfer | undefined, inFront: readonly Recognised[]): Met | undefined => {
  const waits = (transfer?.tries ?? []).flatMap((one) => {
    const wait = one.failed && waited(one, one.failed, transfer?.uplink, inFront)
    return wait ? [wait] : []
  })
  const shortest = waits.toSorted((a, b) => a.ms - b.ms)[0]
  if (shortest === undefined) return undefined
  const { ms, status, by, canary } = shortest
  const met = { canary, status, after: ms }
  // What is always the same is a time-out; what differs depends on something else, and what comes once is an accident.
  const same = waits.filter((one) => one.ms <= ms * alike).length
  if (status === undefined && same < 2) return undefined
  if (status !== undefined && perhapsOver.has(status)) {
    if (same < waits.length) return undefined
    const because = `${by ?? 'something on the way'} answered ${status} when the server had kept silent for ${duration(ms)} after a canary's last byte`
    const limit = { ...worker, basis: 'measured', scope: 'answer', because, remedy: workerRemedy } as const
    return { ...met, limits: [limitOf(limit, workerAllows(ms))] }
  }
  const found =
    status === undefined
      ? closedInSilence({ how: 'closed', silentMs: ms }, inFront)
      : blamed(inFront, ['answer', 'idle'], { status })
  const setting = found?.time.setting ?? 'time-out for answers'
  const counts = found?.time.counts ?? ['answer']
  const because =
    status === undefined
      ? `the connection of a canary was closed after nothing had passed for ${duration(ms)}, as ${found?.product.name ?? 'a proxy'} does`
      : `${by ?? 'something on the way'} answered ${status} after a silence of ${duration(ms)} in a canary's upload`
  const remedy = found ? (needed?: number) => remedyOf(found, needed) : anybody(setting)
  const limit = (scope: Counts): Limit =>
    limitOf({ hop: 'proxy', setting, basis: 'measured', scope, because, remedy }, ms)
  const [first = 'answer', ...others] = counts
  return { ...met, limits: [limit(first), ...others.map(limit)] }
}

interface Wait {
  readonly canary: number
  readonly ms: number
  readonly status?: number
  readonly by?: string
}

const waited = (
  { bodyMs, bytes: canary }: Try,
  failed: NonNullable<Try['failed']>,
  uplink: Transfer['uplink'],
  inFront: readonly Recognised[],
): Wait | undefined => {
  const { status, by, during, afterMs, silentMs = 0 } = failed
  const who = by === undefined ? {} : { by }
  if (status === undefined) return closedInSilence(failed, inFront) && { canary, ms: silentMs }
  // What buffers hid of the body is part of the body.
  const sentMs = uplink ? Math.max(bodyMs, uplink.fixedMs + (canary / uplink.bytesPerSecond) * 1000) : bodyMs
  const ms = during === 'answer' ? Math.max(0, afterMs - sentMs) : silentMs
  if (patienceOver.has(status) && (during === 'answer' || ms >= soonest)) return { canary, ms, status, ...who }
  if (ms < soonest) return undefined
  if (status === 408 || (perhapsOver.has(status) && during === 'answer')) return { canary, ms, status, ...who }
  return undefined
}

/** What the recognised products have unless told otherwise, as far as nothing that was measured says better. */
function* assumedLimits(
  inFront: readonly Recognised[],
  known: readonly Limit[],
  tries: readonly Try[],
  held: Paced | undefined,
): Generator<Limit> {
  const passed = tries.filter(({ failed }) => failed === undefined)
  /** What is known to have been waited for, by kind. */
  const waited: Readonly<Record<Counts, number>> = {
    idle: held?.watchedMs ?? 0,
    body: Math.max(held?.watchedMs ?? 0, ...passed.map(({ bodyMs }) => bodyMs)),
    answer: Math.max(0, ...passed.map(({ answerMs = 0 }) => answerMs)),
    request: Math.max(held?.watchedMs ?? 0, ...passed.map(({ bodyMs, answerMs = 0 }) => bodyMs + answerMs)),
  }
  for (const each of inFront) {
    for (const time of each.product.times) {
      if (time.usual === undefined) continue
      for (const scope of time.counts) {
        const measured = known.some((limit) => limit.setting === time.setting && limit.scope === scope)
        const cut = scope === 'idle' ? held?.idle : scope === 'answer' ? undefined : held?.body
        if (measured || cut !== undefined) continue
        const longer = waited[scope] > time.usual
        // A pause that nothing ended in all the time is no limit that an upload meets.
        if (longer && scope === 'idle') continue
        const otherwise = `${time.setting} is ${duration(time.usual)} unless set`
        yield limitOf(
          {
            hop: 'proxy',
            setting: time.setting,
            scope,
            basis: 'assumed',
            because: longer
              ? `${each.product.name} was recognised ${each.how}; ${otherwise}, and here it is at least ${duration(waited[scope])}`
              : `${each.product.name} was recognised ${each.how}; ${otherwise}`,
            remedy: (needed) => remedyOf({ ...each, time }, needed),
          },
          Math.max(time.usual, waited[scope]),
        )
      }
    }
  }
}

const unseen = (held: Paced | undefined, at: string, inFront: readonly Recognised[]): Gap | undefined => {
  const names = inFront.flatMap(({ product }) =>
    product.times.some(({ usual }) => usual !== undefined) ? [product.name] : [],
  )
  const known =
    names.length === 0
      ? 'nothing on the way gives its name that has any unless set, so none is assumed either'
      : `those of ${names.join(' and ')} are assumed to be the usual ones`
  if (held?.unmeasured !== undefined) {
    const because = `time-outs cannot be measured here, since ${held.unmeasured}; ${known}`
    return { kind: 'gap', at, cannot: 'see', because, unexpected: false, about: 'times' }
  }
  if (held === undefined) {
    const because = `time-outs on the way are measured by requests that are kept open, with --deep and not with --read-only; ${known}`
    return { kind: 'gap', at, cannot: 'see', because, unexpected: false, about: 'times' }
  }
  return undefined
}
