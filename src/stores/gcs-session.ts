import { Trouble } from '../errors.ts'
import type { GcsAnswer, GcsConnection, GcsRequest } from './gcs-client.ts'
import { crcToBase64 } from './wire-text.ts'

/**
 * A resumable upload session of Google Cloud Storage (cloud.google.com/storage/docs/resumable-uploads): bytes go in order,
 * one request after the other, and the store says how far it has them. Only the last request makes the object visible.
 */
export interface Session {
  /** What the store holds, in bytes from the beginning; undefined where the session is over or gone. */
  held(signal?: AbortSignal): Promise<number | undefined>
  /** Sends bytes from `offset` on, not yet the last ones; hands back what the store holds then. */
  send(offset: number, bytes: Uint8Array, signal?: AbortSignal): Promise<number>
  /** Sends the last bytes, with which a file of `total` bytes becomes an object. `crc32c` of the whole, where it is known. */
  finish(
    offset: number,
    bytes: Uint8Array,
    total: number,
    crc32c: number | undefined,
    signal?: AbortSignal,
  ): Promise<GcsObject | { readonly held: number }>
  /** A session that is gone is no error; one that cannot be cancelled goes by itself, a week after it was begun. */
  cancel(signal?: AbortSignal): Promise<void>
}

/** The JSON API's own words for an object, as far as they are read. */
export interface GcsObject {
  readonly generation: string
  readonly size: string
  readonly crc32c?: string
  readonly md5Hash?: string
}

/** Chunks are multiples of this, in bytes, but for the last one. */
export const chunkStep = 256 * 1024

const incomplete = 308
/** 499: cancelled. */
const gone = [404, 410, 499]
/** Of an answer that describes an object, in bytes. */
const mostJson = 1024 * 1024

export const objectIn = async (answer: GcsAnswer, what: string): Promise<GcsObject> => {
  const text = Buffer.from(await answer.read(mostJson)).toString()
  try {
    const { generation, size, crc32c, md5Hash } = JSON.parse(text) as Record<string, unknown>
    if (generation !== undefined && size !== undefined) {
      return {
        generation: String(generation),
        size: String(size),
        ...(typeof crc32c === 'string' ? { crc32c } : {}),
        ...(typeof md5Hash === 'string' ? { md5Hash } : {}),
      }
    }
  } catch {
    // Told below.
  }
  throw new Trouble({
    kind: 'unexpected-answer',
    what,
    why: 'the store did not describe the object that it made',
    todo: 'Scan the target again',
  })
}

/** Bytes that the store says it holds. Without a Range it holds none; `0-0` is what an emulator says for none, and means one byte that may be sent again. */
const heldIn = (answer: GcsAnswer): number => {
  const end = Number(/^bytes=0-(\d+)$/.exec(answer.header('range') ?? '')?.[1] ?? 0)
  return end === 0 ? 0 : end + 1
}

export const openSession = (
  connection: Pick<GcsConnection, 'call'>,
  uri: string,
  name: { readonly uri: string },
): Session => {
  const put = (
    doing: string,
    range: string,
    body: Uint8Array,
    signal: AbortSignal | undefined,
    more: Partial<GcsRequest> = {},
  ) =>
    connection.call({
      ...{
        method: 'PUT',
        url: uri,
        login: false,
        what: `cannot ${doing} ${name.uri}`,
        action: 'storage.objects.create',
      },
      ...{ body, signal, also: [incomplete] },
      ...more,
      headers: { 'content-length': String(body.length), 'content-range': range, ...more.headers },
    })

  return {
    async held(signal) {
      // With the size in place of the second star, the question would end a session that has all bytes.
      const answer = await put('ask how much there is of', 'bytes */*', new Uint8Array(), signal, {
        also: [incomplete, ...gone],
      })
      await answer.done()
      return answer.status === incomplete ? heldIn(answer) : undefined
    },
    async send(offset, bytes, signal) {
      const range = `bytes ${offset}-${offset + bytes.length - 1}/*`
      const answer = await put('send a chunk of', range, bytes, signal)
      await answer.done()
      return answer.status === incomplete ? heldIn(answer) : offset + bytes.length
    },
    async finish(offset, bytes, total, crc32c, signal) {
      const range = bytes.length === 0 ? `bytes */${total}` : `bytes ${offset}-${offset + bytes.length - 1}/${total}`
      const headers: Record<string, string> =
        crc32c === undefined ? {} : { 'x-goog-hash': `crc32c=${crcToBase64(crc32c)}` }
      const answer = await put('complete the upload of', range, bytes, signal, { headers })
      if (answer.status !== incomplete) return objectIn(answer, `cannot complete the upload of ${name.uri}`)
      await answer.done()
      return { held: heldIn(answer) }
    },
    async cancel(signal) {
      const answer = await connection.call({
        ...{ method: 'DELETE', url: uri, login: false, what: `cannot cancel the upload of ${name.uri}` },
        ...{ action: 'storage.objects.create', signal },
        headers: { 'content-length': '0' },
        // gcp-storage-emulator knows no cancelling: 501.
        also: [...gone, 501],
      })
      await answer.done()
    },
  }
}
