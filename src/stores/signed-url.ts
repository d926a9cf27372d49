import { type Dispatcher, request } from 'undici'
import { Trouble } from '../errors.ts'
import { firstBytes } from '../first-bytes.ts'
import { signedTls } from '../mlflow/trust.ts'
import type { Settings } from '../mlflow/types.ts'
import type { Environment } from '../mlflow/variables.ts'
import { retryAfterIn } from '../retry-after.ts'
import { duration } from '../words.ts'
import { openLine } from './line.ts'
import { networkTrouble } from './network-trouble.ts'

/**
 * Requests to addresses that a tracking server signed. They carry bytes and no credentials of ours, as MLflow's own client
 * does it; a redirect is never followed. The addresses are secrets: they live in memory and never reach a message.
 */
export interface SignedUrls {
  put(url: string, headers: Headers, body: Uint8Array, how: Calling): Promise<Answer>
  /** `length` bytes from `offset`, fewer at the end of the object. */
  range(url: string, headers: Headers, offset: number, length: number, how: Calling): Promise<Answer>
  close(): Promise<void>
}
type Headers = Readonly<Record<string, string>>

interface Calling {
  /** "cannot send part 3 of model.bin". */
  readonly what: string
  readonly signal?: AbortSignal | undefined
}

export interface Answer {
  readonly bytes: Uint8Array
  readonly header: (name: string) => string | undefined
}

/** An error answer is read this far, in bytes, to find the store's error code. */
const errorRead = 64 * 1024

export const signedUrls = (settings: Settings, env: Environment = process.env): SignedUrls => {
  const line = openLine(settings.requestTimeoutMs, signedTls(settings, env), env)

  const call = async (url: string, options: Omit<Dispatcher.RequestOptions, 'origin' | 'path'>, how: Calling) => {
    const parsed = URL.canParse(url) ? new URL(url) : undefined
    if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
      const why = 'the tracking server signed something that is no web address'
      throw new Trouble({
        kind: 'unexpected-answer',
        what: how.what,
        why,
        todo: 'Check the artifact destination of the server',
      })
    }
    try {
      const signal = how.signal === undefined ? {} : { signal: how.signal }
      const answer = await request(parsed, { ...options, ...signal, dispatcher: line.dispatcherFor(parsed) })
      if (answer.statusCode >= 200 && answer.statusCode < 300) return answer
      const said = (await firstBytes(answer.body, errorRead)).toString()
      throw refusal(parsed, answer.statusCode, said, how.what, headerOf(answer.headers)('retry-after'))
    } catch (error) {
      if (how.signal?.aborted === true) throw how.signal.reason
      throw networkTrouble(how.what, parsed.origin, error) ?? error
    }
  }
  const headerOf = (headers: Dispatcher.ResponseData['headers']) => (name: string) => {
    const value = headers[name]
    return Array.isArray(value) ? value[0] : value
  }

  return {
    async put(url, headers, body, how) {
      const answer = await call(url, { method: 'PUT', headers: { ...headers }, body }, how)
      await answer.body.dump()
      return { bytes: new Uint8Array(), header: headerOf(answer.headers) }
    },
    async range(url, headers, offset, length, how) {
      const range = `bytes=${offset}-${offset + length - 1}`
      let answer: Dispatcher.ResponseData
      try {
        answer = await call(url, { method: 'GET', headers: { ...headers, range } }, how)
      } catch (error) {
        // The offset lies behind the end.
        if (error instanceof Trouble && error.status === 416)
          return { bytes: new Uint8Array(), header: () => undefined }
        throw error
      }
      const size = Number(headerOf(answer.headers)('content-length') ?? Number.POSITIVE_INFINITY)
      if (answer.statusCode !== 206 && (offset > 0 || size > length)) {
        answer.body.destroy()
        const why = 'the store ignores the wish for a part of the file'
        throw new Trouble({ kind: 'unsupported', what: how.what, why, todo: 'Use a store that answers range requests' })
      }
      try {
        return { bytes: await firstBytes(answer.body, length), header: headerOf(answer.headers) }
      } catch (error) {
        if (how.signal?.aborted === true) throw how.signal.reason
        throw networkTrouble(how.what, new URL(url).origin, error) ?? error
      }
    },
    close: line.close,
  }
}

/** Only the store's error code is shown: its message may repeat the signature. */
const refusal = (url: URL, status: number, body: string, what: string, wait: string | undefined): Trouble => {
  const retryAfterMs = retryAfterIn(wait)
  const code = /<Code>([A-Za-z]{1,60})<\/Code>/.exec(body)?.[1]
  const why = `${url.host} answered ${status}${code === undefined ? '' : ` ${code}`} to a signed address`
  const trouble = (kind: Trouble['kind'], because: string, todo: string) =>
    new Trouble({ kind, what, why: because, todo, status, ...(retryAfterMs !== undefined && { retryAfterMs }) })
  const expires = Number(url.searchParams.get('X-Amz-Expires') ?? Number.NaN)
  if (status === 403 && /expired/i.test(body)) {
    const valid = Number.isNaN(expires) ? '' : ` (it was valid for ${duration(expires * 1000)})`
    return trouble(
      'denied',
      `the signed address has expired${valid}`,
      'Begin the upload anew, or use credentials for the store',
    )
  }
  if (status === 403 || status === 401) {
    const todo = 'Look at the credentials and the permissions of the tracking server: it signs with its own'
    return trouble('denied', why, todo)
  }
  if (code === 'BadDigest' || code === 'InvalidDigest')
    return trouble('unavailable', why, 'Send it again; it was damaged on the way')
  if (status === 404) return trouble('not-found', why, 'Begin the upload anew')
  if (status === 413) return trouble('too-large', why, 'Raise the limit of what stands before the store')
  if (status === 507) return trouble('full', why, 'Free space in the store')
  if (status === 429 || status >= 500) return trouble('unavailable', why, 'Try again')
  return trouble('unexpected-answer', why, 'Check the artifact destination of the server')
}
