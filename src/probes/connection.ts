import { lookup } from 'node:dns/promises'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { Settings } from '../mlflow/types.ts'
import { type EnvironmentProxy, type ProxyReader, proxyHeaders, proxyOrigin, usableProxy } from './environment-proxy.ts'
import { PhaseError, type Role, whyDns, whyTcp } from './failures.ts'
import { limits } from './patience.ts'
import { secure, trust } from './tls.ts'
import { tunnel } from './tunnel.ts'
import type { ReachPhase } from './types.ts'

export interface ConnectionOptions {
  /** Milliseconds for each phase. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** As MLflow takes them; what everybody trusts where absent. */
  readonly tls?: Settings['tls']
  /** Whose settings a remedy names. */
  readonly role?: Role
  /** The library whose way the connection takes; requests unless told. */
  readonly asBy?: ProxyReader
  readonly env?: Readonly<Record<string, string | undefined>>
}

export interface Connection {
  /** What HTTP is spoken over: the TLS socket where there is TLS. */
  readonly socket: Socket
  /** Drops the connection with a reset (RST), so that no server takes the end of a connection for the end of a body. */
  reset(): void
  /** True when the request line must carry the whole address: plain HTTP through a forward proxy. */
  readonly absolute: boolean
  /** What a forward proxy wants with each plain HTTP request. */
  readonly headers: Readonly<Record<string, string>>
}

/** What was seen on the way, filled in as far as it got. */
export interface Way {
  addresses: readonly string[]
  readonly ms: Partial<Record<ReachPhase, number>>
  proxy?: string
}

/**
 * Opens a connection to the origin of `url` the way that MLflow's requests would, through the environment's proxy where
 * one applies. Throws `PhaseError` naming the phase that failed, `Trouble` for what is no failure of the network.
 */
export const openConnection = async (url: URL, way: Way, options: ConnectionOptions): Promise<Connection> => {
  const env = options.env ?? process.env
  const role = options.role ?? 'tracking'
  const proxy = usableProxy(url, env, options.asBy)
  if (proxy !== undefined) way.proxy = proxyOrigin(proxy)
  const first = proxy?.url ?? url
  const tcp = await reachTcp(first, way, options, proxy)
  // A reset needs the TCP socket itself; a TLS socket has none to give.
  const reset = (): void => {
    // While a shutdown is under way, as it is once the peer has closed, a reset is refused (EINVAL), and Node then forgets
    // the handle without closing it: the process spins for ever when it ends (seen with Node 24.21). A peer that has
    // closed takes no end of ours for the end of a body.
    if (tcp.writableEnded && !tcp.writableFinished) tcp.destroy()
    else if (!tcp.destroyed) tcp.resetAndDestroy()
  }
  try {
    let socket: Socket = tcp
    if (proxy?.url.protocol === 'https:')
      socket = await timed('tls', way, () => secure(socket, first, undefined, role, options))
    if (proxy !== undefined && url.protocol === 'https:') socket = await tunnel(socket, url, proxy, options)
    if (url.protocol !== 'https:') {
      const absolute = proxy !== undefined
      return { socket, reset, absolute, headers: absolute ? proxyHeaders(proxy) : {} }
    }
    const trusted = trust(options.tls)
    const tls = await timed('tls', way, () => secure(socket, url, trusted, role, options))
    return { socket: tls, reset, absolute: false, headers: {} }
  } catch (error) {
    reset()
    throw error
  }
}

const timed = async <T>(phase: ReachPhase, way: Way, act: () => Promise<T>): Promise<T> => {
  const start = performance.now()
  try {
    return await act()
  } finally {
    way.ms[phase] = performance.now() - start
  }
}

const reachTcp = async (
  url: URL,
  way: Way,
  options: ConnectionOptions,
  proxy: EnvironmentProxy | undefined,
): Promise<Socket> => {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  const by = {
    host,
    port,
    ...(proxy && { proxyVariable: proxy.variable }),
    role: options.role ?? ('tracking' as const),
  }
  if (isIP(host) === 0) {
    way.addresses = await timed('dns', way, async () => {
      try {
        const found = await within(lookup(host, { all: true }), options)
        return found.map(({ address }) => address)
      } catch (error) {
        throw new PhaseError('dns', whyDns(error, by))
      }
    })
  } else way.addresses = [host]
  return timed('tcp', way, async () => {
    try {
      return await firstToAnswer(way.addresses, port, options)
    } catch (error) {
      throw new PhaseError('tcp', whyTcp(error, by, way.addresses))
    }
  })
}

/** RFC 8305: the next address is tried 250 ms after the last, and an earlier attempt stays alive meanwhile. */
const stagger = 250

const firstToAnswer = async (
  addresses: readonly string[],
  port: number,
  options: ConnectionOptions,
): Promise<Socket> => {
  const lost = new AbortController()
  const attempts = addresses.map(async (address, i) => {
    if (i > 0) await pause(i * stagger, lost.signal)
    return attempt(address, port, AbortSignal.any([lost.signal, ...limits(options)]))
  })
  try {
    const first = await Promise.any(attempts)
    // Two may have answered in the same moment.
    for (const other of attempts) other.then((socket) => socket !== first && socket.destroy()).catch(() => {})
    return first
  } catch (error) {
    options.signal?.throwIfAborted()
    throw error instanceof AggregateError ? (error.errors[0] ?? error) : error
  } finally {
    lost.abort()
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })

const attempt = (address: string, port: number, signal: AbortSignal): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connectTcp({ host: address, port, noDelay: true, allowHalfOpen: true })
    const stop = (): void => {
      socket.destroy()
      reject(signal.reason)
    }
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop, { once: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      signal.removeEventListener('abort', stop)
      socket.off('error', reject)
      // Whoever uses the socket next listens for errors; one that arrives between must not end the process.
      socket.on('error', () => {})
      resolve(socket)
    })
  })

/** Rejects with the reason of the caller's signal, or with a `TimeoutError`. */
const within = <T>(work: Promise<T>, options: ConnectionOptions): Promise<T> => {
  const signal = AbortSignal.any(limits(options))
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason)
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
