import { once } from 'node:events'
import { type Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { S3ServiceException } from '@aws-sdk/client-s3'
import { encodedKey, queryOf, signed } from './s3-sign.ts'

/**
 * The requests that each file needs, PUT and HEAD, without the SDK, whose middleware took about a quarter of all processor
 * time: 2 GiB in 256 parts to versitygw took 3.5 to 4.1 CPU s with it, 2.7 to 3.2 so. Everything else about a store stays the
 * SDK's: where a bucket lies and for which region requests are signed is read from what it sent last.
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

/** A request for one object. */
export interface Asked {
  readonly method: 'PUT' | 'HEAD'
  readonly key: string
  readonly query?: Readonly<Record<string, string>>
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

export interface Wire {
  /** False until the SDK has sent a request for an object of this bucket that this one can imitate. */
  ready(bucket: string): boolean
  /** To that bucket. The headers of the answer; throws what the SDK would. */
  send(asked: Asked, signal?: AbortSignal): Promise<IncomingMessage['headers']>
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

/** Bytes. Encrypted at once, a whole part would lie in memory a second time; a slice that stays in the processor's cache is also cheaper. */
const sliceBytes = 256 * 1024

const inSlices = async (request: ClientRequest, body: Uint8Array): Promise<void> => {
  for (let at = 0; at < body.length; at += sliceBytes) {
    // Ended by an error, or by an answer that did not wait: whoever listens for those knows.
    if (request.destroyed) return
    if (!request.write(body.subarray(at, at + sliceBytes))) {
      await Promise.race([once(request, 'drain'), once(request, 'close')]).catch(() => undefined)
    }
  }
  request.end()
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
  const send = (at: WirePlace, path: string, asked: Asked, signal: AbortSignal | undefined): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const { method, headers, body } = asked
      const secure = at.protocol === 'https:'
      const request = (secure ? requestHttps : requestHttp)({
        ...{ protocol: at.protocol, hostname: at.hostname, port: at.port, method, path, headers },
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
        if (stale && signal?.aborted !== true) send(at, path, asked, signal).then(resolve, reject)
        else reject(error)
      })
      request.on('close', () => signal?.removeEventListener('abort', stop))
      signal?.addEventListener('abort', stop, { once: true })
      if (secure && body !== undefined) void inSlices(request, body)
      else request.end(body)
    })

  return {
    ready: (bucket) => place()?.bucket === bucket,
    async send(asked, signal) {
      const { method, key, query = {}, body } = asked
      signal?.throwIfAborted()
      const at = place()
      if (at === undefined) throw new RangeError('the place of the bucket is not known')
      const path = `${at.base}${encodedKey(key)}`
      const usual = at.protocol === 'https:' ? 443 : 80
      const host = at.port === undefined || at.port === usual ? at.hostname : `${at.hostname}:${at.port}`
      const how = { method, path, query, region: at.region, now: Date.now() + skew() }
      const all = signed(await credentials(), { ...how, headers: { ...asked.headers, host } })
      const headers = body === undefined ? all : { ...all, 'content-length': String(body.length) }
      const search = queryOf(query)
      const answer = await send(at, search === '' ? path : `${path}?${search}`, { ...asked, headers }, signal)
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
