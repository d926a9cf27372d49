import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { readBlockId } from '../src/stores/azure-block-id.ts'

/** One request to a store, as seen on the way. */
export interface Seen {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** `part`, `complete`, `create`, or the method of anything else. */
  readonly call: string
  readonly part: number | undefined
  /** Which upload it belongs to, where it shows. */
  readonly upload: string | undefined
  /** The store's answer; undefined while it has not come. */
  status: number | undefined
  /** Of the body, as far as it came. */
  bytes: number
}

/** What may be done to a request: nothing, one bit of its body flipped, its answer kept back, the connection cut, or a refusal in the store's place: 403, 413, 500, or 503 with Retry-After. */
type Meddling = 'pass' | 'too-large' | 'flip' | 'lose-answer' | 'cut' | 'deny' | 'broken' | 'busy'

interface Refusal {
  readonly status: number
  readonly code: string
  readonly headers?: Readonly<Record<string, string>>
}
const refusals: Readonly<Partial<Record<Meddling, Refusal>>> = {
  'too-large': { status: 413, code: 'EntityTooLarge' },
  deny: { status: 403, code: 'AccessDenied' },
  broken: { status: 500, code: 'InternalError' },
  busy: { status: 503, code: 'SlowDown', headers: { 'retry-after': '1' } },
}

export interface WatchingProxy {
  readonly url: string
  readonly seen: readonly Seen[]
  /** Asked for each request, which waits for the answer. */
  meddle: (seen: Seen) => Meddling | Promise<Meddling>
  /** Called with the store's answer in hand, which waits for it; `lose` cuts the connection in its place. */
  answered: (seen: Seen) => 'deliver' | 'lose' | Promise<'deliver' | 'lose'>
  /** Each part is held back until this resolves. */
  beforePart: () => Promise<unknown>
  /** Resolves when no request is under way at the store. */
  idle(): Promise<void>
  stop(): Promise<void>
}

type Call = Pick<Seen, 'call' | 'part' | 'upload'>

const s3Call = (method: string, query: URLSearchParams): Call => {
  const part = query.get('partNumber')
  const upload = query.get('uploadId') ?? undefined
  if (method === 'PUT' && part !== null) return { call: 'part', part: Number(part), upload }
  if (method === 'POST' && query.has('uploads')) return { call: 'create', part: undefined, upload }
  if (method === 'POST' && upload !== undefined) return { call: 'complete', part: undefined, upload }
  return { call: method, part: undefined, upload }
}

/** An upload is begun without a request there: its blocks' ids say where they belong. */
const azureCall = (method: string, query: URLSearchParams): Call => {
  const own = readBlockId(query.get('blockid') ?? '')
  const upload = own?.upload
  if (method === 'PUT' && query.get('comp') === 'block') return { call: 'part', part: own?.part, upload }
  if (method === 'PUT' && query.get('comp') === 'blocklist') return { call: 'complete', part: undefined, upload }
  return { call: method, part: undefined, upload }
}

/** Parts are counted by the chunks that this tool sends, `partSize` bytes each. */
const gcsCall = (method: string, query: URLSearchParams, range: string, partSize: number): Call => {
  const upload = query.get('upload_id') ?? undefined
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range) ?? []
  if (start !== undefined && total === '*')
    return { call: 'part', part: Math.floor(Number(start) / partSize) + 1, upload }
  if (start !== undefined) return { call: 'complete', part: undefined, upload }
  if (method === 'POST' && query.get('uploadType') === 'resumable') return { call: 'create', part: undefined, upload }
  return { call: method === 'POST' ? 'PUT' : method, part: undefined, upload }
}

/** What is spoken to the store; of Google's API, with the bytes of a part. */
export type Dialect = 's3' | 'azure' | { readonly gcs: number }

const callOf = (incoming: IncomingMessage, dialect: Dialect): Call => {
  const query = new URL(incoming.url ?? '/', 'http://x').searchParams
  const method = incoming.method ?? ''
  if (dialect === 's3') return s3Call(method, query)
  if (dialect === 'azure') return azureCall(method, query)
  return gcsCall(method, query, incoming.headers['content-range'] ?? '', dialect.gcs)
}

/** Forwards to a store on 127.0.0.1 and notes what the store answered, also when the client is gone by then. */
export const watchingProxy = async (endpoint: string, dialect: Dialect = 's3'): Promise<WatchingProxy> => {
  const upstream = new URL(endpoint)
  const seen: Seen[] = []
  const sockets = new Set<Socket>()
  let underWay = 0
  let idlers: (() => void)[] = []
  const settle = (): void => {
    underWay -= 1
    if (underWay > 0) return
    for (const idler of idlers) idler()
    idlers = []
  }

  const handle = async (incoming: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const note: Seen = {
      method: incoming.method ?? '',
      url: incoming.url ?? '',
      headers: incoming.headers,
      ...callOf(incoming, dialect),
      status: undefined,
      bytes: 0,
    }
    seen.push(note)
    const meddling = await proxy.meddle(note)
    const chunks: Buffer[] = []
    // A client that dies in mid-body never reaches the store.
    for await (const chunk of incoming) {
      chunks.push(chunk as Buffer)
      note.bytes += (chunk as Buffer).length
    }
    const body = Buffer.concat(chunks)
    if (meddling === 'cut') {
      incoming.socket.destroy()
      return
    }
    const refusal = refusals[meddling]
    if (refusal !== undefined) {
      note.status = refusal.status
      answer.writeHead(refusal.status, { 'content-type': 'application/xml', ...refusal.headers })
      answer.end(`<Error><Code>${refusal.code}</Code><Message>${refusal.code}</Message></Error>`)
      return
    }
    if (meddling === 'flip') body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1
    if (note.call === 'part') await proxy.beforePart()
    underWay += 1
    await new Promise<void>((done) => {
      const { hostname, port } = upstream
      const { method, url: path, headers } = incoming
      const forward = request({ hostname, port, method, path, headers }, (reply) => {
        note.status = reply.statusCode
        const parts: Buffer[] = []
        reply.on('data', (chunk: Buffer) => parts.push(chunk))
        reply.on('end', async () => {
          const fate = meddling === 'lose-answer' ? 'lose' : await proxy.answered(note)
          if (fate === 'lose') incoming.socket.destroy()
          else answer.writeHead(reply.statusCode ?? 502, reply.headers).end(Buffer.concat(parts))
          done()
        })
        reply.on('error', () => done())
      })
      forward.on('error', () => {
        incoming.socket.destroy()
        done()
      })
      forward.end(body)
    })
    settle()
  }

  const server = createServer((incoming, answer) => {
    handle(incoming, answer).catch(() => incoming.socket.destroy())
  })
  // 100-continue is answered here, so that bodies always come.
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  const proxy: WatchingProxy = {
    url: `http://127.0.0.1:${address.port}`,
    seen,
    meddle: () => 'pass',
    answered: () => 'deliver',
    beforePart: () => Promise.resolve(),
    idle: () => (underWay === 0 ? Promise.resolve() : new Promise((done) => idlers.push(done))),
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
  return proxy
}
