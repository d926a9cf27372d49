import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/**
 * A sink with the face of an S3 store: answers with true ETags and throws the bytes away, for uploads that no disk here
 * would hold. It runs in a process of its own, so that its memory is not taken for the sender's, and tells on standard output:
 * `{"port"}` first, then `{"parts", "bytes"}` four times a second, of what it has acknowledged.
 */

interface Upload {
  readonly key: string
  readonly parts: Map<number, { readonly md5: string; readonly size: number }>
}

const uploads = new Map<string, Upload>()
const objects = new Map<string, { readonly etag: string; readonly size: number }>()
let parts = 0
let bytes = 0
let made = 0

const swallow = async (request: IncomingMessage): Promise<{ md5: string; size: number }> => {
  const hash = createHash('md5')
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    hash.update(chunk)
    size += chunk.length
  }
  return { md5: hash.digest('hex'), size }
}

const xml = (answer: ServerResponse, root: string, inside: string): void => {
  answer.writeHead(200, { 'content-type': 'application/xml' })
  answer.end(`<?xml version="1.0" encoding="UTF-8"?><${root}>${inside}</${root}>`)
}

const refuse = (answer: ServerResponse, status: number, code: string): void => {
  answer.writeHead(status, { 'content-type': 'application/xml' })
  answer.end(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`)
}

const listUploads = (answer: ServerResponse, prefix: string): void => {
  const listed = [...uploads]
    .filter(([, { key }]) => key.startsWith(prefix))
    .map(([id, { key }]) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId></Upload>`)
  xml(answer, 'ListMultipartUploadsResult', `<IsTruncated>false</IsTruncated>${listed.join('')}`)
}

const listParts = (answer: ServerResponse, { parts: held }: Upload, after: number): void => {
  const numbers = [...held.keys()].sort((a, b) => a - b).filter((number) => number > after)
  const page = numbers.slice(0, 1000)
  const listed = page.map((number) => {
    const { md5, size } = held.get(number) ?? { md5: '', size: 0 }
    return `<Part><PartNumber>${number}</PartNumber><ETag>"${md5}"</ETag><Size>${size}</Size></Part>`
  })
  const more = numbers.length > page.length
  const next = more ? `<NextPartNumberMarker>${page.at(-1)}</NextPartNumberMarker>` : ''
  xml(answer, 'ListPartsResult', `<IsTruncated>${more}</IsTruncated>${next}${listed.join('')}`)
}

const complete = (answer: ServerResponse, id: string, upload: Upload): void => {
  const hash = createHash('md5')
  const sorted = [...upload.parts].sort(([a], [b]) => a - b)
  for (const [, { md5 }] of sorted) hash.update(Buffer.from(md5, 'hex'))
  const etag = `${hash.digest('hex')}-${sorted.length}`
  objects.set(upload.key, { etag, size: sorted.reduce((sum, [, { size }]) => sum + size, 0) })
  uploads.delete(id)
  xml(answer, 'CompleteMultipartUploadResult', `<ETag>"${etag}"</ETag>`)
}

const handle = async (request: IncomingMessage, answer: ServerResponse): Promise<void> => {
  const url = new URL(request.url ?? '/', 'http://sink')
  const key = decodeURIComponent(url.pathname.split('/').slice(2).join('/'))
  const query = url.searchParams
  const id = query.get('uploadId') ?? ''
  const upload = uploads.get(id)
  if (request.method === 'PUT') {
    const { md5, size } = await swallow(request)
    if (id !== '' && upload === undefined) return refuse(answer, 404, 'NoSuchUpload')
    if (upload !== undefined) {
      upload.parts.set(Number(query.get('partNumber')), { md5, size })
      parts += 1
    } else objects.set(key, { etag: md5, size })
    bytes += size
    const crc = request.headers['x-amz-checksum-crc32']
    answer.writeHead(200, { etag: `"${md5}"`, ...(crc === undefined ? {} : { 'x-amz-checksum-crc32': crc }) }).end()
    return
  }
  await swallow(request)
  if (request.method === 'POST' && query.has('uploads')) {
    made += 1
    uploads.set(`upload-${made}`, { key, parts: new Map() })
    return xml(answer, 'InitiateMultipartUploadResult', `<UploadId>upload-${made}</UploadId>`)
  }
  if (request.method === 'POST')
    return upload === undefined ? refuse(answer, 404, 'NoSuchUpload') : complete(answer, id, upload)
  if (request.method === 'DELETE') {
    uploads.delete(id)
    answer.writeHead(204).end()
    return
  }
  if (query.has('uploads')) return listUploads(answer, query.get('prefix') ?? '')
  if (id !== '') {
    const after = Number(query.get('part-number-marker') ?? 0)
    return upload === undefined ? refuse(answer, 404, 'NoSuchUpload') : listParts(answer, upload, after)
  }
  // It has nothing to list: what was thrown away cannot be looked at.
  if (query.has('list-type')) return xml(answer, 'ListBucketResult', '<IsTruncated>false</IsTruncated>')
  const object = objects.get(key)
  if (object === undefined) return refuse(answer, 404, 'NoSuchKey')
  answer.writeHead(200, { etag: `"${object.etag}"`, 'content-length': object.size }).end()
}

const server = createServer((request, answer) => {
  // It lists uploads by any prefix, as the server of this name does.
  answer.setHeader('server', 'VERSITYGW')
  handle(request, answer).catch(() => request.socket.destroy())
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  console.log(JSON.stringify({ port: typeof address === 'object' ? address?.port : 0 }))
})
setInterval(() => console.log(JSON.stringify({ parts, bytes })), 250)
