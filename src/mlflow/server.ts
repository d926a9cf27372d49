import { Trouble } from '../errors.ts'
import { objectIn } from './answers.ts'
import { type Http, type Method, openHttp, type Sleep } from './http.ts'
import { isHtml, notJson, redirectTrouble, statusTrouble } from './http-trouble.ts'
import { noSuchCall, trackingOf } from './rest.ts'
import type { ServerInfo, Settings, Tracking } from './types.ts'

/** A tracking server, spoken to over its REST API. */
export interface TrackingServer extends Tracking, Pick<Http, 'text' | 'bytes'> {
  readonly kind: 'server'
  readonly settings: Settings
  readonly info: ServerInfo
  /** Headers that every request to this server must carry: authorization, workspace. */
  readonly headers: Readonly<Record<string, string>>
  /** One REST call with retry and back-off; throws `Trouble`. `path` begins with `/api/`. */
  call<T>(method: Method, path: string, options?: CallOptions): Promise<T>
  close(): void
}

export interface CallOptions {
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly json?: unknown
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** False for calls that must not be sent twice; where absent, reads and searches are repeated and other POST and PATCH calls are not. */
  readonly retry?: boolean
  /** Milliseconds that the answer may take; MLFLOW_HTTP_REQUEST_TIMEOUT where absent. */
  readonly timeoutMs?: number
  /** Completes "cannot …" when it fails: `read run 123`. */
  readonly what?: string
}

/** Milliseconds: GET /version is the first call, costs a server nothing, and tells a dead one from a slow one. */
const firstAnswerMs = 12_000

/** What GET /version answers: `3.17.2`. */
const versionIn = (body: string): string | undefined => /^\d+\.\d+[\w.+-]{0,40}$/.exec(body.trim())?.[0]

/** Milliseconds for each look at another path of a host that answers. */
const glanceMs = 3000

/**
 * Another path of the same host at which an MLflow server answers: above the one in the tracking URI, as after copying an
 * address out of a browser, or below it at /mlflow, the usual --static-prefix.
 */
const elsewhere = async (settings: Settings, signal?: AbortSignal): Promise<string | undefined> => {
  const { origin, pathname } = new URL(settings.trackingUri)
  const parts = pathname.split('/').filter((part) => part !== '')
  const above = parts.map((_, index) => `${origin}${['', ...parts.slice(0, index)].join('/')}`)
  for (const trackingUri of [...above.reverse().slice(0, 4), `${settings.trackingUri}/mlflow`]) {
    const http = openHttp({ ...settings, trackingUri })
    try {
      const options = { retry: false, timeoutMs: glanceMs, ...(signal && { signal }) }
      const { response, body } = await http.text('GET', '/version', options)
      if (response.ok && versionIn(body) !== undefined) return trackingUri
    } catch (error) {
      if (!(error instanceof Trouble)) throw error
    } finally {
      http.close()
    }
  }
  return undefined
}

/** Something answers there, and no MLflow server does: a wrong path is the usual reason. */
const withRightPath = async (error: unknown, settings: Settings, signal?: AbortSignal): Promise<unknown> => {
  if (!(error instanceof Trouble) || !['unsupported', 'unexpected-answer'].includes(error.kind)) return error
  const right = await elsewhere(settings, signal)
  if (right === undefined) return error
  const { kind, what, why, status } = error
  const todo = `Set MLFLOW_TRACKING_URI to ${right}: an MLflow server answers there`
  return new Trouble({ kind, what, why, todo, ...(status !== undefined && { status }), cause: error })
}

/** What the server says of itself. Throws where something else answers in its place. */
const infoOf = async (http: Http, settings: Settings, signal?: AbortSignal): Promise<ServerInfo> => {
  const host = new URL(settings.trackingUri)
  const reach = `reach the tracking server at ${settings.trackingUri}`
  const what = `cannot ${reach}`
  const timeoutMs = Math.min(settings.requestTimeoutMs, firstAnswerMs)
  const answer = await http.text('GET', '/version', { timeoutMs, what: reach, ...(signal && { signal }) })
  const { response } = answer
  const body = answer.body.trim()
  if (response.status >= 300 && response.status < 400)
    throw redirectTrouble(what, host, response.status, response.headers.get('location'))
  // Very old servers have no /version; whether MLflow is there at all, the first API call tells.
  if (!response.ok && response.status !== 404) throw statusTrouble(what, host.host, response.status, body)
  if (response.ok && isHtml(body)) throw notJson(what, host.host, body)
  const version = response.ok ? versionIn(body) : undefined
  const software = /^[\x20-\x7e]{1,80}$/.exec(response.headers.get('server') ?? '')?.[0]

  // The host check spares /version, and server-info asks for no login: only a real call shows both.
  const first = await http.json('POST', '/api/2.0/mlflow/experiments/search', {
    json: { max_results: 1 },
    what: reach,
    ...(signal && { signal }),
  })
  // Without any experiment the answer is {}; anything else that lacks them comes from another service.
  if (Object.keys(first as object).length > 0 && !Array.isArray(objectIn(first, 'experiments')))
    throw notJson(what, host.host, JSON.stringify(first))
  let flags: unknown
  try {
    flags = await http.json('GET', '/api/3.0/mlflow/server-info', { ...(signal && { signal }) })
  } catch (error) {
    // MLflow before 3.9 has no such call.
    if (!noSuchCall(error)) throw error
  }
  const uploads = objectIn(flags, 'multipart_uploads_enabled')
  const downloads = objectIn(flags, 'multipart_downloads_enabled')
  const presignedOnly = objectIn(flags, 'artifacts_presigned_only')
  const serving = objectIn(flags, 'artifact_serving_enabled')
  return {
    ...(version === undefined ? {} : { version }),
    ...(software === undefined ? {} : { software }),
    ...(typeof uploads === 'boolean' ? { multipartUploads: uploads } : {}),
    ...(typeof downloads === 'boolean' ? { multipartDownloads: downloads } : {}),
    ...(typeof presignedOnly === 'boolean' ? { presignedOnly } : {}),
    ...(typeof serving === 'boolean' ? { servesArtifacts: serving } : {}),
  }
}

/** @throws Trouble when no MLflow server answers there, or when it refuses this login. */
export const openServer = async (
  settings: Settings,
  options: { readonly signal?: AbortSignal | undefined; readonly sleep?: Sleep | undefined } = {},
): Promise<TrackingServer> => {
  const http = openHttp(settings, options.sleep)
  try {
    const info = await infoOf(http, settings, options.signal)
    return {
      kind: 'server',
      uri: settings.trackingUri,
      settings,
      info,
      headers: http.headers,
      call: <T>(method: Method, path: string, callOptions?: CallOptions) =>
        http.json(method, path, callOptions) as Promise<T>,
      text: http.text,
      bytes: http.bytes,
      close: http.close,
      ...trackingOf(http),
    }
  } catch (error) {
    http.close()
    throw await withRightPath(error, settings, options.signal)
  }
}
