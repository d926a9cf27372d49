import { connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { examined } from '../../doctor.ts'
import { eventsOf, python, scratch, shared, startThrottle } from '../../lab/index.ts'

/** A TCP proxy in front of the server with the folder; `between` joins one connection to the server, and gives the milliseconds for which its answer is still held back. */
const relay = async (between: (client: Socket, server: Socket) => () => number): Promise<string> => {
  const upstream = new URL(shared().mlflowFolder.url)
  const open = new Set<Socket>()
  const listener = createServer((client) => {
    const server = connect({ host: upstream.hostname, port: Number(upstream.port) })
    for (const socket of [client, server]) {
      open.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => open.delete(socket))
    }
    client.on('end', () => server.end())
    client.on('close', () => server.destroy())
    const held = between(client, server)
    server.on('close', () => setTimeout(() => client.end(), held()))
  })
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    for (const socket of open) socket.destroy()
    listener.close()
  })
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}`
}

/** Stops once on each connection that has carried `after` bytes: takes nothing more of the body, or gives nothing of the answer. */
const pausing = (what: 'body' | 'answer', pauseMs: number, after: number): Promise<string> =>
  relay((client, server) => {
    let sent = 0
    client.on('data', (bytes: Buffer) => {
      const before = sent
      sent += bytes.length
      server.write(bytes)
      if (before >= after || sent < after) return
      const held = what === 'body' ? client : server
      held.pause()
      setTimeout(() => held.resume(), pauseMs)
    })
    server.on('data', (bytes: Buffer) => client.write(bytes))
    return () => 0
  })

/** Holds each answer back for as long as a store of this speed would take the body. */
const answeringLate = (bytesPerSecond: number): Promise<string> =>
  relay((client, server) => {
    let sent = 0
    let freeAt = 0
    client.on('data', (bytes: Buffer) => {
      sent += bytes.length
      server.write(bytes)
    })
    server.on('data', (bytes: Buffer) => {
      // An answer in several pieces stays in order.
      freeAt = Math.max(freeAt, Date.now() + (sent / bytesPerSecond) * 1000)
      sent = 0
      setTimeout(() => client.write(bytes), Math.max(0, freeAt - Date.now()))
    })
    // A little more: two timers of one time may fire in either order.
    return () => Math.max(0, freeAt - Date.now()) + 100
  })

const upload = (uri: string, experiment: string, env: Record<string, string>, bytes = 40_000_000) =>
  python('log_model.py', {
    args: ['--experiment', experiment, '--file', `big.bin=${bytes}`],
    env: { MLFLOW_TRACKING_URI: uri, MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0', ...env },
  })

const patience = { MLFLOW_HTTP_REQUEST_TIMEOUT: '4' }

test.each([
  ['answer', 1000, 0],
  ['answer', 9000, 1],
  ['body', 1000, 0],
  ['body', 9000, 1],
] as const)(
  "a %s that pauses for %i ms, against the client's patience of 4 s: exit code %i",
  async (what, ms, code) => {
    const after = what === 'body' ? 5_000_000 : 39_000_000
    const { code: exit, stderr } = await upload(await pausing(what, ms, after), `patience-${what}-${ms}`, patience)
    expect(exit, stderr).toBe(code)
    if (code === 1) expect(stderr).toMatch(/timed out/)
  },
)

test('a body that moves slowly passes, however much longer than its patience it takes', async () => {
  const slow = await startThrottle({ upstream: shared().mlflowFolder.url, bytesPerSecond: 3_000_000 })
  onTestFinished(() => slow.stop())
  const { code, stderr } = await upload(slow.url, 'patience-slow', patience)
  expect(code, stderr).toBe(0)
})

test('where the server signs no parts, a client that is told to send parts falls back to one PUT', async () => {
  const env = { MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: 'true', MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: '1000000' }
  const { code, stderr } = await upload(shared().mlflowFolder.url, 'no-parts', env)
  expect(code, stderr).toBe(0)
})

test.each([
  ['MLFLOW_HTTP_REQUEST_MAX_RETRIES', '11', /in\s+excess of the maximum allowable retries/],
  ['MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR', '1.5', /Failed to convert '1.5'/],
  ['MLFLOW_HTTP_TCP_KEEPALIVE', 'yes', /must be one of/],
  ['MLFLOW_HTTP_TCP_KEEPALIVE_IDLE', '0', /Invalid argument/],
])('%s=%s fails the first call', async (name, value, says) => {
  const { code, stdout, stderr } = await upload(shared().mlflowFolder.url, 'wrong', { [name]: value })
  expect(code).toBe(1)
  expect(stderr).toMatch(says)
  expect(eventsOf({ code, signal: null, stdout, stderr })).toEqual([])
})

test('the forecast compares the wait for the answer with the patience of the client, and the client agrees', async () => {
  const uri = await answeringLate(4_000_000)
  const env = { MLFLOW_TRACKING_URI: uri, MLFLOW_HTTP_REQUEST_TIMEOUT: '8' }
  const state = { XDG_STATE_HOME: await scratch() }
  const check = async (size: number) => {
    const { forecast } = await examined(['check', '--size', String(size), '--traffic', '40MB'], {
      env: { ...env, ...state },
    })
    return forecast
  }
  expect(await check(5_000_000)).toMatchObject([{ verdict: 'passes' }])
  expect(await check(80_000_000)).toMatchObject([
    {
      verdict: 'fails',
      hop: 'client',
      limit: { setting: 'MLFLOW_HTTP_REQUEST_TIMEOUT', max: 8000, unit: 'ms' },
      remedy: { commands: [expect.stringMatching(/^export MLFLOW_HTTP_REQUEST_TIMEOUT=\d+$/)] },
    },
  ])
  expect((await upload(uri, 'late-5', env, 5_000_000)).code).toBe(0)
  expect((await upload(uri, 'late-80', env, 80_000_000)).code).toBe(1)
})
