import {
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type ListPartsCommandOutput,
  type MultipartUpload,
} from '@aws-sdk/client-s3'
import { Trouble } from '../errors.ts'
import type { S3Calls } from './s3-calls.ts'
import type { Part } from './store.ts'
import { crcFromBase64, unquoted } from './wire-text.ts'

/** The S3 API gained multipart uploads on this day; MinIO's zero time, epochs and moto's constant lie before its end. */
const firstUploads = Date.UTC(2010, 10, 11)
/** The nodes of a store may differ a little; what lies further ahead is no time to count with. */
const clockSlack = 60_000

/** Milliseconds since the epoch, or undefined where the store's time cannot be true. `now` is the store's. */
export const plausible = (time: Date | undefined, now: number): number | undefined => {
  const ms = time?.getTime() ?? Number.NaN
  return ms > firstUploads && ms <= now + clockSlack ? ms : undefined
}

/** Names come back percent-encoded where the store honours the wish for it, since XML cannot carry every key; a space may be a plus. */
export const decoded = (name: string, encoding: string | undefined): string => {
  if (encoding !== 'url' || !/[%+]/.test(name)) return name
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch {
    return name
  }
}

/** Guards against a list that says "there is more" and gives the same page again. */
export const endless = (what: string): Trouble =>
  new Trouble({
    kind: 'unexpected-answer',
    what,
    why: 'the store says that there is more, but gives no way to get on',
    todo: 'Look with the tools of the store itself',
  })

export interface ListedUpload {
  readonly key: string
  readonly id: string
  readonly upload: MultipartUpload
}

interface Markers {
  readonly KeyMarker?: string
  readonly UploadIdMarker?: string
}

/**
 * Multipart uploads whose key begins with `prefix`, each once. Copes with what was seen in the field: SeaweedFS pages by
 * upload id alone and in no order of keys; versitygw refuses the upload id as a marker beside its own key, so that the key
 * alone has to do and the rest of that key's uploads are asked for by themselves.
 */
export async function* listUploads(calls: S3Calls, prefix: string, signal?: AbortSignal): AsyncIterable<ListedUpload> {
  const what = `cannot list the unfinished uploads of ${calls.uriOf(prefix)}`
  const page = (markers: Markers, within: string) => {
    const command = new ListMultipartUploadsCommand({
      ...calls.bucket,
      ...(calls.pageSize === undefined ? {} : { MaxUploads: calls.pageSize }),
      ...(within === '' ? {} : { Prefix: within }),
      EncodingType: 'url',
      ...markers,
    })
    const calling = { what, action: 's3:ListBucketMultipartUploads', signal }
    return calls.run(calling, (client, how) => client.send(command, how))
  }
  const given = new Set<string>()
  const fresh = (uploads: readonly MultipartUpload[], encoding: string | undefined): ListedUpload[] =>
    uploads.flatMap((upload) => {
      const key = decoded(upload.Key ?? '', encoding)
      const id = upload.UploadId ?? ''
      const name = JSON.stringify([key, id])
      if (id === '' || given.has(name) || !key.startsWith(prefix)) return []
      given.add(name)
      return [{ key, id, upload }]
    })

  const been = new Set<string>()
  const onward = (markers: Markers): Markers => {
    const at = JSON.stringify(markers)
    if (at === '{}' || been.has(at)) throw endless(what)
    been.add(at)
    return markers
  }
  /** versitygw looks for the upload id below the first key after the key marker: whatever sorts just before a key leads to it. */
  const ofKey = async function* (key: string): AsyncIterable<ListedUpload> {
    for (let markers: Markers = {}; ; ) {
      const got = await page(markers, key)
      yield* fresh(got.Uploads ?? [], got.EncodingType)
      // Other keys that begin with this one have their turn in the list of all.
      if (got.IsTruncated !== true || decoded(got.NextKeyMarker ?? '', got.EncodingType) !== key) return
      if (key.length === 1) throw endless(what)
      markers = onward({ KeyMarker: key.slice(0, -1), UploadIdMarker: got.NextUploadIdMarker ?? '' })
    }
  }

  for (let markers: Markers = {}; ; ) {
    let got: Awaited<ReturnType<typeof page>>
    try {
      got = await page(markers, prefix)
    } catch (error) {
      const { KeyMarker, UploadIdMarker } = markers
      const status = error instanceof Trouble ? error.status : undefined
      if (status !== 400 || UploadIdMarker === undefined || KeyMarker === undefined) throw error
      yield* ofKey(KeyMarker)
      got = await page({ KeyMarker }, prefix)
    }
    yield* fresh(got.Uploads ?? [], got.EncodingType)
    if (got.IsTruncated !== true) return
    const key = decoded(got.NextKeyMarker ?? '', got.EncodingType)
    const id = got.NextUploadIdMarker ?? ''
    markers = onward({ ...(key === '' ? {} : { KeyMarker: key }), ...(id === '' ? {} : { UploadIdMarker: id }) })
  }
}

export interface ListedParts {
  readonly parts: readonly Part[]
  /** `CRC32`, `SHA256`…; undefined where the upload has none or the store does not tell (SeaweedFS). */
  readonly algorithm: string | undefined
  readonly type: string | undefined
}

/**
 * All parts of an upload, by number. SeaweedFS lists a part that was sent twice twice, in no order: the newest counts, and
 * of two in the same second that differ neither, since nothing tells which one is meant.
 */
export const listParts = async (
  calls: S3Calls,
  key: string,
  uploadId: string,
  signal?: AbortSignal,
): Promise<ListedParts> => {
  const what = `cannot list the parts of the unfinished upload of ${calls.uriOf(key)}`
  const byNumber = new Map<number, Part>()
  const unclear = new Map<number, number | undefined>()
  const been = new Set<string>()
  let marker: string | undefined
  let page: ListPartsCommandOutput
  do {
    const command = new ListPartsCommand({
      ...calls.object(key),
      UploadId: uploadId,
      ...(calls.pageSize === undefined ? {} : { MaxParts: calls.pageSize }),
      ...(marker === undefined ? {} : { PartNumberMarker: marker }),
    })
    const calling = { what, action: 's3:ListMultipartUploadParts', signal }
    page = await calls.run(calling, (client, how) => client.send(command, how))
    for (const listed of page.Parts ?? []) {
      const number = listed.PartNumber ?? 0
      const etag = unquoted(listed.ETag)
      const crc32 = crcFromBase64(listed.ChecksumCRC32)
      const modified = plausible(listed.LastModified, calls.now())
      const before = byNumber.get(number)
      if (number < 1 || (before !== undefined && (before.modified ?? 0) > (modified ?? 0))) continue
      if (before !== undefined && before.modified === modified && before.etag !== etag) unclear.set(number, modified)
      byNumber.set(number, {
        number,
        size: listed.Size ?? 0,
        ...(etag === undefined ? {} : { etag }),
        ...(crc32 === undefined ? {} : { crc32 }),
        ...(modified === undefined ? {} : { modified }),
      })
    }
    marker = page.IsTruncated === true ? (page.NextPartNumberMarker ?? '') : undefined
    if (marker !== undefined && (marker === '' || been.has(marker))) throw endless(what)
    if (marker !== undefined) been.add(marker)
  } while (marker !== undefined)
  const algorithm = page.ChecksumAlgorithm?.toUpperCase()
  return {
    parts: [...byNumber.values()]
      .filter((part) => !unclear.has(part.number) || unclear.get(part.number) !== part.modified)
      .sort((a, b) => a.number - b.number),
    // versitygw writes "null" for an upload without one.
    algorithm: algorithm === 'NULL' || algorithm === '' ? undefined : algorithm,
    type: page.ChecksumType,
  }
}
