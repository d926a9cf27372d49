import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'

/** What an XML answer says of one unfinished upload, whole, and its key as it is written there. */
const listed = /<Upload>.*?<Key>(.*?)<\/Key>.*?<\/Upload>/gs

/**
 * A real S3 store that answers ListMultipartUploads as MinIO does after a restart: only of the key that equals the prefix
 * (measured with MinIO 2026-02-12; `npm run test:minio` asks MinIO itself). All else passes as it is.
 */
export const keysOnlyProxy = async (
  endpoint: string,
): Promise<{ readonly url: string; readonly asked: readonly string[]; stop(): Promise<void> }> => {
  const upstream = new URL(endpoint)
  const asked: string[] = []
  const handle = (incoming: IncomingMessage, answer: ServerResponse): void => {
    const { method, url = '/', headers } = incoming
    const query = new URL(url, 'http://x').searchParams
    const list = method === 'GET' && query.has('uploads')
    const prefix = query.get('prefix') ?? ''
    if (list) asked.push(prefix)
    const options = { hostname: upstream.hostname, port: upstream.port, method, path: url, headers }
    const forward = request(options, async (reply) => {
      const pieces: Buffer[] = []
      for await (const piece of reply) pieces.push(piece as Buffer)
      const body = Buffer.concat(pieces)
      const { 'content-length': _, 'transfer-encoding': __, ...rest } = reply.headers
      const kept = list
        ? body.toString('utf8').replace(listed, (whole, key) => (decodeURIComponent(key) === prefix ? whole : ''))
        : body
      answer.writeHead(reply.statusCode ?? 502, { ...rest, server: 'MinIO' }).end(kept)
    })
    forward.on('error', () => incoming.socket.destroy())
    incoming.pipe(forward)
  }
  const server = createServer(handle)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}
