import { createHash } from 'node:crypto'
import { Trouble } from '../errors.ts'
import type { GcsConnection, GcsRequest } from './gcs-client.ts'
import { requireCrc32 } from './part-check.ts'
import type { Part, UnfinishedUpload } from './store.ts'
import { unquoted } from './wire-text.ts'

/**
 * Multipart uploads of the XML API (cloud.google.com/storage/docs/multipart-uploads): what MLflow's server begins when it
 * signs parts, and what it leaves behind when the client dies. Seen against no real server by this project's tests.
 */
export interface XmlUploads {
  /** Below a beginning of names, or of exactly one name. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<UnfinishedUpload & { readonly name: string }>
  parts(name: string, id: string, signal?: AbortSignal): Promise<readonly Part[]>
  send(name: string, id: string, number: number, bytes: Uint8Array, crc32: number, signal?: AbortSignal): Promise<Part>
  /** `generation` of the object that it may replace, `0` for none. Throws `conflict` where another one is there. */
  complete(name: string, id: string, parts: readonly Part[], generation: string, signal?: AbortSignal): Promise<void>
  /** One that is gone is no error. */
  abort(name: string, id: string, signal?: AbortSignal): Promise<void>
}

/** Bytes of a page of a list; 1,000 entries with names of 1 KiB take less. */
const mostXml = 8 * 1024 * 1024
const mostPages = 10_000

const plain = (text: string): string =>
  text
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replace(/&#x([0-9a-f]+);/gi, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&')

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

const elements = (xml: string, tag: string): string[] =>
  [...xml.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, 'g'))].map(([, inner = '']) => inner)

const textOf = (xml: string, tag: string): string | undefined => {
  const [inner] = elements(xml, tag)
  return inner === undefined ? undefined : plain(inner)
}

const encoded = (name: string): string => name.split('/').map(encodeURIComponent).join('/')

export const xmlUploads = (connection: Pick<GcsConnection, 'call'>, bucket: string): XmlUploads => {
  const uriOf = (name: string): string => `gs://${bucket}/${name}`
  const call = async (request: GcsRequest): Promise<string> => {
    const answer = await connection.call(request)
    return Buffer.from(await answer.read(mostXml)).toString()
  }
  const at = (name: string, query: Readonly<Record<string, string>>): string =>
    `/${bucket}/${encoded(name)}?${new URLSearchParams(query)}`

  return {
    async *list(prefix, signal) {
      const what = `cannot list the unfinished uploads of ${uriOf(prefix)}`
      let markers: Record<string, string> = {}
      for (let page = 0; page < mostPages; page += 1) {
        const query = new URLSearchParams({ prefix, ...markers })
        const request = { method: 'GET', url: `/${bucket}?uploads&${query}`, what, signal } as const
        const xml = await call({ ...request, action: 'storage.multipartUploads.list' })
        if (!/<ListMultipartUploadsResult/.test(xml)) {
          const why = 'the store does not know multipart uploads'
          throw new Trouble({ kind: 'unsupported', what, why, todo: 'Look with the tools of the store itself' })
        }
        for (const upload of elements(xml, 'Upload')) {
          const name = textOf(upload, 'Key')
          const id = textOf(upload, 'UploadId')
          const initiated = Date.parse(textOf(upload, 'Initiated') ?? '')
          if (name === undefined || id === undefined) continue
          yield { path: name, name, id, ...(Number.isNaN(initiated) ? {} : { initiated }) }
        }
        const next = textOf(xml, 'NextKeyMarker')
        if (textOf(xml, 'IsTruncated') !== 'true' || next === undefined) return
        markers = { 'key-marker': next, 'upload-id-marker': textOf(xml, 'NextUploadIdMarker') ?? '' }
      }
    },
    async parts(name, id, signal) {
      const what = `cannot list the parts of ${uriOf(name)}`
      const found: Part[] = []
      let marker = ''
      for (let page = 0; page < mostPages; page += 1) {
        const url = at(name, { uploadId: id, ...(marker === '' ? {} : { 'part-number-marker': marker }) })
        const xml = await call({ method: 'GET', url, what, action: 'storage.multipartUploads.listParts', signal })
        for (const part of elements(xml, 'Part')) {
          const etag = unquoted(textOf(part, 'ETag'))
          const modified = Date.parse(textOf(part, 'LastModified') ?? '')
          found.push({
            number: Number(textOf(part, 'PartNumber')),
            size: Number(textOf(part, 'Size')),
            ...(etag === undefined ? {} : { etag }),
            ...(Number.isNaN(modified) ? {} : { modified }),
          })
        }
        marker = textOf(xml, 'NextPartNumberMarker') ?? ''
        if (textOf(xml, 'IsTruncated') !== 'true' || marker === '') return found
      }
      return found
    },
    async send(name, id, number, bytes, crc32, signal) {
      const what = `cannot send part ${number} of ${uriOf(name)}`
      requireCrc32(what, bytes, crc32)
      const md5 = createHash('md5').update(bytes).digest()
      const answer = await connection.call({
        ...{ method: 'PUT', url: at(name, { partNumber: String(number), uploadId: id }), what, body: bytes, signal },
        action: 'storage.multipartUploads.create',
        headers: { 'content-length': String(bytes.length), 'content-md5': md5.toString('base64') },
      })
      await answer.done()
      return { number, size: bytes.length, crc32, etag: unquoted(answer.header('etag')) ?? md5.toString('hex') }
    },
    async complete(name, id, parts, generation, signal) {
      const listed = parts
        .toSorted((a, b) => a.number - b.number)
        .map(
          ({ number, etag = '' }) => `<Part><PartNumber>${number}</PartNumber><ETag>"${escaped(etag)}"</ETag></Part>`,
        )
      const answer = await call({
        ...{ method: 'POST', url: at(name, { uploadId: id }), signal, what: `cannot complete ${uriOf(name)}` },
        action: 'storage.multipartUploads.create',
        headers: { 'content-type': 'application/xml', 'x-goog-if-generation-match': generation },
        body: `<CompleteMultipartUpload>${listed.join('')}</CompleteMultipartUpload>`,
      })
      // As with S3, the status may be good and the body an error.
      const code = textOf(answer, 'Code')
      if (code === undefined) return
      throw new Trouble({
        kind: code === 'PreconditionFailed' ? 'conflict' : 'unavailable',
        what: `cannot complete ${uriOf(name)}`,
        why: `the store answered ${/^[A-Za-z]{1,60}$/.test(code) ? code : 'with an error'}`,
        todo: 'Try again',
      })
    },
    async abort(name, id, signal) {
      const answer = await connection.call({
        ...{ method: 'DELETE', url: at(name, { uploadId: id }), what: `cannot abort the upload of ${uriOf(name)}` },
        ...{ action: 'storage.multipartUploads.abort', signal, also: [404] },
      })
      await answer.done()
    },
  }
}
