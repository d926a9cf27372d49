import type { RouteKind } from '../check.ts'
import { Trouble } from '../errors.ts'
import { isBefore } from '../words.ts'
import { isLocal, localPath, schemeOf, withoutSecrets } from './location.ts'
import { s3Compatible } from './s3-compatible.ts'
import type { TrackingServer } from './server.ts'
import type { Settings, Target } from './types.ts'

/** How the MLflow client on this machine would send the files of one artifact location. */
export interface Route {
  /** The location as MLflow tracks it, without credentials. */
  readonly location: string
  readonly scheme: string
  /** True when the bytes go through the tracking server. */
  readonly proxied: boolean
  /** True when files of at least `multipartMinimum` bytes go in parts: signed by the server where it is proxied, else by the store's own client library. */
  readonly multipart: boolean
  /** Bytes. */
  readonly multipartMinimum: number
  /** Bytes. */
  readonly multipartChunk: number
  /** Whose credentials open the store. */
  readonly credentials: 'this machine' | 'the server' | 'none needed'
  /** The address that the bytes go to first: an origin, or the absolute path of a folder. */
  readonly firstHop: string
}

export const routeFor = (route: Route, bytes: number): RouteKind => {
  if (route.proxied) return route.multipart && bytes >= route.multipartMinimum ? 'signed-parts' : 'proxied-put'
  return route.scheme === 'file' ? 'folder-copy' : 'store-multipart'
}

/** Every way that a file may take, on both sides of the size from which files go in parts. */
export const routesOf = (route: Route): ReadonlySet<RouteKind> =>
  new Set([
    routeFor(route, route.multipartMinimum),
    ...(route.proxied && route.multipartMinimum > 0 ? [routeFor(route, 0)] : []),
  ])

/** Bytes of the largest request that carries a file of so many. */
export const requestBytes = (route: Route, bytes: number): number =>
  route.multipart && bytes >= route.multipartMinimum ? Math.min(bytes, route.multipartChunk) : bytes

const MiB = 1024 * 1024
type Parts = Pick<Route, 'multipart' | 'multipartMinimum' | 'multipartChunk'>

/** `user:password@` never gets this far, and a container of Azure's takes its place; a query would be a signature. */
const hostOf = (location: string): string => /^[^:]+:\/\/(?:[^/@]*@)?([^/?#]*)/.exec(location)?.[1] ?? ''

const unsupported = (location: string, why: string, todo: string): Trouble =>
  new Trouble({ kind: 'unsupported', what: `cannot reach the artifacts at ${withoutSecrets(location)}`, why, todo })

/** The origin that MLflow's client sends artifacts to for a `mlflow-artifacts:` location (`MlflowArtifactsRepository.resolve_uri`, 3.17.2): a host in the location wins over that of the tracking URI. */
const artifactOrigin = (location: string, settings: Settings): string => {
  const { protocol, host } = new URL(settings.trackingUri)
  return `${protocol}//${hostOf(location) || host}`
}

/** Read in http_artifact_repo.py and mlflow_artifacts_repo.py of every version around these two. */
const partsSince = '2.9.0'
const asksTheServerSince = '3.15.0'

/**
 * A client whose version is not known counts as a new one. Where the variable turns parts on, the client asks for them and
 * falls back to one PUT when the server answers that its store has none, which is what the server also says beforehand.
 */
const proxiedParts = (settings: Settings, offered: boolean | undefined, client: string | undefined): Parts => {
  const before = (version: string): boolean => client !== undefined && isBefore(client, version)
  const asked = settings.proxyMultipart ?? (!before(asksTheServerSince) && offered === true)
  return {
    multipart: asked && offered !== false && !before(partsSince),
    multipartMinimum: settings.multipartMinimum,
    multipartChunk: settings.multipartChunk,
  }
}

const s3Origin = (location: string, s3: Settings['s3']): string => {
  if (s3.endpoint !== undefined) return new URL(s3.endpoint).origin
  const region = s3.region ?? 'us-east-1'
  const bucket = hostOf(location)
  // boto3, too, puts a bucket with dots into the path: no wildcard certificate covers it.
  const inPath = s3.addressing === 'path' || (s3.addressing === 'auto' && bucket.includes('.'))
  return inPath ? `https://s3.${region}.amazonaws.com` : `https://${bucket}.s3.${region}.amazonaws.com`
}

const originOf = (url: string | undefined): string | undefined => url && new URL(url).origin

/** What each store's own client library does with a large file when MLflow leaves its defaults alone. */
const direct = (location: string, scheme: string, settings: Settings): Parts & { firstHop: string } => {
  // s3transfer's TransferConfig: multipart_threshold and multipart_chunksize.
  if (scheme === 's3')
    return {
      multipart: true,
      multipartMinimum: 8 * MiB,
      multipartChunk: 8 * MiB,
      firstHop: s3Origin(location, settings.s3),
    }
  // MLflow's own multipart upload (optimized_s3_artifact_repo.py), for files above one chunk.
  const compatible = s3Compatible(location)
  if (compatible !== undefined)
    return {
      multipart: true,
      multipartMinimum: settings.multipartChunk + 1,
      multipartChunk: settings.multipartChunk,
      firstHop: compatible.endpoint,
    }
  // azure-storage-blob: max_single_put_size and max_block_size.
  if (['wasb', 'wasbs'].includes(scheme))
    return {
      multipart: true,
      multipartMinimum: 64 * MiB + 1,
      multipartChunk: 4 * MiB,
      // A connection string names its own endpoint, and the location's host is not asked.
      firstHop: originOf(settings.azure.endpoint) ?? `https://${hostOf(location)}`,
    }
  // azure-storage-file-datalake: chunk_size of upload_data, whatever the size of the file.
  if (['abfs', 'abfss'].includes(scheme))
    return {
      multipart: true,
      multipartMinimum: 100 * MiB,
      multipartChunk: 100 * MiB,
      firstHop: `https://${hostOf(location)}`,
    }
  // google-cloud-storage: _MAX_MULTIPART_SIZE, and _DEFAULT_CHUNKSIZE unless MLFLOW_GCS_UPLOAD_CHUNK_SIZE is set.
  if (scheme === 'gs')
    return {
      multipart: true,
      multipartMinimum: 8 * MiB + 1,
      multipartChunk: settings.google.chunk ?? 100 * MiB,
      firstHop: settings.google.endpoint ?? 'https://storage.googleapis.com',
    }
  return { multipart: false, multipartMinimum: 0, multipartChunk: 0, firstHop: `${scheme}://${hostOf(location)}` }
}

/**
 * How MLflow's client on this machine, of this version where it is known, would send files to the target.
 * @throws Trouble `unsupported` where the location needs a tracking server and the tracking URI is none.
 */
export const resolveRoute = async (
  target: Target,
  settings: Settings,
  server?: TrackingServer,
  client?: string,
): Promise<Route> => {
  const where = target.artifactUri
  const scheme = schemeOf(where)
  const location = withoutSecrets(where)
  if (isLocal(where)) {
    const parts: Parts = { multipart: false, multipartMinimum: 0, multipartChunk: 0 }
    return {
      location,
      scheme: 'file',
      proxied: false,
      ...parts,
      credentials: 'none needed',
      firstHop: localPath(where, process.cwd()),
    }
  }
  if (scheme === 'mlflow-artifacts') {
    if (settings.trackingKind !== 'server')
      throw unsupported(
        where,
        'mlflow-artifacts: locations are served by a tracking server, and the tracking URI names none',
        'Set MLFLOW_TRACKING_URI to the server that the artifacts were logged through',
      )
    const firstHop = artifactOrigin(where, settings)
    const sameServer = firstHop === new URL(settings.trackingUri).origin
    const offered = sameServer ? server?.info.multipartUploads : undefined
    return {
      location,
      scheme,
      proxied: true,
      ...proxiedParts(settings, offered, client),
      credentials: 'the server',
      firstHop,
    }
  }
  if (scheme === 'http' || scheme === 'https') {
    // HttpArtifactRepository never asks /server-info: only the variable turns parts on.
    return {
      location,
      scheme,
      proxied: true,
      ...proxiedParts(settings, undefined, client),
      credentials: 'the server',
      firstHop: new URL(where).origin,
    }
  }
  return { location, scheme, proxied: false, ...direct(where, scheme, settings), credentials: 'this machine' }
}
