import { type Agent, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { S3ServiceException } from '@aws-sdk/client-s3'
import { encodedKey, queryOf, signed } from './s3-sign.ts'

/**
 * PUT requests that carry bytes, without the SDK, whose middleware took about a quarter of all processor time: 2 GiB in
 * 256 parts to versitygw took 3.5 to 4.1 CPU s with it, 2.7 to 3.2 so. Everything else about a store stays the SDK's: where a bucket
 * lies and for which region requests are signed is read from what it sent last.
 */

/** Where requests for a bucket go, as the SDK worked it out. */
export interface WirePlace {
  readonly bucket: string
  readonly protocol: 'http:' | 'https:'
  readonly hostname: string
  readonly port: number | undefined
  /** The path before the key: `/bucket/`, or `/` where the bucket is in the host name. */
  readonly base: string
  readonly region: string
}

interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

export interface Wire {
  /** False until the SDK has sent a request for an object of this bucket that this one can imitate. */
  ready(bucket: string): boolean
  /** To that bucket. The headers of the answer; throws what the SDK would. */
  put(
    key: string,
    query: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
    signal?: AbortSignal,
  ): Promise<IncomingMessage['headers']>
  close(): void
}

/** Of a signed request; undefined for one that was signed in another way, or sent to another place than its key says. */
export const placeIn = (request: unknown, input: unknown): WirePlace | undefined => {
  const { protocol, hostname, port, path, headers } = (request ?? {}) as Record<string, unknown>
  const { Bucket: bucket, Key: key } = (input ?? {}) as Record<string, unknown>
  const { authorization } = (headers ?? {}) as Record<string, unknown>
  const region = /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/([^/]+)\/s3\/aws4_request,/.exec(
    String(authorization),
  )?.[1]
  if (typeof bucket !== 'string' || typeof key !== 'string' || typeof path !== 'string' || region === undefined) return
  if (typeof hostname !== 'string' || (protocol !== 'http:' && protocol !== 'https:')) return
  const end = encodedKey(key)
  if (!path.endsWith(`/${end}`)) return
  const base = path.slice(0, path.length - end.length)
  return { bucket, protocol, hostname, port: typeof port === 'number' ? port : undefined, base, region }
}

/** An error answer is read this far, in bytes. */
const errorRead = 64 * 1024
/** Milliseconds; as for the SDK. */
const connectMs = 10_000

const textOf = async (answer: IncomingMessage): Promise<string> => {
  let text = ''
  for await (const chunk of answer) if (text.length < errorRead) text += chunk
  return text
}

const refusal = (answer: IncomingMessage, text: string): S3ServiceException => {
  const status = answer.statusCode ?? 0
  const code = /<Code>([A-Za-z0-9]{1,80})<\/Code>/.exec(text)?.[1] ?? 'UnknownError'
  const message = /<Message>([^<]{1,500})<\/Message>/.exec(text)?.[1] ?? ''
  const error = new S3ServiceException({
    ...{ name: code, message, $fault: status >= 500 ? 'server' : 'client' },
    $metadata: { httpStatusCode: status },
  })
  Object.assign(error, { $response: { statusCode: status, headers: answer.headers } })
  return error
}

interface Opening {
  readonly agents: { readonly http: Agent; readonly https: Agent }
  /** Milliseconds without a byte. */
  readonly idleMs: number
  readonly place: () => WirePlace | undefined
  readonly credentials: () => Promise<Credentials>
  /** Milliseconds to add to this machine's clock. */
  readonly skew: () => number
  readonly seen: (headers: IncomingMessage['headers']) => void
}

export const openWire = ({ agents, idleMs, place, credentials, skew, seen }: Opening): Wire => {
  const send = (
    at: WirePlace,
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const secure = at.protocol === 'https:'
      const request = (secure ? requestHttps : requestHttp)({
        ...{ protocol: at.protocol, hostname: at.hostname, port: at.port, method: 'PUT', path, headers },
        agent: secure ? agents.https : agents.http,
      })
      const stop = () => request.destroy(signal?.reason)
      const timedOut = (message: string) => request.destroy(Object.assign(new Error(message), { code: 'ETIMEDOUT' }))
      request.on('socket', (socket) => {
        if (!socket.connecting) return
        const timer = setTimeout(() => timedOut('no connection'), connectMs)
        for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer))
      })
      request.setTimeout(idleMs, () => timedOut('no bytes flowed'))
      let answered = false
      request.on('response', (answer) => {
        answered = true
        resolve(answer)
      })
      request.on('error', (error) => {
        const stale = !answered && request.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET'
        // The store had closed an idle connection. A part may be sent twice, and an object is looked for by whoever put it.
        if (stale && signal?.aborted !== true) send(at, path, headers, body, signal).then(resolve, reject)
        else reject(error)
      })
      request.on('close', () => signal?.removeEventListener('abort', stop))
      signal?.addEventListener('abort', stop, { once: true })
      request.end(body)
    })

  return {
    ready: (bucket) => place()?.bucket === bucket,
    async put(key, query, headers, body, signal) {
      signal?.throwIfAborted()
      const at = place()
      if (at === undefined) throw new RangeError('the place of the bucket is not known')
      const path = `${at.base}${encodedKey(key)}`
      const usual = at.protocol === 'https:' ? 443 : 80
      const host = at.port === undefined || at.port === usual ? at.hostname : `${at.hostname}:${at.port}`
      const how = { method: 'PUT', path, query, region: at.region, now: Date.now() + skew() }
      const all = signed(await credentials(), { ...how, headers: { ...headers, host } })
      const asked = queryOf(query)
      const length = { 'content-length': String(body.length) }
      const answer = await send(at, asked === '' ? path : `${path}?${asked}`, { ...all, ...length }, body, signal)
      const text = await textOf(answer)
      seen(answer.headers)
      const status = answer.statusCode ?? 0
      if (status >= 200 && status < 300) return answer.headers
      throw refusal(answer, text)
    },
    close() {
      agents.http.destroy()
      agents.https.destroy()
    },
  }
}
