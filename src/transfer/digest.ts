import { createHash, type Hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { crc32c } from '../crc32c.ts'
import type { Source } from './identity.ts'

const sliceBytes = 4 * 1024 * 1024

/** Small enough to stay in the processor's cache and to be given away; reused by one caller at a time. */
export const scratch = (): Uint8Array => new Uint8Array(sliceBytes)

/** CRC32, and MD5 in hex or CRC-32C where that is asked for, of `length` bytes of a local file, read in slices. */
export const digestRange = async (
  source: Pick<Source, 'read'>,
  range: { readonly offset: number; readonly length: number },
  options: {
    readonly md5: boolean
    readonly crc32c?: boolean
    readonly buffer: Uint8Array
    readonly signal: AbortSignal | undefined
  },
): Promise<{ readonly crc32: number; readonly crc32c?: number; readonly md5: string | undefined }> => {
  const md5: Hash | undefined = options.md5 ? createHash('md5') : undefined
  const end = range.offset + range.length
  let crc = 0
  let castagnoli = 0
  for (let at = range.offset; at < end; at += options.buffer.length) {
    options.signal?.throwIfAborted()
    const slice = await source.read(options.buffer, at, Math.min(options.buffer.length, end - at))
    crc = crc32(slice, crc)
    if (options.crc32c === true) castagnoli = crc32c(slice, castagnoli)
    md5?.update(slice)
  }
  return { crc32: crc, ...(options.crc32c === true && { crc32c: castagnoli }), md5: md5?.digest('hex') }
}

/** SHA-256 of a whole file in lower-case hex, read in slices. */
export const sha256Of = async (source: Pick<Source, 'size' | 'read'>, signal?: AbortSignal): Promise<string> => {
  const hash = createHash('sha256')
  const buffer = scratch()
  for (let at = 0; at < source.size; at += buffer.length) {
    signal?.throwIfAborted()
    hash.update(await source.read(buffer, at, Math.min(buffer.length, source.size - at)))
  }
  return hash.digest('hex')
}

const md5Hex = /^[0-9a-f]{32}$/i

/** The MD5 that an ETag may be; whether it is one shows only by comparing (server-side encryption yields the same form). */
export const md5In = (etag: string | undefined): string | undefined =>
  etag !== undefined && md5Hex.test(etag) ? etag.toLowerCase() : undefined

/** What S3 makes of the MD5s of all parts, in order; undefined where one of them is none, or where there are no parts. */
export const compositeEtag = (etags: readonly (string | undefined)[]): string | undefined => {
  if (etags.length === 0) return undefined
  const hash = createHash('md5')
  for (const etag of etags) {
    const md5 = md5In(etag)
    if (md5 === undefined) return undefined
    hash.update(Buffer.from(md5, 'hex'))
  }
  return `${hash.digest('hex')}-${etags.length}`
}
