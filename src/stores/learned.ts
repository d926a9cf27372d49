import { Trouble } from '../errors.ts'
import type { TrackingServer } from '../mlflow/server.ts'
import type { Settings } from '../mlflow/types.ts'
import type { Surroundings } from './index.ts'
import { folderOf, join, unsafeBecause } from './path.ts'
import { listProxied, type ProxiedEntry } from './proxied-list.ts'
import { proxiedPaths } from './proxied-location.ts'
import type { Store } from './store.ts'

/** The store itself, or why it was not opened: a clause for the report, empty where there is nothing to tell. */
export type Learned = { readonly store: Store } | { readonly because: string }

/** Where a signed download address shows the store to be. */
export interface SignedPlace {
  /** Scheme, host and port, without the bucket. */
  readonly endpoint: string
  readonly bucket: string
  /** Of the object that was signed for. */
  readonly key: string
}

const amazonHost = /^(?:(.+)\.)?s3(?:[.-]([a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com(?:\.cn)?$/

/** Endpoint, bucket and key of a SigV4 address, in path or virtual-host style; undefined for what is not S3's. `path` is the artifact's path, which the key ends with. */
export const signedPlace = (address: string, path: string): SignedPlace | undefined => {
  if (!URL.canParse(address)) return undefined
  const url = new URL(address)
  const s3 = url.searchParams.has('X-Amz-Signature') || url.searchParams.has('AWSAccessKeyId')
  if (!s3 || !/^https?:$/.test(url.protocol)) return undefined
  const segments = url.pathname.slice(1).split('/').map(decodeURIComponent)
  const host = amazonHost.exec(url.hostname)
  if (host?.[1] !== undefined) {
    const endpoint = url.origin.replace(`${host[1]}.`, '')
    return ending({ endpoint, bucket: host[1], key: segments.join('/') }, path)
  }
  const [bucket = '', ...rest] = segments
  return ending({ endpoint: url.origin, bucket, key: rest.join('/') }, path)
}

const ending = (place: SignedPlace, path: string): SignedPlace | undefined =>
  place.bucket !== '' && (place.key === path || place.key.endsWith(`/${path}`)) ? place : undefined

/** Folders that are listed at most in search of a file to ask about. */
const mostFolders = 20

/** Some file below the root, else below the run or the experiment that the root lies in; its path from the server's own root. */
const anyFile = async (
  list: (folder: string) => Promise<readonly ProxiedEntry[]>,
  root: string,
): Promise<string | undefined> => {
  let looks = 0
  for (let from = root; from !== ''; from = folderOf(from)) {
    const waiting = [from]
    // Down, not across: the root may be that of an experiment with thousands of runs.
    for (let folder = waiting.pop(); folder !== undefined && looks < mostFolders; folder = waiting.pop()) {
      looks += 1
      for (const entry of await list(folder)) {
        const path = join(folder, entry.name)
        if (unsafeBecause(path) !== undefined) continue
        if (!entry.folder) return path
        waiting.push(path)
      }
    }
  }
  return undefined
}

/** Where the server keeps the artifacts, undefined where it does not tell or holds none yet. */
const askPlace = async (server: TrackingServer, root: string, signal?: AbortSignal) => {
  const paths = proxiedPaths('')
  try {
    const path = await anyFile((folder) => listProxied(server, folder, signal), root)
    if (path === undefined) return undefined
    const what = `get a signed address for ${path}`
    const how = { what, ...(signal && { signal }) }
    const answer = await server.call<Record<string, unknown>>('GET', paths.signedDownload(path), how)
    const place = typeof answer.url === 'string' ? signedPlace(answer.url, path) : undefined
    return place && { ...place, path }
  } catch (error) {
    // This is a try at a better way; the way through the server remains.
    if (error instanceof Trouble) return undefined
    throw error
  }
}

/**
 * Finds the store behind a server by the address that the server signs for an existing file, and opens it with the user's
 * credentials: only where the user's own settings name that endpoint, or it is AWS's, or `--trust-host` names it. Reads only.
 */
export const learnStore = async (
  server: TrackingServer,
  root: string,
  settings: Settings,
  around: Surroundings,
): Promise<Learned> => {
  if (server.info.multipartDownloads === false) return { because: '' }
  const place = await askPlace(server, root, around.signal)
  if (place === undefined) return { because: '' }
  const { connectS3, isAmazon } = await import('./s3-client.ts')
  const { host, hostname } = new URL(place.endpoint)
  const own = settings.s3.endpoint
  const ownOrigin = own !== undefined && URL.canParse(own) ? new URL(own).origin : undefined
  const trusted = settings.trustedHosts.some((each) => each === host || each === hostname)
  const amazon = own === undefined && isAmazon(place.endpoint)
  if (ownOrigin !== place.endpoint && !trusted && !amazon) {
    return {
      because: `; they lie at ${host}, where your credentials are not sent unless --trust-host ${host} allows it`,
    }
  }
  const { s3Store } = await import('./s3.ts')
  try {
    const connection = await connectS3(settings, around.env, amazon ? undefined : place.endpoint)
    const reached = `${connection.identity} at ${connection.endpoint}, where the signed addresses of ${server.uri} lead`
    const destination = place.key.slice(0, place.key.length - place.path.length).replace(/\/$/, '')
    try {
      // The list first: its refusal says why, that of HEAD cannot.
      const all = s3Store(connection, { bucket: place.bucket, prefix: destination }, settings, reached)
      for await (const _ of all.list({ prefix: folderOf(place.path), ...(around.signal && { signal: around.signal }) }))
        break
      const seen = await all.stat(place.path, around.signal)
      if (seen === undefined) throw notTheSame(place.endpoint)
      return {
        store: s3Store(connection, { bucket: place.bucket, prefix: join(destination, root) }, settings, reached),
      }
    } catch (error) {
      connection.close()
      throw error
    }
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    return { because: `; the store at ${host} did not let this machine in (${error.why})` }
  }
}

const notTheSame = (endpoint: string): Trouble =>
  new Trouble({
    kind: 'not-found',
    what: `cannot use the store at ${endpoint}`,
    why: 'it does not hold the file that the server has',
    todo: 'Give --artifacts-destination',
  })
