import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterAll, expect, test as one, vi } from 'vitest'
import { paced } from '../../src/probes/paced.ts'

/** Servers inside this process that end requests on demand; the real ones are in paced.lab.test.ts. */
interface Seen {
  readonly url: string
  readonly requests: { head: string; body: string; cleanEnd: boolean }[]
  /** Of paced requests that were open at once. */
  most: number
}

// Each waits for seconds, which is what it measures: all wait together.
vi.setConfig({ testTimeout: 60_000 })
const test = one.concurrent

const servers: Server[] = []
const sockets: Socket[] = []
afterAll(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) await new Promise((done) => server.close(done))
})

interface Behaviour {
  /** Milliseconds of silence in a body after which it is closed. */
  readonly idleMs?: number
  /** Milliseconds after which a request is closed, by how many came before. */
  readonly wholeMs?: (before: number) => number
  /** What is answered at once, by the request's head. */
  readonly early?: (head: string) => string | undefined
  /** What is said on closing. */
  readonly says?: string
  /** One request at a time, as with one worker. */
  readonly lone?: boolean
}

const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

const behaving = async (how: Behaviour): Promise<Seen> => {
  const seen: Seen = { url: '', requests: [], most: 0 }
  let open = 0
  let turn: Promise<void> = Promise.resolve()
  const serve = (socket: Socket): Promise<void> =>
    new Promise((done) => {
      const request = { head: '', body: '', cleanEnd: false }
      const close = (): void => {
        if (how.says !== undefined) socket.end(how.says)
        else socket.destroy()
      }
      socket.on('end', () => {
        request.cleanEnd = true
      })
      socket.on('close', () => done())
      socket.on('data', (chunk) => {
        if (request.head !== '') {
          request.body += chunk.toString('latin1')
          return
        }
        const [head = '', body = ''] = chunk.toString('latin1').split('\r\n\r\n')
        Object.assign(request, { head, body })
        if (head.startsWith('GET')) return void socket.end(ok)
        const before = seen.requests.push(request) - 1
        open += 1
        seen.most = Math.max(seen.most, open)
        socket.on('close', () => (open -= 1))
        const early = how.early?.(head)
        if (early !== undefined) socket.write(early)
        if (how.idleMs !== undefined) socket.setTimeout(how.idleMs, close)
        if (how.wholeMs !== undefined) setTimeout(close, how.wholeMs(before)).unref()
      })
    })
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    if (how.lone !== true) return void serve(socket)
    socket.pause()
    turn = turn.then(() => {
      socket.resume()
      return serve(socket)
    })
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(seen, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

const options = {
  paths: ['/first', '/second'],
  bytes: 200_000,
  watchMs: 5000,
  timeoutMs: 5000,
  env: {},
  progress: () => {},
}
const around = (ms: number) => expect.toSatisfy((found: number) => found > ms * 0.9 && found < ms * 1.3)

test('a pause that is ended is told from a body that flows, and is seen twice', async () => {
  const seen = await behaving({ idleMs: 3000 })
  expect(await paced(seen.url, { ...options, watchMs: 8000 })).toEqual({ watchedMs: 8000, idle: { ms: around(3000) } })
  expect(seen.requests).toHaveLength(3)
})

test('what ends both counts the whole body', async () => {
  const seen = await behaving({ wholeMs: () => 3000 })
  expect(await paced(seen.url, options)).toEqual({ watchedMs: 5000, body: { ms: around(3000) } })
})

test('no request is complete, none holds JSON, all are POSTs with the headers, none ends in a clean close', async () => {
  const seen = await behaving({})
  const found = await paced(`${seen.url}/base/`, { ...options, watchMs: 4000, headers: { authorization: 'Basic x' } })
  expect(found).toEqual({ watchedMs: 4000 })
  expect(seen.requests).toHaveLength(2)
  for (const { head, body, cleanEnd } of seen.requests) {
    expect(head).toMatch(/^POST \/base\/first HTTP\/1\.1\r\n/)
    expect(head).toMatch(/authorization: Basic x/)
    expect(head).toMatch(/content-length: 200000/)
    expect(head).not.toMatch(/expect:|origin:/i)
    expect(body).toMatch(/^x+$/)
    expect(body.length).toBeLessThan(200_000)
    expect(cleanEnd).toBe(false)
  }
  const [least = 0, most = 0] = seen.requests.map(({ body }) => body.length).sort((a, b) => a - b)
  expect(least).toBe(32 * 1024)
  expect(most).toBeGreaterThan(least)
})

test('a path that is answered at once is left for the next; where all are, nothing can be measured', async () => {
  const refusal = 'HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n'
  const some = await behaving({ early: (head) => (head.includes('/first') ? refusal : undefined), idleMs: 3000 })
  expect(await paced(some.url, options)).toMatchObject({ idle: { ms: around(3000) } })
  const all = await behaving({ early: () => refusal })
  expect(await paced(all.url, options)).toEqual({
    watchedMs: 0,
    unmeasured: expect.stringMatching(/without waiting for their bodies/),
  })
})

test('the status and who gave it are kept', async () => {
  const says =
    "HTTP/1.1 504 Gateway Time-out\r\n\r\n<html><body><h1>504 Gateway Time-out</h1>\nThe server didn't respond in time.\n</body></html>\n"
  const seen = await behaving({ idleMs: 3000, says })
  expect(await paced(seen.url, options)).toMatchObject({ idle: { status: 504, by: 'haproxy' } })
})

test('a lone worker gets one request at a time, so that none counts the time of another', async () => {
  const seen = await behaving({ lone: true, wholeMs: () => 3000 })
  expect(await paced(seen.url, { ...options, watchMs: 8000 })).toEqual({ watchedMs: 8000, body: { ms: around(3000) } })
  expect(seen.most).toBe(1)
})

test('cuts after different times are no time-out', async () => {
  const seen = await behaving({ wholeMs: (before) => 2500 + before * 1500 })
  expect(await paced(seen.url, { ...options, watchMs: 6000 })).toEqual({
    watchedMs: 0,
    unmeasured: expect.stringMatching(/not cut after the same time/),
  })
})

test('the signal of the caller ends it, and closes what is open', async () => {
  const seen = await behaving({})
  const stop = new AbortController()
  const work = paced(seen.url, { ...options, signal: stop.signal })
  setTimeout(() => stop.abort(new Error('interrupted')), 300)
  await expect(work).rejects.toThrow('interrupted')
})
