import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { BlobServiceClient } from '@azure/storage-blob'
import { expect, onTestFinished, test } from 'vitest'
import {
  LOGIN,
  orSkip,
  type Running,
  s3Sdk,
  shared,
  startAzurite,
  startGcs,
  startHaproxy,
  startMlflow,
  startNginx,
  startSeaweed,
  startThrottle,
  startToxiproxy,
  startVersitygw,
} from './index.ts'

async function stopped<T extends Pick<Running, 'stop'>>(starting: Promise<T>): Promise<T> {
  const server = await starting
  onTestFinished(() => server.stop())
  return server
}

/** PUTs an artifact of so many bytes through an MLflow server. */
function put(url: string, bytes: number): Promise<Response> {
  return fetch(`${url}/api/2.0/mlflow-artifacts/artifacts/lab/x`, { method: 'PUT', body: Buffer.alloc(bytes) })
}

test('the shared MLflow servers answer', async () => {
  const { mlflowS3, mlflowFolder } = shared()
  for (const { url } of [mlflowS3, mlflowFolder]) {
    expect(await (await fetch(`${url}/version`)).text()).toBe('3.17.2')
  }
})

test('MLflow 3.17.2 runs under gunicorn, with a login when asked for', async () => {
  const server = await stopped(startMlflow({ engine: 'gunicorn', auth: true }))
  expect(server.log()).toContain('gunicorn')
  const search = `${server.url}/api/2.0/mlflow/registered-models/search`
  expect((await fetch(search)).status).toBe(401)
  const authorization = `Basic ${Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString('base64')}`
  expect((await fetch(search, { headers: { authorization } })).status).toBe(200)
})

test('MLflow 2.22.1 runs under gunicorn', async () => {
  const server = await stopped(startMlflow({ version: '2.22.1' }))
  expect(await (await fetch(`${server.url}/version`)).text()).toBe('2.22.1')
  expect(server.log()).toContain('gunicorn')
})

test('a second SeaweedFS runs beside the shared one and knows identities of its own', async () => {
  const reader = { name: 'reader', accessKey: 'reader', secretKey: 'readersecret', actions: ['Read', 'List'] }
  const weed = await stopped(startSeaweed({ identities: [reader] }))
  const command = { Bucket: await weed.bucket(), Key: 'x', Body: 'x' }
  await s3Sdk(weed).send(new PutObjectCommand(command))
  await expect(s3Sdk({ ...weed, ...reader }).send(new PutObjectCommand(command))).rejects.toMatchObject({
    name: 'AccessDenied',
  })
})

test('versitygw stores an object', async (context) => {
  const gateway = await stopped(orSkip(context, startVersitygw()))
  const at = { Bucket: await gateway.bucket(), Key: 'x' }
  await s3Sdk(gateway).send(new PutObjectCommand({ ...at, Body: 'content' }))
  const { Body } = await s3Sdk(gateway).send(new GetObjectCommand(at))
  expect(await Body?.transformToString()).toBe('content')
})

test('Azurite stores a blob', async () => {
  const azurite = await stopped(startAzurite())
  const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient('lab')
  await container.create()
  await container.getBlockBlobClient('x').upload('content', 7)
  expect((await container.getBlockBlobClient('x').downloadToBuffer()).toString()).toBe('content')
})

test('the GCS emulator makes a bucket', async () => {
  const gcs = await stopped(startGcs())
  const bucket = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"name":"lab"}' }
  expect((await fetch(`${gcs.url}/storage/v1/b?project=lab`, bucket)).status).toBe(200)
  expect((await fetch(`${gcs.url}/storage/v1/b/lab`)).status).toBe(200)
})

test('nginx refuses a body over its limit with 413 and forwards a smaller one', async (context) => {
  const directives = 'client_max_body_size 100k;'
  const nginx = await stopped(orSkip(context, startNginx({ upstream: shared().mlflowFolder.url, directives })))
  expect((await put(nginx.url, 100_000)).status).toBe(200)
  expect((await put(nginx.url, 110_000)).status).toBe(413)
})

test('haproxy forwards, and answers 504 when the server is slower than its time-out', async (context) => {
  const upstream = await stopped(startThrottle({ upstream: shared().mlflowFolder.url, bytesPerSecond: 100_000 }))
  const haproxy = await stopped(
    orSkip(context, startHaproxy({ upstream: upstream.url, defaults: 'timeout server 1s' })),
  )
  expect((await put(haproxy.url, 10_000)).status).toBe(200)
  expect((await put(haproxy.url, 3_000_000)).status).toBe(504)
})

test('toxiproxy delays and cuts a link, and takes that back', async (context) => {
  const toxiproxy = await stopped(orSkip(context, startToxiproxy()))
  const link = await toxiproxy.proxy(shared().mlflowFolder.url)
  const get = () => fetch(`${link.url}/health`, { headers: { connection: 'close' } })
  await link.toxic({ type: 'latency', attributes: { latency: 400 } })
  const started = performance.now()
  expect((await get()).status).toBe(200)
  expect(performance.now() - started).toBeGreaterThan(390)
  await link.toxic({ type: 'reset_peer', attributes: { timeout: 0 } })
  await expect(get()).rejects.toThrow()
  await link.reset()
  expect((await get()).status).toBe(200)
})

test('the slow link paces what goes upstream', async () => {
  const link = await stopped(startThrottle({ upstream: shared().mlflowFolder.url, bytesPerSecond: 1_000_000 }))
  const started = performance.now()
  expect((await put(link.url, 1_000_000)).status).toBe(200)
  expect(performance.now() - started).toBeGreaterThan(700)
  expect(link.sent()).toBeGreaterThan(1_000_000)
})
