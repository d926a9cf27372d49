import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { crc32 } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import type { Store } from '../../src/stores/store.ts'
import { crcToBase64 } from '../../src/stores/wire-text.ts'
import { openS3 } from './s3-settings.ts'

interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}
type Answer = [status: number, headers: Record<string, string>, body: string]

let server: Server
let store: Store
const asked: Asked[] = []
afterEach(async () => {
  await store.close()
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
})

/** A stand-in for stores that cannot be had here; records what it is asked. */
const openStandIn = async (answer: (request: Asked) => Answer): Promise<Store> => {
  asked.length = 0
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { method = '', url = '', headers } = request
    const seen = { method, url, headers, body: Buffer.concat(chunks) }
    asked.push(seen)
    const [status, fields, body] = answer(seen)
    response.writeHead(status, fields).end(body)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const env = { MLFLOW_S3_ENDPOINT_URL: endpoint, AWS_ACCESS_KEY_ID: 'planted-id', AWS_SECRET_ACCESS_KEY: 'planted' }
  store = await openS3(env, 's3://bucket/root')
  return store
}
const begun: Answer = [
  200,
  {},
  '<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>',
]
const refused = (status: number, code: string): Answer => [status, {}, `<Error><Code>${code}</Code></Error>`]
const bytes = Buffer.from('a part')
const plan = { sourceSize: 6, partSize: 6 }
const parts = () => asked.filter(({ method }) => method === 'PUT')

describe('with a stand-in for a store that is not here', () => {
  test('a part goes out once, unhashed, with its CRC32 in a signed header', async () => {
    await openStandIn(({ method, headers }) =>
      method === 'POST'
        ? begun
        : [200, { etag: '"e"', 'x-amz-checksum-crc32': String(headers['x-amz-checksum-crc32']) }, ''],
    )
    const upload = await store.openUpload('f', plan)
    expect(await upload.send(1, bytes, crc32(bytes))).toEqual({ number: 1, size: 6, etag: 'e', crc32: crc32(bytes) })
    const [part] = parts()
    expect(parts()).toHaveLength(1)
    expect(part?.body).toEqual(bytes)
    expect(part?.headers).toMatchObject({
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      'x-amz-checksum-crc32': crcToBase64(crc32(bytes)),
      'content-length': '6',
    })
    expect(part?.headers.authorization).toContain('x-amz-checksum-crc32')
    expect(part?.headers['content-encoding']).toBeUndefined()
  })

  test('a part that fails is not sent again by the SDK: when to do that is for the engine', async () => {
    await openStandIn(({ method }) => (method === 'POST' ? begun : refused(503, 'SlowDown')))
    const upload = await store.openUpload('f', plan)
    await expect(upload.send(1, bytes, crc32(bytes))).rejects.toMatchObject({ kind: 'unavailable' })
    expect(parts()).toHaveLength(1)
  })

  test('a store that does not confirm the CRC32 is sent an MD5, from then on at once', async () => {
    await openStandIn(({ method }) => (method === 'POST' ? begun : [200, { etag: '"e"' }, '']))
    const upload = await store.openUpload('f', { sourceSize: 12, partSize: 6 })
    await upload.send(1, bytes, crc32(bytes))
    await upload.send(2, bytes, crc32(bytes))
    const md5 = createHash('md5').update(bytes).digest('base64')
    expect(parts().map(({ headers }) => headers['content-md5'])).toEqual([undefined, md5, md5])
  })

  test('a store that refuses checksums is begun without, and remembered', async () => {
    await openStandIn(({ method, headers }) => {
      if (method !== 'POST') return [200, { etag: '"e"' }, '']
      return headers['x-amz-checksum-algorithm'] === undefined ? begun : refused(501, 'NotImplemented')
    })
    await (await store.openUpload('f', plan)).send(1, bytes, crc32(bytes))
    await store.openUpload('g', plan)
    const begins = asked.filter(({ method }) => method === 'POST')
    expect(begins.map(({ headers }) => headers['x-amz-checksum-algorithm'])).toEqual(['CRC32', undefined, undefined])
    expect(parts().map(({ headers }) => headers['content-md5'])).toHaveLength(1)
  })

  test.each([
    [403, 'SignatureDoesNotMatch'],
    [403, 'AccessDenied'],
    [401, 'Unauthorized'],
    [501, 'NotImplemented'],
  ])('a checksum that is answered with %d %s is refused', async (status, code) => {
    await openStandIn(({ method, headers }) =>
      method === 'POST'
        ? begun
        : headers['x-amz-checksum-sha256'] === undefined
          ? [200, { etag: '"e"' }, '']
          : refused(status, code),
    )
    const probe = await store.bucket?.openProbe('f', 'sha256-header')
    expect(await probe?.tryPart('sha256-header')).toMatchObject({ accepted: false, why: expect.stringContaining(code) })
    expect(await probe?.tryPart('none')).toEqual({ mode: 'none', accepted: true })
  })

  test('a store that is busy for a moment refuses no checksum', async () => {
    let busy = 2
    await openStandIn(({ method }) => {
      if (method === 'POST') return begun
      busy -= 1
      return busy >= 0 ? refused(503, 'SlowDown') : [200, { etag: '"e"' }, '']
    })
    const probe = await store.bucket?.openProbe('f', 'crc32-trailer')
    expect(await probe?.tryPart('crc32-trailer')).toMatchObject({ accepted: true })
  })

  test('a full store and a store that ignores ranges are told as such', async () => {
    await openStandIn(({ method }) =>
      method === 'GET' ? [200, { 'content-length': '100' }, 'x'.repeat(100)] : refused(507, 'XMinioStorageFull'),
    )
    await expect(store.openUpload('f', plan)).rejects.toMatchObject({ kind: 'full' })
    await expect(store.read('f', 10, 5)).rejects.toMatchObject({ kind: 'unsupported' })
    await expect(store.read('f', 0, 5)).rejects.toMatchObject({ kind: 'unsupported' })
  })

  test('a list of uploads that never ends is told, not followed for ever', async () => {
    const page =
      '<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker></ListMultipartUploadsResult>'
    await openStandIn(() => [200, {}, page])
    await expect(Array.fromAsync(store.unfinished())).rejects.toMatchObject({ kind: 'unexpected-answer' })
    expect(asked.length).toBeLessThan(5)
  })

  test('a web page in place of S3 is told as such', async () => {
    await openStandIn(() => [200, { 'content-type': 'text/html' }, '<html><body>Please log in<br></body></html>'])
    const listed = await Array.fromAsync(store.list()).catch((error: unknown) => error)
    expect(listed).toMatchObject({ kind: 'unexpected-answer' })
  })
})
