import { Trouble } from '../errors.ts'
import { statusTrouble } from '../mlflow/http-trouble.ts'
import type { TrackingServer } from '../mlflow/server.ts'
import type { ProxiedPaths } from './proxied-location.ts'
import type { SignedUrls } from './signed-url.ts'
import type { StoredFile } from './store.ts'

/** Bytes; small enough that a server which fetches the whole file first does no harm. */
const small = 4 * 1024 ** 2
/** Milliseconds; signed download addresses are valid for 300 s unless the server says otherwise (MLFLOW_PRESIGNED_DOWNLOAD_URL_TTL_SECONDS). */
const signedFor = 120_000
/** Bytes of an error page that are read. */
const errorRead = 65_536
/** Files looked through for a small one. */
const mostLooks = 500
/** Signed addresses kept at a time. */
const keptUrls = 100

interface SignedDownload {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly until: number
}

/**
 * Ranges of files behind a tracking server. A server over a folder honours Range; one over a cloud store fetches the whole
 * object into its temp folder before it answers, so large files there are read at the store itself, by signed addresses.
 */
export const rangesThrough = (
  server: TrackingServer,
  paths: ProxiedPaths,
  signedUrls: SignedUrls,
  list: (options: { signal?: AbortSignal }) => AsyncIterable<StoredFile>,
) => {
  const host = new URL(server.uri).host
  const kept = new Map<string, SignedDownload>()
  /** Undefined until it was asked for the first time; false where the server signs no downloads. */
  let signs: boolean | undefined = server.info.multipartDownloads === false ? false : undefined

  /** Undefined where this server does not sign downloads (501 over a folder, 404 before MLflow 3.10). */
  const signedDownload = async (path: string, signal?: AbortSignal): Promise<SignedDownload | undefined> => {
    const before = kept.get(path)
    if (before !== undefined && before.until > Date.now()) return before
    if (signs === false) return undefined
    try {
      const what = `get a signed address for ${path}`
      const how = { what, ...(signal && { signal }) }
      const answer = await server.call<Record<string, unknown>>('GET', paths.signedDownload(path), how)
      const { url, headers } = answer
      if (typeof url !== 'string') return undefined
      signs = true
      const pairs = Object.entries(headers ?? {}).filter(
        (pair): pair is [string, string] => typeof pair[1] === 'string',
      )
      const found = { url, headers: Object.fromEntries(pairs), until: Date.now() + signedFor }
      if (kept.size >= keptUrls) kept.clear()
      kept.set(path, found)
      return found
    } catch (error) {
      if (!(error instanceof Trouble) || error.kind !== 'unsupported') throw error
      signs = false
      return undefined
    }
  }

  /** One GET with a Range through the server; the caller makes sure that the whole file would do no harm, or that the server honours it. */
  const through = async (path: string, offset: number, length: number, signal?: AbortSignal) => {
    const what = `read ${path}`
    const end = offset + length
    // A file that is small is taken whole where the server ignores the range; a large one must not be.
    const most = Math.max(end <= small ? end : length, errorRead)
    const { response, bytes } = await server.bytes('GET', paths.file(path), most, {
      headers: { range: `bytes=${offset}-${offset + length - 1}`, accept: '*/*' },
      what,
      ...(signal && { signal }),
    })
    if (response.status === 416) return { partial: true, bytes: Buffer.alloc(0) }
    if (!response.ok)
      throw statusTrouble(`cannot ${what}`, host, response.status, bytes.subarray(0, errorRead).toString())
    if (response.status === 206) return { partial: true, bytes: bytes.subarray(0, length) }
    if (end > most)
      throw new Trouble({
        kind: 'unsupported',
        what: `cannot ${what}`,
        why: 'the tracking server ignores the wish for a part of the file',
        todo: "Give --artifacts-destination and credentials for the server's store",
      })
    return { partial: false, bytes: bytes.subarray(offset, end) }
  }

  /** Known after the first read of a small file. Servers over a store ignore the wish for a range; those over a folder keep to it. */
  let honoursRange: boolean | undefined

  /** Finds out by a small file that is there anyway, such as MLmodel. */
  const learnRange = async (signal?: AbortSignal): Promise<boolean | undefined> => {
    let looked = 0
    for await (const { path, size } of list({ ...(signal && { signal }) })) {
      looked += 1
      if (size > 1 && size <= small) {
        honoursRange = (await through(path, 0, 1, signal)).partial
        return honoursRange
      }
      if (looked === mostLooks) break
    }
    return undefined
  }

  const read = async (
    path: string,
    size: number,
    offset: number,
    length: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array> => {
    const wanted = Math.min(length, size - offset)
    if (wanted <= 0) return new Uint8Array()
    if (size <= small || honoursRange === true) {
      const { partial, bytes } = await through(path, offset, wanted, signal)
      honoursRange = partial
      return bytes
    }
    const signed = await signedDownload(path, signal)
    if (signed !== undefined) {
      const calling = { what: `cannot read ${path}`, signal }
      return (await signedUrls.range(signed.url, signed.headers, offset, wanted, calling)).bytes
    }
    if ((honoursRange ?? (await learnRange(signal))) === true)
      return (await through(path, offset, wanted, signal)).bytes
    throw new Trouble({
      kind: 'unsupported',
      what: `cannot read a part of ${path}`,
      why: 'the tracking server would fetch the whole file from its store first',
      todo: "Give --artifacts-destination and credentials for the server's store",
    })
  }

  /** The ETag that the store keeps, where a signed address leads to it. */
  const etag = async (path: string, signal?: AbortSignal): Promise<string | undefined> => {
    try {
      const signed = await signedDownload(path, signal)
      if (signed === undefined) return undefined
      const calling = { what: `cannot look at ${path}`, signal }
      const { header } = await signedUrls.range(signed.url, signed.headers, 0, 1, calling)
      return header('etag')?.replace(/^"|"$/g, '')
    } catch (error) {
      // The size is known already; a store that this machine cannot reach takes nothing from that.
      if (error instanceof Trouble) return undefined
      throw error
    }
  }

  return { read, etag }
}
