import type { Response } from 'node-fetch'
import type { ServerInfo, Settings, Tracking } from './types.ts'

/** A tracking server, spoken to over its REST API. */
export interface TrackingServer extends Tracking {
  readonly kind: 'server'
  readonly settings: Settings
  readonly info: ServerInfo
  /** Headers that every request to this server must carry: authorization, workspace. */
  readonly headers: Readonly<Record<string, string>>
  /** One REST call with retry and back-off; throws `Trouble`. `path` begins with `/api/`. */
  call<T>(method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', path: string, options?: CallOptions): Promise<T>
  /** The same, but hands back the response unread, for bodies that are not JSON. */
  fetch(method: string, path: string, options?: CallOptions): Promise<Response>
}

export interface CallOptions {
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly json?: unknown
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** False for calls that must not be sent twice. */
  readonly retry?: boolean
}
