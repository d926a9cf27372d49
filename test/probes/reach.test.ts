import { once } from 'node:events'
import { createServer as createHttp, type Server as HttpServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { Trouble } from '../../src/errors.ts'
import { reach } from '../../src/probes/reach.ts'

/** Servers inside this process, for answers that no real server gives on demand; real ones are in reach.lab.test.ts. */
const open: (Server | HttpServer)[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of open.splice(0)) {
    if ('closeAllConnections' in server) server.closeAllConnections()
    await new Promise((done) => server.close(done))
  }
})
const listening = async (server: Server | HttpServer): Promise<number> => {
  open.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
const tcp = (on: (socket: Socket) => void): Promise<number> =>
  listening(
    createTcp((socket) => {
      sockets.push(socket)
      on(socket.on('error', () => {}))
    }),
  )
const http = (on: RequestListener): Promise<number> => listening(createHttp(on))

/** A forward proxy that answers every request, tunnels included, with one status. */
const proxyThatSays = (status: number): Promise<number> => {
  const server = createHttp((_, response) => response.writeHead(status).end())
  server.on('connect', (_, socket) => socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`))
  return listening(server)
}

const options = { timeoutMs: 5000, env: {} }

test('each phase is timed, and an error status is an answer', async () => {
  const port = await http((request, response) => {
    response.writeHead(401, {
      server: 'nginx/1.22.1',
      via: '1.1 gate',
      'x-amzn-trace-id': 'r',
      'set-cookie': 'secret=1',
    })
    response.end(request.url)
  })
  const found = await reach(`http://localhost:${port}/mlflow/`, { ...options, path: '/api/x?y=1' })
  expect(found).toMatchObject({
    origin: `http://localhost:${port}`,
    status: 401,
    software: 'nginx/1.22.1',
    traces: { via: '1.1 gate', 'x-amzn-trace-id': 'r' },
  })
  expect(found.failed).toBeUndefined()
  expect(found.traces).not.toHaveProperty('set-cookie')
  expect(Object.keys(found.ms)).toEqual(['dns', 'tcp', 'http'])
  expect(found.addresses).toContain('127.0.0.1')
})

test('the path of the address is kept, and headers are sent', async () => {
  let asked: string | undefined
  const port = await http((request, response) => {
    asked = `${request.method} ${request.url} ${request.headers.authorization} ${request.headers.host}`
    response.end()
  })
  await reach(`http://127.0.0.1:${port}/mlflow`, { ...options, path: 'api', headers: { authorization: 'Basic x' } })
  expect(asked).toBe(`GET /mlflow/api Basic x 127.0.0.1:${port}`)
})

test('a name that does not exist fails in dns', async () => {
  const { failed, ms } = await reach('http://no-such-host.invalid', options)
  expect(failed).toMatchObject({ phase: 'dns', todo: expect.stringContaining('MLFLOW_TRACKING_URI') })
  expect(failed?.why).toMatch(/no-such-host\.invalid/)
  expect(ms.tcp).toBeUndefined()
})

test('a closed port fails in tcp, and the remedy names the variable of the store', async () => {
  const port = await tcp(() => {})
  const [server] = open.splice(0)
  await new Promise((done) => server?.close(done))
  const { failed } = await reach(`http://127.0.0.1:${port}`, { ...options, role: 'store' })
  expect(failed).toMatchObject({ phase: 'tcp', why: `refused: nothing listens on port ${port} of 127.0.0.1` })
  expect(failed?.todo).toContain('MLFLOW_S3_ENDPOINT_URL')
})

test('a server that takes the connection and says nothing fails in http, in time', async () => {
  const port = await tcp(() => {})
  const { failed } = await reach(`http://127.0.0.1:${port}`, { ...options, timeoutMs: 100 })
  expect(failed).toMatchObject({ phase: 'http', why: expect.stringMatching(/timed out.*no answer in 0\.1 s/) })
})

test('a server that takes the connection and says nothing fails in tls, in time', async () => {
  const port = await tcp(() => {})
  const { failed } = await reach(`https://127.0.0.1:${port}`, { ...options, timeoutMs: 100 })
  expect(failed).toMatchObject({ phase: 'tls', why: expect.stringMatching(/^timed out/) })
})

test('a server that hangs up fails in http or in tls', async () => {
  const port = await tcp((socket) => socket.once('data', () => socket.destroy()))
  expect((await reach(`http://127.0.0.1:${port}`, options)).failed).toMatchObject({
    phase: 'http',
    why: expect.stringMatching(/closed the connection without an answer/),
  })
  expect((await reach(`https://127.0.0.1:${port}`, options)).failed).toMatchObject({
    phase: 'tls',
    why: expect.stringMatching(/dropped the connection during the TLS handshake/),
  })
})

test('garbage is told from HTTP', async () => {
  const port = await tcp((socket) => socket.end('SSH-2.0-OpenSSH_9.2p1\r\n'))
  expect((await reach(`http://127.0.0.1:${port}`, options)).failed).toMatchObject({
    phase: 'http',
    why: expect.stringMatching(/^answered garbage/),
  })
})

test('plain HTTP on a port that is called https is told', async () => {
  const port = await http((_, response) => response.end('x'))
  expect((await reach(`https://127.0.0.1:${port}`, options)).failed).toMatchObject({
    phase: 'tls',
    why: expect.stringMatching(/speaks no TLS on this port/),
    todo: expect.stringContaining('http:// in place of https://'),
  })
})

test('a redirect is told by where it leads, without what is secret in it', async () => {
  const port = await http((_, response) =>
    response.writeHead(302, { location: 'https://me:pw@login.example.org/x?token=secret' }).end(),
  )
  const found = await reach(`http://127.0.0.1:${port}`, options)
  expect(found.traces.location).toBe('https://login.example.org/x')
})

test('a refused host name is told from other refusals', async () => {
  const port = await http((_, response) => {
    response.writeHead(403).end('Invalid Host header - possible DNS rebinding attack detected')
  })
  expect((await reach(`http://127.0.0.1:${port}`, options)).failed).toMatchObject({
    phase: 'http',
    todo: expect.stringContaining('--allowed-hosts 127.0.0.1'),
  })
})

test('through a forward proxy the whole address is asked for, and its password stays out of the result', async () => {
  let asked: string | undefined
  const port = await http((request, response) => {
    asked = `${request.url} ${request.headers.host} ${request.headers['proxy-authorization']}`
    response.writeHead(200, { via: '1.1 squid' }).end()
  })
  const env = { http_proxy: `http://me:pw@127.0.0.1:${port}` }
  const found = await reach('http://mlflow.corp.invalid:5000/', { ...options, env, path: '/api' })
  expect(asked).toBe(
    `http://mlflow.corp.invalid:5000/api mlflow.corp.invalid:5000 Basic ${Buffer.from('me:pw').toString('base64')}`,
  )
  expect(found).toMatchObject({
    status: 200,
    traces: { via: '1.1 squid', 'environment-proxy': `http://127.0.0.1:${port}` },
  })
  expect(JSON.stringify(found)).not.toContain('pw')
})

test('a proxy that wants a password is told, for http and for https', async () => {
  const port = await proxyThatSays(407)
  const env = { ALL_PROXY: `http://127.0.0.1:${port}` }
  expect((await reach('http://a.invalid', { ...options, env })).failed).toMatchObject({
    phase: 'http',
    why: expect.stringMatching(/407/),
  })
  expect((await reach('https://a.invalid', { ...options, env })).failed).toMatchObject({
    phase: 'tcp',
    why: expect.stringMatching(/wants a user and a password \(407\)/),
    todo: expect.stringContaining('NO_PROXY'),
  })
})

test('a proxy that refuses the tunnel is told', async () => {
  const port = await proxyThatSays(403)
  const { failed } = await reach('https://a.invalid', { ...options, env: { https_proxy: `http://127.0.0.1:${port}` } })
  expect(failed?.why).toMatch(/^the proxy .* \(from https_proxy\) answered 403 to a tunnel to a\.invalid:443$/)
})

test('a SOCKS proxy is refused as a setting that cannot be used', async () => {
  const look = reach('http://a.invalid', { ...options, env: { all_proxy: 'socks5://127.0.0.1:1080' } })
  await expect(look).rejects.toThrow(Trouble)
  await expect(look).rejects.toMatchObject({ kind: 'unsupported' })
})

test('all addresses of a name are tried: one that nobody listens on does not hide the other', async () => {
  // localhost is ::1 and 127.0.0.1 where IPv6 is on; the server listens on the second alone.
  const port = await http((_, response) => response.end())
  expect((await reach(`http://localhost:${port}`, options)).status).toBe(200)
})

test('the signal of the caller ends the look with its own reason', async () => {
  const port = await tcp(() => {})
  const stop = new AbortController()
  const look = reach(`http://127.0.0.1:${port}`, { ...options, signal: stop.signal })
  setTimeout(() => stop.abort(new Error('interrupted')), 20)
  await expect(look).rejects.toThrow('interrupted')
})
