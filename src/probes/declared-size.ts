import { performance } from 'node:perf_hooks'
import { type Connection, type ConnectionOptions, openConnection } from './connection.ts'
import { type Answer, answerIn, headBytes, isComplete, pageBytes, requestHead, withoutNews } from './http-answer.ts'

/** What came back for a declared size, before any byte of a body was sent. */
export type Reply =
  | { readonly kind: 'continue'; readonly ms: number }
  | (Answer & { readonly kind: 'status'; readonly ms: number })
  /** The connection was closed with nothing said, or with something that is not HTTP. */
  | { readonly kind: 'closed'; readonly ms: number }
  /** Nothing within the time given. */
  | { readonly kind: 'silent'; readonly ms: number }

export interface DeclareOptions extends ConnectionOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds to wait for an answer to the headers; `timeoutMs` unless told. */
  readonly patienceMs?: number
  /** False leaves out `Expect: 100-continue`: a proxy that does not buffer bodies then passes the headers on. */
  readonly expects?: boolean
}

/**
 * Declares a request body of `bytes` bytes by `Content-Length` and `Expect: 100-continue`, sends none of it, and drops
 * the connection by a reset once something has answered. POST and nothing else: on the path of an artifact every MLflow
 * answers 405 to it, and a PUT that is cut there is stored as a truncated artifact by the gunicorn servers. A clean
 * close would do the same harm, hence the reset. Throws `PhaseError` when the connection cannot be opened.
 *
 * The few lines of HTTP are written here because undici refuses an Expect header, and Node's own client closes a
 * connection cleanly once an answer is complete.
 */
export const declare = async (url: URL, bytes: number, options: DeclareOptions): Promise<Reply> => {
  const connection = await openConnection(url, { addresses: [], ms: {} }, options)
  const patience = AbortSignal.timeout(options.patienceMs ?? options.timeoutMs)
  try {
    return await exchange(connection, head(url, bytes, connection, options), patience, options.signal)
  } finally {
    connection.reset()
  }
}

const head = (url: URL, bytes: number, connection: Connection, options: DeclareOptions): string => {
  const headers = {
    ...options.headers,
    ...connection.headers,
    host: url.host,
    'content-type': 'application/octet-stream',
    'content-length': String(bytes),
    ...(options.expects !== false && { expect: '100-continue' }),
  }
  return requestHead('POST', connection.absolute ? url.href : `${url.pathname}${url.search}`, headers)
}

const exchange = (
  { socket }: Connection,
  request: string,
  patience: AbortSignal,
  signal: AbortSignal | undefined,
): Promise<Reply> => {
  const start = performance.now()
  const ms = (): number => performance.now() - start
  return new Promise<Reply>((resolve, reject) => {
    let text = ''
    let received = 0
    let answered: (Reply & { kind: 'status' }) | undefined
    const over = (otherwise: 'closed' | 'silent'): void => resolve(answered ?? { kind: otherwise, ms: ms() })
    const stop = (): void => (signal?.aborted ? reject(signal.reason) : over('silent'))
    for (const by of [patience, ...(signal ? [signal] : [])]) by.addEventListener('abort', stop, { once: true })
    for (const event of ['end', 'close', 'error']) socket.once(event, () => over('closed'))
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length
      text = withoutNews(text + chunk.toString('latin1'))
      const answer = answerIn(text)
      answered = answer && { kind: 'status', ...answer, ms: answered?.ms ?? ms() }
      const interim = /^HTTP\/1\.\d 100(?!\d)/.test(text)
      if (interim && text.includes('\r\n\r\n')) resolve({ kind: 'continue', ms: ms() })
      else if (answered && isComplete(text, answered.page)) resolve(answered)
      else if (received > headBytes + pageBytes) over('closed')
    })
    socket.write(request, 'latin1')
  })
}
