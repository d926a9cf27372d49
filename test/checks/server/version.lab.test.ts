import { request } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { examined } from '../../doctor.ts'
import { startMlflow, startNginx } from '../../lab/index.ts'

const id = 'server/version'

const asked = async (url: string, size: string) => {
  const report = await examined(['check', '--only', id, '--size', size], { env: { MLFLOW_TRACKING_URI: url } })
  return { check: report.checks.find((check) => check.id === id), limits: report.limits }
}

/** Sends a body that takes so long, and gives the status that comes back, or undefined where the connection is closed. */
const slowly = (url: string, seconds: number): Promise<number | undefined> =>
  new Promise((resolve) => {
    const pieces = Math.round(seconds * 10)
    const put = request(url, { method: 'PUT', headers: { 'content-length': pieces * 1000 } }, (answer) => {
      answer.resume()
      answer.on('end', () => resolve(answer.statusCode))
    })
    let sent = 0
    const timer = setInterval(() => {
      sent += 1
      put.write(Buffer.alloc(1000))
      if (sent < pieces) return
      clearInterval(timer)
      put.end()
    }, 100)
    put.on('error', () => resolve(undefined))
    put.on('close', () => clearInterval(timer))
  })

test('MLflow 3.2.0: a worker is ended after 30 s, as assumed, and not before', async () => {
  const mlflow = await startMlflow({ version: '3.2.0', workers: 3 })
  onTestFinished(() => mlflow.stop())
  const { check, limits } = await asked(mlflow.url, '20GiB')
  expect(check).toMatchObject({
    state: 'found',
    measured: { serverVersion: '3.2.0', serverSoftware: 'gunicorn' },
    findings: [{ severity: 'info', says: expect.stringContaining('stores an upload that breaks off') }],
  })
  expect(limits).toMatchObject([{ hop: 'server', scope: 'request', max: { ms: 30_000 }, basis: 'assumed' }])
  const path = `${mlflow.url}/api/2.0/mlflow-artifacts/artifacts`
  const [shorter, longer] = await Promise.all([slowly(`${path}/a`, 26), slowly(`${path}/b`, 36)])
  expect(shorter).toBe(200)
  expect(longer).not.toBe(200)
})

test('MLflow 2.22.1 behind nginx: the limit counts the answer alone, and a slow body does not meet it', async () => {
  const mlflow = await startMlflow({ version: '2.22.1', gunicornOpts: '--timeout 3' })
  onTestFinished(() => mlflow.stop())
  const nginx = await startNginx({ upstream: mlflow.url })
  onTestFinished(() => nginx.stop())
  expect((await asked(nginx.url, '20GiB')).limits).toMatchObject([
    { scope: 'answer', max: { ms: 30_000 }, basis: 'assumed' },
  ])
  const path = '/api/2.0/mlflow-artifacts/artifacts'
  expect(await slowly(`${nginx.url}${path}/a`, 6)).toBe(200)
  expect(await slowly(`${mlflow.url}${path}/b`, 6)).not.toBe(200)
})

test('MLflow 3.14.0 keeps bodies in memory, MLflow 3.17.2 does not', async () => {
  const old = await startMlflow({ version: '3.14.0' })
  onTestFinished(() => old.stop())
  expect(await asked(old.url, '1GiB')).toMatchObject({
    check: {
      state: 'found',
      findings: [{ severity: 'warning', facts: { needed: 2 * 1024 ** 3, engine: 'uvicorn', since: '3.15.0' } }],
    },
    limits: [],
  })
  expect((await asked(old.url, '50MB')).check).toMatchObject({ state: 'ok', findings: [] })
  const now = await startMlflow()
  onTestFinished(() => now.stop())
  expect((await asked(now.url, '1GiB')).check).toMatchObject({ state: 'ok', findings: [] })
})
