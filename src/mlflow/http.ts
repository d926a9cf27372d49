import { setTimeout as pause } from 'node:timers/promises'
import fetch, { FetchError, type RequestInit, type Response } from 'node-fetch'
import { Trouble } from '../errors.ts'
import { firstBytes } from '../first-bytes.ts'
import { retryAfterIn } from '../retry-after.ts'
import { agentFor } from './agent.ts'
import { codeOf, connectionTrouble, hangTrouble, notJson, redirectTrouble, statusTrouble } from './http-trouble.ts'
import type { CallOptions } from './server.ts'
import type { Settings } from './types.ts'
import type { Environment } from './variables.ts'

/** Largest JSON answer that is read, in bytes: far above a page of runs, far below what would hurt. */
const largestAnswer = 64 * 1024 * 1024
/** Milliseconds from the first attempt after which none is begun any more, whatever Retry-After asks for: a dead server must say so soon. */
const retryBudgetMs = 12_000
const pausesMs: readonly number[] = [500, 1500, 4000]
/** As MLflow's client retries (utils/request_utils.py, 3.17.2). */
const transient: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504])

export type Method = 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
export type Sleep = (ms: number, signal?: AbortSignal) => Promise<unknown>

/** What is read of an answer; not node-fetch's own type, so that the types of this package need no other one. */
export interface Answer {
  readonly ok: boolean
  readonly status: number
  readonly statusText: string
  readonly url: string
  readonly headers: { get(name: string): string | null }
}

export interface Http {
  readonly headers: Readonly<Record<string, string>>
  /** The response with its body as text, whatever its status, after retries; the time limit covers the body, too. */
  text(method: Method, path: string, options?: CallOptions): Promise<{ response: Answer; body: string }>
  /** The same with the first `most` bytes of the body. The time limit begins anew with each piece, so that a slow line is not taken for a hang. */
  bytes(method: Method, path: string, most: number, options?: CallOptions): Promise<{ response: Answer; bytes: Buffer }>
  /** The JSON object of a successful answer. */
  json(method: Method, path: string, options?: CallOptions): Promise<unknown>
  close(): void
}

/** Reads what is wanted of a response, inside the time limit, which `alive` begins anew. */
type Read<T> = (response: Response, alive: () => void) => Promise<T>

/** The header that MLflow's client would send: a token only where there is no complete login. */
const authorization = (auth: Settings['auth']): Record<string, string> => {
  if (auth.username && auth.password)
    return { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}` }
  return auth.token ? { authorization: `Bearer ${auth.token}` } : {}
}

/** Safe to send twice: reads, and the searches that MLflow spells as POST. */
const idempotent = (method: Method, path: string): boolean =>
  method === 'POST' ? /\/(search|get-latest-versions)$/.test(path) : method !== 'PATCH'

const urlOf = (base: string, path: string, query: CallOptions['query']): URL => {
  if (!path.startsWith('/') || /(^|\/)\.{1,2}(\/|$)/.test(decodeURI(path)))
    throw new RangeError('a path that leaves its place')
  const url = new URL(base + path)
  for (const [key, value] of Object.entries(query ?? {})) if (value !== undefined) url.searchParams.set(key, value)
  return url
}

/** Errors that another attempt cannot mend. */
const hopeless = (error: unknown): boolean =>
  /^(ENOTFOUND$|CERT_|ERR_|HPE_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO|Z_)/.test(codeOf(error))

const whatOf = (method: Method, path: string, options: CallOptions): string =>
  `cannot ${options.what ?? `call ${method} ${path}`}`

export const openHttp = (
  settings: Settings,
  sleep: Sleep = (ms, signal) => pause(ms, undefined, { signal }),
  env: Environment = process.env,
): Http => {
  const agent = agentFor(settings.trackingUri, settings.tls, env)
  const headers: Record<string, string> = {
    ...authorization(settings.auth),
    ...(settings.workspace === undefined ? {} : { 'X-MLFLOW-WORKSPACE': settings.workspace }),
  }

  /** One attempt, with `read` inside its time limit. Throws what node-fetch throws, or a hang as `Trouble`. */
  const attempt = async <T>(
    url: URL,
    init: RequestInit,
    options: CallOptions,
    what: string,
    read: Read<T>,
  ): Promise<T> => {
    const patience = new AbortController()
    const timeoutMs = options.timeoutMs ?? settings.requestTimeoutMs
    const timer = setTimeout(() => patience.abort(), timeoutMs)
    const signal = options.signal ? AbortSignal.any([options.signal, patience.signal]) : patience.signal
    try {
      const response = await fetch(url, { ...init, agent, signal, redirect: 'manual', size: largestAnswer })
      return await read(response, () => timer.refresh())
    } catch (error) {
      if (options.signal?.aborted) throw options.signal.reason
      if (patience.signal.aborted) throw hangTrouble(what, url.host, timeoutMs)
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  const withRetries = async <T>(
    method: Method,
    path: string,
    options: CallOptions,
    what: string,
    read: Read<T>,
  ): Promise<{ response: Response; value: T }> => {
    const url = urlOf(settings.trackingUri, path, options.query)
    const body = options.json === undefined ? options.body && Buffer.from(options.body) : JSON.stringify(options.json)
    const init: RequestInit = {
      method,
      headers: {
        accept: 'application/json, */*',
        ...(options.json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
        ...options.headers,
      },
      ...(body === undefined ? {} : { body }),
    }
    const mayRepeat = options.retry ?? idempotent(method, path)
    const began = Date.now()
    for (let tried = 1; ; tried += 1) {
      const wait = pausesMs[tried - 1]
      const more = (ms: number): boolean => mayRepeat && wait !== undefined && Date.now() - began + ms < retryBudgetMs
      let waitMs = wait ?? 0
      try {
        const done = await attempt(url, init, options, what, async (response, alive) => {
          const asked = retryAfterIn(response.headers.get('retry-after'))
          if (asked !== undefined) waitMs = asked
          if (transient.has(response.status) && more(waitMs)) {
            response.body?.resume()
            return undefined
          }
          return { response, value: await read(response, alive) }
        })
        if (done) return done
      } catch (error) {
        if (error instanceof Trouble || options.signal?.aborted) throw error
        if (error instanceof FetchError && error.type === 'max-size')
          throw new Trouble({
            kind: 'unexpected-answer',
            what,
            why: `the answer of ${url.host} is larger than 64 MiB`,
            todo: 'Check that MLFLOW_TRACKING_URI is the address of an MLflow server',
          })
        // Where nothing listens, one more look is enough.
        const refusedTwice = codeOf(error) === 'ECONNREFUSED' && tried > 1
        if (hopeless(error) || refusedTwice || !more(waitMs)) throw connectionTrouble(what, url.host, error)
      }
      await sleep(waitMs, options.signal)
    }
  }

  const text: Http['text'] = async (method, path, options = {}) => {
    const { response, value } = await withRetries(method, path, options, whatOf(method, path, options), (answer) =>
      answer.text(),
    )
    return { response, body: value }
  }

  const json: Http['json'] = async (method, path, options = {}) => {
    const what = whatOf(method, path, options)
    const { response, body } = await text(method, path, options)
    const url = new URL(settings.trackingUri)
    if (response.status >= 300 && response.status < 400)
      throw redirectTrouble(what, url, response.status, response.headers.get('location'))
    if (!response.ok) throw statusTrouble(what, url.host, response.status, body)
    try {
      const parsed: unknown = JSON.parse(body)
      if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed
    } catch {
      // Said below, in words for people.
    }
    throw notJson(what, url.host, body)
  }

  return {
    headers,
    text,
    json,
    bytes: async (method, path, most, options = {}) => {
      const what = whatOf(method, path, options)
      const { response, value } = await withRetries(method, path, options, what, ({ body }, alive) =>
        firstBytes((body ?? []) as AsyncIterable<Buffer>, most, alive),
      )
      return { response, bytes: value }
    },
    close: () => agent.destroy(),
  }
}
