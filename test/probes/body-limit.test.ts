import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { bodyLimit } from '../../src/probes/body-limit.ts'

/** Servers inside this process that answer to a request's headers, for what no proxy here does on demand; real proxies are in body-limit.lab.test.ts. */
interface Seen {
  readonly url: string
  readonly heads: string[]
  /** Body bytes that arrived. */
  body: number
  /** Connections that were closed cleanly by the other side, which a server may take for the end of a body. */
  cleanEnds: number
}

const servers: Server[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) await new Promise((done) => server.close(done))
})

/** Gets the declared size and how many requests came before; undefined keeps silent. */
type Judge = (bytes: number, before: number) => string | undefined

const judging = async (answer: Judge): Promise<Seen> => {
  const heads: string[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    let head = ''
    socket.on('error', () => {})
    socket.on('end', () => {
      seen.cleanEnds += 1
    })
    socket.on('data', (chunk) => {
      if (head.includes('\r\n\r\n')) {
        seen.body += chunk.length
        return
      }
      head += chunk.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      seen.body += head.length - end - 4
      heads.push(head.slice(0, end))
      const says = answer(Number(/content-length: (\d+)/i.exec(head)?.[1]), heads.length - 1)
      if (says === '') socket.destroy()
      else if (says !== undefined) socket.write(says)
    })
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const seen: Seen = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, heads, body: 0, cleanEnds: 0 }
  return seen
}

const status = (code: number, headers = '', page = ''): string =>
  `HTTP/1.1 ${code} X\r\n${headers}content-length: ${page.length}\r\n\r\n${page}`
const goOn = 'HTTP/1.1 100 Continue\r\n\r\n'
const limitOf =
  (max: number, refuse = status(413)): Judge =>
  (bytes) =>
    bytes > max ? refuse : goOn

const options = { path: '/api/2.0/mlflow-artifacts/artifacts/0/x', timeoutMs: 5000, env: {} }
const measure = (seen: Seen) => bodyLimit(seen.url, options)

test.each([0, 1, 2, 999, 2 ** 20, 2 ** 20 + 1, 100_000_000, 2 ** 32 - 1, 2 ** 32, 2 ** 39 + 12_345, 2 ** 40 - 1])(
  'a limit of %d bytes is found to the byte, in at most 60 requests, with no body byte and no clean close',
  async (max) => {
    const seen = await judging(limitOf(max))
    const found = await measure(seen)
    expect(found).toMatchObject({ accepted: max, refused: max + 1, status: 413 })
    expect(found.requests).toBe(seen.heads.length)
    expect(found.requests).toBeLessThanOrEqual(60)
    expect(seen).toMatchObject({ body: 0, cleanEnds: 0 })
  },
)

test('no limit takes four requests: POST with an expectation, headers and path included', async () => {
  const seen = await judging(() => status(405))
  const found = await bodyLimit(`${seen.url}/mlflow/`, { ...options, headers: { authorization: 'Basic x' } })
  expect(found).toEqual({ accepted: 2 ** 40, seenThrough: true, requests: 4 })
  expect(seen.heads[0]).toMatch(/^POST \/mlflow\/api\/2\.0\/mlflow-artifacts\/artifacts\/0\/x HTTP\/1\.1/)
  expect(seen.heads[0]).toMatch(/authorization: Basic x/i)
  expect(seen.heads[0]).toMatch(/expect: 100-continue/i)
  expect(seen.heads[0]).not.toMatch(/origin:/i)
})

test.each([
  ['nginx/1.22.1', 'server: nginx/1.22.1\r\n', '<html>'],
  ['nginx', '', '<html><center>nginx</center></html>'],
  [
    'haproxy',
    '',
    '<html><body><h1>413 Payload Too Large</h1>\nThe request entity exceeds the maximum allowed.\n</body></html>\n',
  ],
  ['Traefik', '', 'Request Entity Too Large'],
  ['Microsoft-IIS', '', '<h2>HTTP Error 404.13 - Not Found</h2> The request filtering module'],
  ['cloudflare', 'server: cloudflare\r\n', ''],
  ['gunicorn', 'server: nginx/1.22.1\r\n', '<h1><p>Internal Server Error</p></h1>'],
  [undefined, '', ''],
])('the refusing product is recognised: %s', async (by, headers, page) => {
  const found = await measure(await judging(limitOf(1000, status(413, headers, page))))
  expect(found.refusedBy).toBe(by)
})

test.each([400, 403, 404])('a %d that only large sizes get is a refusal', async (code) => {
  const found = await measure(await judging((bytes) => (bytes > 5000 ? status(code) : status(405))))
  expect(found).toMatchObject({ accepted: 5000, refused: 5001, status: code })
})

test('a connection that is closed without a word at large sizes, three times over, is a refusal', async () => {
  const found = await measure(await judging(limitOf(5000, '')))
  expect(found).toMatchObject({ accepted: 5000, refused: 5001 })
  expect(found).not.toHaveProperty('status')
})

test('a connection that breaks once is no refusal', async () => {
  const found = await measure(await judging((_, before) => (before === 0 ? '' : goOn)))
  expect(found).toMatchObject({ accepted: 2 ** 40, requests: 6 })
})

test('silence below a limit that refuses at once means waiting for the body', async () => {
  const seen = await judging((bytes) => (bytes > 50 ? status(413) : undefined))
  const found = await bodyLimit(seen.url, { ...options, max: 64, timeoutMs: 200 })
  expect(found).toMatchObject({ accepted: 50, refused: 51 })
})

test.each<[string, string, Judge, RegExp]>([
  ['unauthenticated', '401', () => status(401), /401/],
  ['denied', '403 for every size', () => status(403), /403 whatever size/],
  ['not-found', '404 for every size', () => status(404), /404/],
  ['unexpected-answer', 'a redirect', () => status(302, 'location: /login\r\n'), /redirect/],
  ['unavailable', '503', () => status(503), /503/],
  ['unreachable', 'closing', () => '', /closed without an answer/],
])('%s is the trouble for %s', async (kind, _, answer, why) => {
  const seen = await judging(answer)
  await expect(bodyLimit(seen.url, { ...options, timeoutMs: 300 })).rejects.toMatchObject({
    name: 'Trouble',
    kind,
    why: expect.stringMatching(why),
  })
})

test.each<[string, Judge, RegExp]>([
  ['silence', () => undefined, /before its body/],
  ['417', () => status(417), /417/],
])('%s is no trouble, but a limit that cannot be measured', async (_, answer, why) => {
  const seen = await judging(answer)
  const found = await bodyLimit(seen.url, { ...options, timeoutMs: 300 })
  expect(found).toEqual({ accepted: 0, unmeasured: expect.stringMatching(why), requests: seen.heads.length })
})

test('early hints before the answer are passed over', async () => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n'
  const found = await measure(await judging((bytes) => hints + (bytes > 5000 ? status(413) : goOn)))
  expect(found).toMatchObject({ accepted: 5000, refused: 5001, status: 413 })
})

test('a limit of nothing at all is asked for again before it is believed', async () => {
  // The second request for one byte is let through.
  let small = 0
  const seen = await judging((bytes) => {
    if (bytes === 1) small += 1
    return bytes > 1 || small === 1 ? status(413) : goOn
  })
  await expect(measure(seen)).rejects.toMatchObject({ why: expect.stringMatching(/let through once and refused once/) })
})

test('two proxies with different limits that take turns are noticed', async () => {
  const seen = await judging((bytes, before) => status(bytes > (before % 2 === 0 ? 1000 : 100_000) ? 413 : 405))
  await expect(measure(seen)).rejects.toMatchObject({
    kind: 'unexpected-answer',
    why: expect.stringMatching(/let through once and refused once/),
  })
})

test('a host that cannot be reached is the trouble that it is', async () => {
  await expect(bodyLimit('http://no-such-host.invalid', options)).rejects.toMatchObject({ kind: 'unreachable' })
})

test('the signal of the caller ends it', async () => {
  const seen = await judging(() => undefined)
  const stop = new AbortController()
  const work = bodyLimit(seen.url, { ...options, signal: stop.signal })
  setTimeout(() => stop.abort(new Error('interrupted')), 20)
  await expect(work).rejects.toThrow('interrupted')
})
