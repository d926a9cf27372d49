import { type IncomingMessage, request } from 'node:http'
import { performance } from 'node:perf_hooks'
import { type ConnectionOptions, openConnection } from './connection.ts'

/** What came back for a declared size, before any byte of a body was sent. */
export type Reply =
  | { readonly kind: 'continue'; readonly ms: number }
  | {
      readonly kind: 'status'
      readonly status: number
      readonly server?: string
      readonly page: string
      readonly ms: number
    }
  /** The connection was closed with nothing said. */
  | { readonly kind: 'closed'; readonly ms: number }
  /** Nothing within the time given. */
  | { readonly kind: 'silent'; readonly ms: number }

export interface DeclareOptions extends ConnectionOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds to wait for an answer to the headers; `timeoutMs` unless told. */
  readonly patienceMs?: number
}

/**
 * Declares a request body of `bytes` bytes by `Content-Length` and `Expect: 100-continue`, sends none of it, and drops
 * the connection by a reset once something has answered. POST and nothing else: on the path of an artifact every MLflow
 * answers 405 to it, and a PUT that is cut there is stored as a truncated artifact by the gunicorn servers. A clean
 * close would do the same harm, hence the reset. Throws `PhaseError` when the connection cannot be opened.
 */
export const declare = async (url: URL, bytes: number, options: DeclareOptions): Promise<Reply> => {
  const connection = await openConnection(url, { addresses: [], ms: {} }, options)
  // Node's client closes the connection cleanly once an answer is complete.
  connection.socket.destroySoon = connection.reset
  const start = performance.now()
  const ms = (): number => performance.now() - start
  const patience = AbortSignal.timeout(options.patienceMs ?? options.timeoutMs)
  const ends = options.signal ? AbortSignal.any([patience, options.signal]) : patience
  try {
    return await new Promise<Reply>((resolve, reject) => {
      // Node's client is used because undici refuses an Expect header. The request is never ended: that would promise a body.
      const ask = request({
        createConnection: () => connection.socket,
        method: 'POST',
        path: connection.absolute ? url.href : `${url.pathname}${url.search}`,
        headers: {
          ...options.headers,
          ...connection.headers,
          host: url.host,
          'content-type': 'application/octet-stream',
          'content-length': String(bytes),
          expect: '100-continue',
        },
      })
      const stop = (): void => {
        if (options.signal?.aborted) reject(options.signal.reason)
        else resolve({ kind: 'silent', ms: ms() })
      }
      ends.addEventListener('abort', stop, { once: true })
      ask.once('continue', () => resolve({ kind: 'continue', ms: ms() }))
      ask.once('response', (response) => {
        const took = ms()
        readPage(response, ends).then((page) => resolve(answer(response, page, took)), reject)
      })
      ask.on('error', () => resolve({ kind: 'closed', ms: ms() }))
      ask.flushHeaders()
    })
  } finally {
    connection.reset()
  }
}

const answer = (response: IncomingMessage, page: string, ms: number): Reply => {
  const { server } = response.headers
  return {
    kind: 'status',
    status: response.statusCode ?? 0,
    page,
    ms,
    ...(server !== undefined && { server: plain(String(server)) }),
  }
}

/** Error pages name their maker within this much. */
const pageBytes = 4096

const readPage = (response: IncomingMessage, ends: AbortSignal): Promise<string> =>
  new Promise((resolve) => {
    let page = ''
    const done = (): void => resolve(page.slice(0, pageBytes))
    ends.addEventListener('abort', done, { once: true })
    response.setEncoding('latin1')
    response.on('data', (chunk: string) => {
      page += chunk
      if (page.length >= pageBytes) done()
    })
    for (const event of ['end', 'error', 'aborted', 'close']) response.once(event, done)
  })

const plain = (value: string): string => value.replace(/[\x00-\x1f\x7f]/g, ' ').slice(0, 200)
