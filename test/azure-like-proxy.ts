/**
 * A server in front of Azurite that answers as Azure Blob Storage does by its documentation where Azurite does not: a DELETE
 * finds no blob where there are uncommitted blocks alone, and a container may be under a legal hold, which Azurite has not.
 * What it adds was never compared with the real service.
 */
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface AzureLikeProxy {
  readonly url: string
  /** The container says that it is under a legal hold. */
  legalHold: boolean
  /** Questions for the container are refused, as to a signature for blobs alone. */
  containerRefused: boolean
  /** Removing blobs is refused. */
  deleteRefused: boolean
  /** Method, path and status of what was answered. */
  readonly seen: readonly string[]
  stop(): Promise<void>
}

const ask = (
  upstream: URL,
  method: string,
  path: string,
  headers: IncomingHttpHeaders,
  body: Buffer,
): Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }> =>
  new Promise((done, failed) => {
    const forward = request(
      { hostname: upstream.hostname, port: upstream.port, method, path, headers },
      async (reply) => {
        const pieces: Buffer[] = []
        for await (const piece of reply) pieces.push(piece as Buffer)
        done({ status: reply.statusCode ?? 502, headers: reply.headers, body: Buffer.concat(pieces) })
      },
    )
    forward.on('error', failed)
    forward.end(body)
  })

export const azureLikeProxy = async (endpoint: string): Promise<AzureLikeProxy> => {
  const upstream = new URL(endpoint)
  const committed = new Set<string>()
  const seen: string[] = []
  const server = createServer(async (incoming, answer) => {
    const { method = 'GET', url: path = '/' } = incoming
    const pieces: Buffer[] = []
    for await (const piece of incoming) pieces.push(piece as Buffer)
    const query = new URL(path, 'http://x').searchParams
    const name = path.split('?')[0] ?? ''
    const refuse = (status: number, code: string) => {
      seen.push(`${method} ${path} ${status}`)
      answer.writeHead(status, { 'x-ms-error-code': code, 'content-type': 'application/xml' })
      answer.end(method === 'HEAD' ? undefined : `<Error><Code>${code}</Code><Message>${code}</Message></Error>`)
    }
    const forContainer = query.get('restype') === 'container' && query.get('comp') === null
    if (method === 'DELETE' && proxy.deleteRefused) return refuse(403, 'AuthorizationPermissionMismatch')
    if (forContainer && proxy.containerRefused) return refuse(403, 'AuthorizationPermissionMismatch')
    if (method === 'DELETE' && !committed.has(name)) return refuse(404, 'BlobNotFound')
    const reply = await ask(upstream, method, path, incoming.headers, Buffer.concat(pieces))
    if (method === 'PUT' && reply.status === 201 && query.get('comp') !== 'block') committed.add(name)
    if (method === 'DELETE' && reply.status === 202) committed.delete(name)
    seen.push(`${method} ${path} ${reply.status}`)
    const held = forContainer && proxy.legalHold ? { 'x-ms-has-legal-hold': 'true' } : {}
    answer.writeHead(reply.status, { ...reply.headers, ...held })
    answer.end(reply.body)
  })
  // A client of the tests must not meet a connection that is closed as it is used again.
  server.keepAliveTimeout = 600_000
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const proxy: AzureLikeProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    legalHold: false,
    containerRefused: false,
    deleteRefused: false,
    seen,
    stop: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
  return proxy
}
