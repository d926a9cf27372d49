/**
 * A server in front of gcp-storage-emulator that answers as Google Cloud Storage does where the emulator does not, by the
 * provider's documentation: conditions on generations (412), pages of lists, cancelled sessions (499), refused
 * checksums (400), multipart uploads of the XML API, and logins. What it adds was never compared with the real service.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { crc32c } from '../src/crc32c.ts'
import { crcFromBase64 } from '../src/stores/wire-text.ts'

export interface GcsLikeProxy {
  readonly url: string
  /** Method, path and Content-Range of what came in, newest last. */
  readonly seen: readonly { readonly method: string; readonly url: string; readonly range: string | undefined }[]
  /** Unfinished uploads of the XML API. */
  uploads(): readonly { readonly bucket: string; readonly name: string; readonly id: string; readonly parts: number }[]
  stop(): Promise<void>
}

interface XmlUpload {
  readonly bucket: string
  readonly name: string
  readonly initiated: string
  readonly parts: Map<number, { readonly bytes: Buffer; readonly etag: string; readonly at: string }>
}

interface Condition {
  readonly bucket: string
  readonly name: string
  readonly generation: string
}

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

const reject = (response: ServerResponse, status: number, reason: string, message = reason): void => {
  response.writeHead(status, { 'content-type': 'application/json', date: new Date().toUTCString() })
  response.end(JSON.stringify({ error: { code: status, message, errors: [{ reason, message }] } }))
}

export const gcsLikeProxy = async (
  upstream: string,
  options: { readonly token?: string; readonly pageSize?: number } = {},
): Promise<GcsLikeProxy> => {
  const xml = new Map<string, XmlUpload>()
  const conditions = new Map<string, Condition>()
  const cancelled = new Set<string>()
  const seen: { method: string; url: string; range: string | undefined }[] = []

  const generationOf = async ({ bucket, name }: Pick<Condition, 'bucket' | 'name'>): Promise<string> => {
    const answer = await fetch(`${upstream}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`)
    const { generation = '0' } = answer.ok ? ((await answer.json()) as { generation?: string }) : {}
    return generation
  }
  const isMet = async (condition: Condition): Promise<boolean> =>
    (await generationOf(condition)) === condition.generation

  /** CRC-32C of what each session holds, and how much that is. */
  const sums = new Map<string, { bytes: number; sum: number }>()
  /** Counts in what came; true where it is the end, and the sum that came with it is another one. */
  const sumRefused = (session: string, request: IncomingMessage, body: Buffer): boolean => {
    const [, start = '0', total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(request.headers['content-range'] ?? '') ?? []
    if (total === undefined) return false
    const held = sums.get(session) ?? { bytes: 0, sum: 0 }
    const fresh = body.subarray(Math.max(0, held.bytes - Number(start)))
    const now = { bytes: held.bytes + fresh.length, sum: crc32c(fresh, held.sum) }
    sums.set(session, now)
    const told = /crc32c=([A-Za-z0-9+/=]+)/.exec(String(request.headers['x-goog-hash'] ?? ''))?.[1]
    return total !== '*' && told !== undefined && crcFromBase64(told) !== now.sum
  }

  const bucketIn = (url: URL): string => /\/b\/([^/]+)/.exec(url.pathname)?.[1] ?? ''

  /** The name of an object in the metadata that goes before its bytes. */
  const nameIn = (body: Buffer): string => {
    const text = body.subarray(0, 4096).toString('latin1')
    return JSON.parse(
      `"${/"name":\s*"((?:[^"\\]|\\.)*)"/.exec(Buffer.from(text, 'latin1').toString())?.[1] ?? ''}"`,
    ) as string
  }

  const forward = async (request: IncomingMessage, body: Buffer, response: ServerResponse): Promise<void> => {
    const headers = new Headers()
    for (const [name, value] of Object.entries(request.headers)) {
      if (
        value !== undefined &&
        !['host', 'connection', 'content-length', 'transfer-encoding', 'authorization'].includes(name)
      ) {
        headers.set(name, String(value))
      }
    }
    const { method = 'GET', url = '/' } = request
    const bodied = method !== 'GET' && method !== 'HEAD'
    const answer = await fetch(`${upstream}${url}`, {
      method,
      headers,
      redirect: 'manual',
      ...(bodied ? { body: new Uint8Array(body) } : {}),
    })
    const content = Buffer.from(await answer.arrayBuffer())
    const location = answer.headers.get('location')
    if (location !== null) {
      const at = new URL(location)
      const to = new URL(url, upstream)
      const generation = to.searchParams.get('ifGenerationMatch')
      const id = at.searchParams.get('upload_id')
      const name = to.searchParams.get('name') ?? (body.length > 0 ? nameIn(body) : '')
      if (id !== null && generation !== null) conditions.set(id, { bucket: bucketIn(to), name, generation })
    }
    const out: Record<string, string> = { date: new Date().toUTCString() }
    for (const name of ['content-type', 'range', 'content-range', 'x-goog-hash']) {
      const value = answer.headers.get(name)
      if (value !== null) out[name] = value
    }
    if (location !== null) out.location = location.replace(upstream, `http://${request.headers.host}`)
    response.writeHead(answer.status, out)
    response.end(content)
  }

  const page = async (url: URL, response: ServerResponse): Promise<boolean> => {
    const asked = Number(url.searchParams.get('maxResults') ?? 0)
    if (asked === 0) return false
    // A page may be shorter than it was asked for.
    const most = Math.min(asked, options.pageSize ?? asked)
    const all = new URL(url)
    all.searchParams.delete('maxResults')
    all.searchParams.delete('pageToken')
    const answer = await fetch(`${upstream}${all.pathname}${all.search}`)
    if (!answer.ok) return false
    const { items = [], ...rest } = (await answer.json()) as { items?: { name: string }[] }
    items.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
    const after = Buffer.from(url.searchParams.get('pageToken') ?? '', 'base64').toString()
    const left = items.filter(({ name }) => after === '' || Buffer.compare(Buffer.from(name), Buffer.from(after)) > 0)
    const taken = left.slice(0, most)
    const more = left.length > most ? { nextPageToken: Buffer.from(taken.at(-1)?.name ?? '').toString('base64') } : {}
    response.writeHead(200, { 'content-type': 'application/json', date: new Date().toUTCString() })
    response.end(JSON.stringify({ ...rest, items: taken, ...more }))
    return true
  }

  /** The XML API's part; false for what is none of it. */
  const xmlApi = async (
    url: URL,
    method: string,
    body: Buffer,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<boolean> => {
    const [, bucket = '', name = ''] = /^\/([^/]+)\/?(.*)$/.exec(decodeURIComponent(url.pathname)) ?? []
    const id = url.searchParams.get('uploadId')
    const answer = (status: number, text = '', headers: Record<string, string> = {}): true => {
      response.writeHead(status, { 'content-type': 'application/xml', date: new Date().toUTCString(), ...headers })
      response.end(text)
      return true
    }
    if (url.searchParams.has('uploads')) {
      if (method === 'POST') {
        const made = randomBytes(12).toString('hex')
        xml.set(made, { bucket, name, initiated: new Date().toISOString(), parts: new Map() })
        return answer(
          200,
          `<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>${bucket}</Bucket><Key>${escaped(name)}</Key><UploadId>${made}</UploadId></InitiateMultipartUploadResult>`,
        )
      }
      const prefix = url.searchParams.get('prefix') ?? ''
      const listed = [...xml].filter(([, upload]) => upload.bucket === bucket && upload.name.startsWith(prefix))
      const uploads = listed.map(
        ([each, upload]) =>
          `<Upload><Key>${escaped(upload.name)}</Key><UploadId>${each}</UploadId><Initiated>${upload.initiated}</Initiated></Upload>`,
      )
      return answer(
        200,
        `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${uploads.join('')}</ListMultipartUploadsResult>`,
      )
    }
    if (id === null) return false
    const upload = xml.get(id)
    if (upload === undefined) return answer(404, '<Error><Code>NoSuchUpload</Code></Error>')
    const number = url.searchParams.get('partNumber')
    if (method === 'PUT' && number !== null) {
      const md5 = createHash('md5').update(body).digest()
      const told = request.headers['content-md5']
      if (told !== undefined && told !== md5.toString('base64'))
        return answer(400, '<Error><Code>BadDigest</Code></Error>')
      upload.parts.set(Number(number), { bytes: body, etag: md5.toString('hex'), at: new Date().toISOString() })
      return answer(200, '', { etag: `"${md5.toString('hex')}"` })
    }
    if (method === 'GET') {
      const parts = [...upload.parts].sort(([a], [b]) => a - b)
      const rows = parts.map(
        ([n, part]) =>
          `<Part><PartNumber>${n}</PartNumber><LastModified>${part.at}</LastModified><ETag>"${part.etag}"</ETag><Size>${part.bytes.length}</Size></Part>`,
      )
      return answer(200, `<ListPartsResult><IsTruncated>false</IsTruncated>${rows.join('')}</ListPartsResult>`)
    }
    if (method === 'DELETE') {
      xml.delete(id)
      return answer(204)
    }
    const generation = request.headers['x-goog-if-generation-match']
    if (typeof generation === 'string' && !(await isMet({ bucket, name, generation }))) {
      return answer(412, '<Error><Code>PreconditionFailed</Code></Error>')
    }
    const numbers = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map(([, n]) => Number(n))
    const whole = Buffer.concat(numbers.map((n) => upload.parts.get(n)?.bytes ?? Buffer.alloc(0)))
    const query = new URLSearchParams({ uploadType: 'media', name })
    await fetch(`${upstream}/upload/storage/v1/b/${bucket}/o?${query}`, {
      method: 'POST',
      body: new Uint8Array(whole),
      headers: { 'content-type': 'application/octet-stream' },
    })
    xml.delete(id)
    return answer(200, '<CompleteMultipartUploadResult></CompleteMultipartUploadResult>')
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url: path = '/' } = request
    const range = request.headers['content-range']
    seen.push({ method, url: path, range })
    const body = await bodyOf(request)
    const url = new URL(path, upstream)
    const session = url.searchParams.get('upload_id')
    if (
      options.token !== undefined &&
      session === null &&
      request.headers.authorization !== `Bearer ${options.token}`
    ) {
      reject(response, 401, 'authError', 'Invalid Credentials')
      return
    }
    if (session !== null && (cancelled.has(session) || method === 'DELETE')) {
      cancelled.add(session)
      response.writeHead(499, { date: new Date().toUTCString() })
      response.end()
      return
    }
    const generation = url.searchParams.get('ifGenerationMatch')
    const condition =
      session !== null
        ? /\/\d+$/.test(range ?? '') && conditions.get(session)
        : generation !== null && url.searchParams.get('uploadType') === 'multipart'
          ? { bucket: bucketIn(url), name: nameIn(body), generation }
          : undefined
    if (condition && !(await isMet(condition))) {
      reject(response, 412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.')
      return
    }
    if (session !== null && sumRefused(session, request, body)) {
      cancelled.add(session)
      reject(response, 400, 'invalid', "Provided CRC32C doesn't match calculated CRC32C.")
      return
    }
    if (method === 'GET' && /\/b\/[^/]+\/o$/.test(url.pathname) && (await page(url, response))) return
    if (
      !/^\/(?:upload|download|storage|batch|b)(?:\/|$)/.test(url.pathname) &&
      (await xmlApi(url, method, body, request, response))
    )
      return
    await forward(request, body, response)
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  // A client of the tests must not meet a connection that is closed as it is used again.
  server.keepAliveTimeout = 600_000
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    uploads: () => [...xml].map(([id, { bucket, name, parts }]) => ({ bucket, id, name, parts: parts.size })),
    stop: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}
