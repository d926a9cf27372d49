import { createServer, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { CompleteMultipartUploadCommand, type S3Client } from '@aws-sdk/client-s3'

export interface KmsLikeProxy {
  readonly url: string
  stop(): Promise<void>
}

/** Other 32 hex digits, and the same way back. */
const strange = (text: string): string =>
  text.replace(/(?<="|&quot;|&#34;|<ETag>)[0-9a-f]{32}(?=-|"|&quot;|&#34;|<)/g, (hex) => [...hex].reverse().join(''))

const strangeHeaders = (headers: IncomingHttpHeaders, isLook: boolean): IncomingHttpHeaders => {
  const kept = Object.entries(headers).filter(([name]) => !isLook || !name.startsWith('x-amz-checksum-'))
  return { ...Object.fromEntries(kept), ...(headers.etag === undefined ? {} : { etag: strange(headers.etag) }) }
}

const bodyOf = async (message: IncomingMessage): Promise<Buffer> => Buffer.concat(await Array.fromAsync(message))

/**
 * What is seen of a bucket under SSE-KMS or SSE-C, which no server here has: ETags of 32 hex digits that are the MD5 of
 * nothing (docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html), and no checksum of the whole, as of objects that were
 * sent without one. The completion is asked for anew with the store's own ETags, since the client signed its own.
 */
export const kmsLikeProxy = async (endpoint: string, sdk: S3Client): Promise<KmsLikeProxy> => {
  const { hostname, port } = new URL(endpoint)
  const complete = async (url: URL, body: string): Promise<string> => {
    const [, Bucket = '', ...key] = url.pathname.split('/').map(decodeURIComponent)
    const parts = [...strange(body).matchAll(/<Part>.*?<\/Part>/gs)].map(([part]) => ({
      PartNumber: Number(/<PartNumber>(\d+)/.exec(part)?.[1]),
      ETag: /<ETag>(?:"|&quot;|&#34;)?([0-9a-f]{32})/.exec(part)?.[1],
      ChecksumCRC32: /<ChecksumCRC32>([^<]+)/.exec(part)?.[1],
    }))
    const [Key, UploadId] = [key.join('/'), url.searchParams.get('uploadId') ?? '']
    await sdk.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: parts } }))
    return `<CompleteMultipartUploadResult><Bucket>${Bucket}</Bucket><Key>${Key}</Key></CompleteMultipartUploadResult>`
  }
  const server = createServer(async (incoming, answer) => {
    const body = await bodyOf(incoming).catch(() => undefined)
    if (body === undefined) return
    const url = new URL(incoming.url ?? '/', endpoint)
    const { method, headers } = incoming
    if (method === 'POST' && url.searchParams.has('uploadId')) {
      const said = await complete(url, body.toString()).catch((error: Error) => error)
      if (typeof said === 'string') answer.writeHead(200, { 'content-type': 'application/xml' }).end(said)
      else answer.writeHead(500).end(`<Error><Code>InternalError</Code><Message>${said.message}</Message></Error>`)
      return
    }
    const forward = request({ hostname, port, method, path: incoming.url, headers }, async (reply) => {
      const said = await bodyOf(reply).catch(() => Buffer.alloc(0))
      const isText = String(reply.headers['content-type']).includes('xml')
      const shown = isText ? strange(said.toString()) : said
      const { 'content-length': length, ...others } = strangeHeaders(reply.headers, method === 'HEAD')
      answer.writeHead(reply.statusCode ?? 502, {
        ...others,
        'content-length': method === 'HEAD' ? length : Buffer.byteLength(shown),
      })
      answer.end(shown)
    })
    forward.on('error', () => incoming.socket.destroy())
    forward.end(body)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    async stop() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}
