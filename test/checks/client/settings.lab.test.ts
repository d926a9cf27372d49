import { connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { eventsOf, python, shared, startThrottle } from '../../lab/index.ts'

/**
 * A TCP proxy that stops once on each connection that has carried `after` bytes: for so long it takes nothing more of the
 * body, or gives nothing of the answer.
 */
const pausing = async (what: 'body' | 'answer', pauseMs: number, after: number): Promise<string> => {
  const upstream = new URL(shared().mlflowFolder.url)
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const target = connect({ host: upstream.hostname, port: Number(upstream.port) })
    for (const socket of [client, target]) {
      open.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        open.delete(socket)
        client.destroy()
        target.destroy()
      })
    }
    let sent = 0
    client.on('data', (bytes: Buffer) => {
      const before = sent
      sent += bytes.length
      target.write(bytes)
      if (before >= after || sent < after) return
      const held = what === 'body' ? client : target
      held.pause()
      setTimeout(() => held.resume(), pauseMs)
    })
    target.on('data', (bytes: Buffer) => client.write(bytes))
    client.on('end', () => target.end())
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}`
}

const upload = (uri: string, experiment: string, env: Record<string, string>) =>
  python('log_model.py', {
    args: ['--experiment', experiment, '--file', 'big.bin=40000000'],
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
