import type { RouteKind } from '../check.ts'

/** How the MLflow client on this machine would send the files of one artifact location. */
export interface Route {
  /** The location as MLflow tracks it, without credentials. */
  readonly location: string
  readonly scheme: string
  /** True when the bytes go through the tracking server. */
  readonly proxied: boolean
  /** True when files of at least `multipartMinimum` bytes go by signed parts. */
  readonly multipart: boolean
  /** Bytes. */
  readonly multipartMinimum: number
  /** Bytes. */
  readonly multipartChunk: number
  /** Whose credentials open the store. */
  readonly credentials: 'this machine' | 'the server' | 'none needed'
  /** The address that the bytes go to first. */
  readonly firstHop: string
}

export const routeFor = (route: Route, bytes: number): RouteKind => {
  if (route.proxied) return route.multipart && bytes >= route.multipartMinimum ? 'signed-parts' : 'proxied-put'
  return route.scheme === 'file' ? 'folder-copy' : 'store-multipart'
}
