import { performance } from 'node:perf_hooks'
import { Client } from 'undici'
import { type Connection, type ConnectionOptions, openConnection, type Way } from './connection.ts'
import { type Failure, PhaseError, whyTls } from './failures.ts'
import type { Reach } from './types.ts'

export interface ReachOptions extends ConnectionOptions {
  /** Path and query to ask for, below the path of the address. */
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * One look at a host the way that MLflow would go, each phase apart and timed in milliseconds. A host that cannot be
 * reached is a result (`failed`), not an error; throws only the caller's abort reason, and `Trouble` for an address or a
 * proxy setting that cannot be used at all.
 */
export const reach = async (address: string | URL, options: ReachOptions): Promise<Reach> => {
  const base = new URL(address)
  const url = new URL(joined(base, options.path ?? ''), base.origin)
  const way: Way = { addresses: [], ms: {} }
  const seen = (rest: Partial<Reach> & Pick<Reach, 'traces'>): Reach => ({
    origin: url.origin,
    addresses: way.addresses,
    ms: way.ms,
    ...rest,
    traces: { ...rest.traces, ...(way.proxy !== undefined && { 'environment-proxy': way.proxy }) },
  })
  let connection: Connection
  try {
    connection = await openConnection(url, way, options)
  } catch (error) {
    options.signal?.throwIfAborted()
    if (!(error instanceof PhaseError)) throw error
    return seen({ traces: {}, failed: { phase: error.phase, ...error.failure } })
  }
  try {
    return seen(await ask(url, connection, way, options))
  } finally {
    connection.reset()
  }
}

const joined = (base: URL, path: string): string => `${base.pathname.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`

const ask = async (
  url: URL,
  connection: Connection,
  way: Way,
  options: ReachOptions,
): Promise<Pick<Reach, 'traces'> & Partial<Reach>> => {
  const { timeoutMs, signal } = options
  const timeout = AbortSignal.timeout(timeoutMs)
  const client = new Client(url.origin, {
    pipelining: 0,
    connect: (_: unknown, done: (error: Error | null, socket: null | Connection['socket']) => void) =>
      // Not at once: undici would overlook a socket that is there before it waits for one.
      setImmediate(done, null, connection.socket),
  } as Client.Options)
  const start = performance.now()
  try {
    const response = await client.request({
      method: 'GET',
      path: connection.absolute ? url.href : `${url.pathname}${url.search}`,
      headers: { host: url.host, ...options.headers, ...connection.headers },
      signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
    })
    way.ms.http = performance.now() - start
    const head = await firstBytes(response.body)
    const failure = refusal(response.statusCode, head, url, connection.absolute)
    const software = one(response.headers.server)
    return {
      status: response.statusCode,
      traces: traces(response.headers),
      ...(software !== undefined && { software }),
      ...(failure && { failed: { phase: 'http', ...failure } }),
    }
  } catch (error) {
    signal?.throwIfAborted()
    way.ms.http = performance.now() - start
    // With TLS 1.3 a server says only after the handshake that it wants a certificate.
    if (/^ERR_SSL_/.test(String((error as NodeJS.ErrnoException).code))) {
      return { traces: {}, failed: { phase: 'tls', ...whyTls(error, url.hostname, options.role ?? 'tracking') } }
    }
    return { traces: {}, failed: { phase: 'http', ...whyHttp(error, timeout.aborted, url, options) } }
  } finally {
    client.destroy().catch(() => {})
  }
}

/** Enough of an answer to know what kind of page it is. */
const pageBytes = 4096

const firstBytes = async (body: AsyncIterable<Uint8Array>): Promise<string> => {
  let text = ''
  try {
    for await (const chunk of body) {
      text += Buffer.from(chunk).toString('latin1')
      if (text.length >= pageBytes) break
    }
  } catch {
    // The headers were answered; a body that breaks off says nothing about being reachable.
  }
  return text.slice(0, pageBytes)
}

/** Answers that come from somebody who will not let any request of MLflow's through to the server. */
const refusal = (status: number, page: string, url: URL, throughProxy: boolean): Failure | undefined => {
  if (status === 403 && page.includes('Invalid Host header')) {
    return {
      why: `the MLflow server refuses the host name ${url.host} (403 Invalid Host header)`,
      todo: `Start the server with --allowed-hosts ${url.host} (or MLFLOW_SERVER_ALLOWED_HOSTS), besides the hosts that it allows now, or let the proxy in front pass a Host header that it allows`,
    }
  }
  if (status === 400 && /plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server/.test(page)) {
    return {
      why: 'this port wants TLS, and plain HTTP was spoken',
      todo: `Write https:// in place of http:// in the address of ${url.host}`,
    }
  }
  if (status === 400 && /No required SSL certificate was sent/.test(page)) {
    return {
      why: 'the server wants a client certificate, and none was sent',
      todo: 'Name a PEM file with certificate and key in MLFLOW_TRACKING_CLIENT_CERT_PATH',
    }
  }
  if (status === 407 && throughProxy) {
    return {
      why: 'the proxy from the environment wants a user and a password (407)',
      todo: `Write them into HTTP_PROXY as http://user:password@host, or add ${url.hostname} to NO_PROXY`,
    }
  }
  return undefined
}

const whyHttp = (error: unknown, timedOut: boolean, url: URL, options: ReachOptions): Failure => {
  const { code, message } = error as { code?: string; message?: string }
  if (timedOut) {
    return {
      why: `timed out: ${url.host} took the request and gave no answer in ${options.timeoutMs / 1000} s`,
      todo: 'Look whether the server hangs or is overloaded, and read the log of the proxy in front of it',
    }
  }
  if (code?.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW' || (error as Error).name === 'HTTPParserError') {
    return {
      why: `answered garbage: what ${url.host} sent is not HTTP`,
      todo:
        url.protocol === 'http:'
          ? 'Check the port, and whether it wants https://'
          : 'Check that the port belongs to the server that is meant',
    }
  }
  return {
    why: `${url.host} closed the connection without an answer (${code ?? message ?? 'no reason given'})`,
    todo:
      url.protocol === 'http:'
        ? 'Check whether this port wants https://, and read the log of the server or of the proxy in front of it'
        : 'Read the log of the server or of the proxy in front of it',
  }
}

/** Headers by which proxies, gateways and clouds give themselves away. */
const telling =
  /^(via|x-cache|x-served-by|x-powered-by|x-varnish|x-kong-.+|x-amz-?n?-.+|x-amz-cf-.+|x-envoy-.+|cf-ray|x-azure-ref|x-ms-request-id|x-goog-.+|x-cloud-trace-context|x-guploader-uploadid|x-minio-.+|proxy-status|alt-svc|www-authenticate|proxy-authenticate|x-aspnet-version|x-akamai-.+|fly-request-id|x-render-origin-server|x-vercel-id)$/

const traces = (headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> => {
  const found: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    const text = one(value)
    if (text === undefined) continue
    if (telling.test(name)) found[name] = text
    // Only where it leads: queries of redirects carry tokens.
    if (name === 'location') found[name] = text.replace(/[?#].*$/, '').replace(/\/\/[^/@]*@/, '//')
  }
  return found
}

const one = (value: string | string[] | undefined): string | undefined =>
  (Array.isArray(value) ? value.join(', ') : value)?.replace(/[\x00-\x1f\x7f]/g, ' ').slice(0, 200)
