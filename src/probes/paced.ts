import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { duration } from '../words.ts'
import { type Connection, type ConnectionOptions, openConnection } from './connection.ts'
import { type Answer, answerIn, headBytes, isComplete, pageBytes, requestHead, withoutNews } from './http-answer.ts'
import { reach } from './reach.ts'
import { refuser } from './refuser.ts'
import type { Cut, Paced } from './types.ts'

export interface PacedOptions extends ConnectionOptions {
  readonly headers?: Readonly<Record<string, string>>
  /**
   * Paths below the address that take a POST and can do nothing with what is sent here, best first: one that answers
   * without waiting for the body is left for the next.
   */
  readonly paths: readonly string[]
  /** The length to declare, in bytes; never sent in full. */
  readonly bytes: number
  /** Milliseconds that one request is watched. */
  readonly watchMs: number
  progress(says: string): void
}

/**
 * Bytes sent at once before the pace begins. More than haproxy (16 KiB, `tune.bufsize`) and nginx (16 KiB,
 * `client_body_buffer_size`) gather before they pass a body on: what they count while they gather, no large file meets.
 */
const ahead = 32 * 1024
/** Bytes a second of the steady body: above the rates that servers ask for (Apache 500, IIS 240), and 660 kB in 330 s. */
const steadyRate = 2000
const stepMs = 200
/** Milliseconds in which a server that does not wait for a body has answered. */
const settledMs = 2000
/** Milliseconds for an answer to another request while the first one waits: without one, a lone worker is busy with ours. */
const othersMs = 4000
/** A cut that comes sooner, in milliseconds, is no time-out. */
const soonest = 1000
/** How far apart two figures for one time-out may lie: gunicorn looks at its workers once a second. */
const alike = 1.1
const alikeMs = 1200
/** Milliseconds that a server gets to start the worker again that it has killed. */
const restartMs = 30_000
const progressMs = 5000

/** Never JSON, whatever length of it arrives: a server that takes the end of a cut connection for the end of the body can make nothing of it. */
const filler = Buffer.alloc(ahead, 'x')

/**
 * How long a request body may pause, and how long it may take altogether, before something on the way ends the request.
 * One request sends some bytes and then none; another sends a little all the time. Times in milliseconds.
 *
 * Both are POSTs that no MLflow can act on, whose bodies are never complete and never JSON, and both end in a reset. The
 * two run side by side where the server answers others meanwhile, one after the other where a lone worker is held.
 * A cut is seen twice before it is believed, where the time allows it. Takes up to twice `watchMs`.
 * Throws `PhaseError` when no connection can be opened, and the signal's reason when interrupted.
 */
export const paced = async (address: string | URL, options: PacedOptions): Promise<Paced> => {
  const base = new URL(address)
  const began = performance.now()
  const timeLeft = (): number => began + 2 * options.watchMs - performance.now()
  const urlOf = (path: string): URL =>
    new URL(`${base.pathname.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`, base.origin)

  const stop = new AbortController()
  const inner = { ...options, signal: options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal }
  try {
    for (const path of options.paths) {
      const url = urlOf(path)
      const idling = quiet(hold(url, 'idle', inner))
      const early = await Promise.race([idling, quiet(settled(inner.signal))])
      if (early?.kind === 'answered') continue
      let open = early === undefined
      quiet(idling.finally(() => (open = false)))
      // An answer that comes when ours is over says nothing: a lone worker is free then.
      const others = open && (await answersOthers(base, inner)) && open
      const run = async (pace: Pace): Promise<End> => {
        // A worker that was killed for the one before must be back: its start is not part of any time-out.
        if (!others) await restarted(base, inner)
        return hold(url, pace, inner)
      }
      const again = (pace: Pace, first: End, left: number): Promise<End> | undefined =>
        first.kind === 'cut' && first.cut.ms + alikeMs < left ? quiet(run(pace)) : undefined
      const beside = others ? quiet(hold(url, 'steady', inner)) : undefined
      const idle = await idling
      if (idle.kind === 'answered') continue
      // Beside the steady body where that runs, which lasts longer.
      const idleBeside = beside && again('idle', idle, timeLeft() - options.watchMs)
      const steady = await (beside ?? run('steady'))
      if (steady.kind === 'answered') continue
      const agreed = idle.kind === 'cut' && steady.kind === 'cut' && near(idle.cut, steady.cut)
      const idles = [idle, await (idleBeside ?? (agreed ? undefined : again('idle', idle, timeLeft())))]
      const steadies = [steady, agreed ? undefined : await again('steady', steady, timeLeft())]
      return told(idles, steadies, options.watchMs)
    }
  } finally {
    stop.abort()
  }
  return { watchedMs: 0, unmeasured: 'the server answers such requests without waiting for their bodies' }
}

/** What nobody waits for any more must not end the process. */
const quiet = <T>(work: Promise<T>): Promise<T> => {
  work.catch(() => {})
  return work
}

const settled = async (signal: AbortSignal): Promise<undefined> => {
  await pause(settledMs, undefined, { signal })
}

const answersOthers = async (base: URL, options: PacedOptions): Promise<boolean> => {
  const { headers, role, tls, env, signal } = options
  const seen = await reach(base, {
    path: '/version',
    timeoutMs: othersMs,
    ...(headers && { headers }),
    ...(role && { role }),
    ...(tls && { tls }),
    ...(env && { env }),
    ...(signal && { signal }),
  })
  return seen.failed === undefined
}

const restarted = async (base: URL, options: PacedOptions): Promise<void> => {
  const until = performance.now() + restartMs
  while (!(await answersOthers(base, options)) && performance.now() < until)
    await pause(stepMs, undefined, { signal: options.signal })
}

type End =
  /** Ended by the other side. */
  | { readonly kind: 'cut'; readonly cut: Cut }
  /** Answered by a server that does not care for the body. */
  | { readonly kind: 'answered' }
  /** Still open after all the time. */
  | { readonly kind: 'open' }

const near = (a: Cut, b: Cut): boolean =>
  Math.max(a.ms, b.ms) <= Math.max(Math.min(a.ms, b.ms) * alike, Math.min(a.ms, b.ms) + alikeMs)

const told = (idle: readonly (End | undefined)[], steady: readonly (End | undefined)[], watchedMs: number): Paced => {
  const cuts = (ends: readonly (End | undefined)[]): Cut[] =>
    ends.flatMap((end) => (end?.kind === 'cut' ? [end.cut] : []))
  const steadily = (ends: readonly (End | undefined)[]): boolean => {
    const [first, other] = cuts(ends)
    const open = ends.some((end) => end?.kind === 'open')
    return first === undefined || (!open && (other === undefined || near(first, other)))
  }
  const all = [...cuts(idle), ...cuts(steady)]
  if (all.some(({ ms }) => ms < soonest))
    return { watchedMs: 0, unmeasured: 'requests whose bodies do not come at once are ended at once' }
  if (!steadily(idle) || !steadily(steady)) {
    const figures = all.map(({ ms }) => duration(ms)).join(' and ')
    return { watchedMs: 0, unmeasured: `connections are not cut after the same time each: after ${figures}` }
  }
  const [paused, flowing] = [shortest(cuts(idle)), shortest(cuts(steady))]
  // What ends a body that flows, too, does not count its pauses.
  const whole = flowing !== undefined && (paused === undefined || paused.ms >= flowing.ms || near(paused, flowing))
  return {
    watchedMs,
    ...(paused && !whole && { idle: paused }),
    ...(flowing && { body: flowing }),
  }
}

const shortest = (cuts: readonly Cut[]): Cut | undefined =>
  cuts.reduce<Cut | undefined>((least, cut) => (least === undefined || cut.ms < least.ms ? cut : least), undefined)

type Pace = 'idle' | 'steady'

/** One request that is never completed. */
const hold = async (url: URL, pace: Pace, options: PacedOptions): Promise<End> => {
  const connection = await openConnection(url, { addresses: [], ms: {} }, options)
  try {
    return await watch(connection, url, pace, options)
  } finally {
    // The other side may close in the same moment.
    connection.socket.on('error', () => {})
    connection.reset()
  }
}

const watch = (connection: Connection, url: URL, pace: Pace, options: PacedOptions): Promise<End> => {
  const { socket } = connection
  const { watchMs, bytes, signal } = options
  const head = requestHead('POST', connection.absolute ? url.href : `${url.pathname}${url.search}`, {
    ...options.headers,
    ...connection.headers,
    host: url.host,
    'content-type': 'application/json',
    'content-length': String(bytes),
  })
  const first = Math.min(ahead, Math.floor(bytes / 4))
  // Whatever was declared is never reached.
  const rate = Math.min(steadyRate, ((bytes - first) * 1000) / (watchMs + progressMs))
  return new Promise((resolve, reject) => {
    let since = performance.now()
    let sent = first
    let text = ''
    let answer: Answer | undefined
    const timers: NodeJS.Timeout[] = []
    const elapsed = (): number => performance.now() - since
    const end = (how: End): void => {
      for (const timer of timers) clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      resolve(how)
    }
    const abort = (): void => {
      for (const timer of timers) clearTimeout(timer)
      reject(signal?.reason)
    }
    const over = (): void => end(endOf(answer, elapsed()))
    if (signal?.aborted) return abort()
    signal?.addEventListener('abort', abort, { once: true })
    for (const event of ['end', 'close', 'error']) socket.once(event, over)
    socket.on('data', (chunk: Buffer) => {
      text = withoutNews(text + chunk.toString('latin1'), true).slice(0, headBytes + pageBytes)
      answer = answerIn(text) ?? answer
      if (answer && isComplete(text, answer.page)) over()
    })
    socket.write(head, 'latin1')
    socket.write(filler.subarray(0, first), () => {
      if (pace === 'idle') since = performance.now()
    })
    if (pace === 'steady') {
      timers.push(
        setInterval(() => {
          const due = Math.min(bytes - 1, first + Math.floor((elapsed() / 1000) * rate))
          if (due > sent) socket.write(filler.subarray(0, Math.min(due - sent, filler.length)))
          sent = Math.min(due, sent + filler.length)
        }, stepMs),
      )
    }
    timers.push(
      setInterval(() => {
        const what = pace === 'idle' ? 'a request that pauses' : 'a slow request'
        options.progress(`${what} has been open for ${duration(elapsed())} of ${duration(watchMs)}`)
      }, progressMs),
      setTimeout(() => end({ kind: 'open' }), watchMs),
    )
  })
}

/** Only an answer that a time-out gives counts as one; any other is the server's own. */
const endOf = (answer: Answer | undefined, ms: number): End => {
  if (answer === undefined) return { kind: 'cut', cut: { ms } }
  const { status } = answer
  if (status !== 408 && (status < 500 || status === 501)) return { kind: 'answered' }
  const by = refuser(answer)
  return { kind: 'cut', cut: { ms, status, ...(by !== undefined && { by }) } }
}
