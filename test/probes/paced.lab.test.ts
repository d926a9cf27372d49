import { readdir } from 'node:fs/promises'
import { CreateBucketCommand, ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { paced } from '../../src/probes/paced.ts'
import type { Paced } from '../../src/probes/types.ts'
import { s3Sdk, shared, startHaproxy, startMlflow, startNginx } from '../lab/index.ts'
import { MLFLOW_VERSIONS } from '../lab/venv.ts'

const below = '0/run/artifacts/.mlflow-doctor-canary'
const paths = [`/api/2.0/mlflow-artifacts/artifacts/${below}`, `/api/2.0/mlflow-artifacts/mpu/create/${below}`]

const measure = (url: string, watchMs: number, asked: readonly string[] = paths): Promise<Paced> =>
  paced(url, { paths: asked, bytes: 1_000_000, watchMs, timeoutMs: 20_000, env: {}, progress: () => {} })

/** Within the tenth that is promised. */
const about = (ms: number) => expect.toSatisfy((found: number) => found > ms * 0.9 && found < ms * 1.1)

type Server = Awaited<ReturnType<typeof startMlflow>>
let uvicorn: Server
let gunicorn: Server
beforeAll(async () => {
  uvicorn = await startMlflow({ engine: 'uvicorn' })
  // One worker, which is held by each request: the two paced ones must not wait for one another.
  gunicorn = await startMlflow({ engine: 'gunicorn', gunicornOpts: '--timeout 12' })
})
afterAll(() => Promise.all([uvicorn, gunicorn].map((server) => server?.stop())))

test('uvicorn ends no request that pauses', async () => {
  expect(await measure(uvicorn.url, 6000)).toEqual({ watchedMs: 6000 })
})

test('gunicorn ends its worker, whether the body pauses or flows: a limit on the whole request', async () => {
  // gunicorn looks at its workers once a second.
  expect(await measure(gunicorn.url, 20_000)).toEqual({
    watchedMs: 20_000,
    body: { ms: expect.toSatisfy((ms: number) => ms > 11_900 && ms < 13_500), status: 500, by: 'gunicorn' },
  })
})

test.each([
  ['buffered', ''],
  ['passed on', 'proxy_request_buffering off; proxy_http_version 1.1;'],
])(
  'nginx, bodies %s: client_body_timeout is found behind each engine, and closes without a word',
  async (_, location) => {
    for (const { url } of [uvicorn, gunicorn]) {
      const nginx = await startNginx({ upstream: url, directives: 'client_body_timeout 4s;', location })
      onTestFinished(() => nginx.stop())
      expect(await measure(nginx.url, 8000)).toEqual({ watchedMs: 8000, idle: { ms: about(4000) } })
    }
  },
)

test.each([
  ['', ''],
  [' with http-buffer-request', 'option http-buffer-request\n  timeout http-request 2s'],
])("haproxy%s: its server's time-out ends a pause with 504", async (_, more) => {
  for (const { url } of [uvicorn, gunicorn]) {
    const haproxy = await startHaproxy({ upstream: url, defaults: `timeout server 4s\n  ${more}` })
    onTestFinished(() => haproxy.stop())
    const idle = { ms: about(4000), status: 504, by: 'haproxy' }
    expect(await measure(haproxy.url, 8000)).toEqual({ watchedMs: 8000, idle })
  }
})

test("haproxy's client time-out does not end a pause in a body", async () => {
  const haproxy = await startHaproxy({ upstream: uvicorn.url, defaults: 'timeout client 2s' })
  onTestFinished(() => haproxy.stop())
  expect(await measure(haproxy.url, 6000)).toEqual({ watchedMs: 6000 })
})

/** Everything below the server's artifact folder, staging files included, and below its temp folder. */
const kept = async ({ destination, dir }: Server): Promise<string[]> => {
  const folders = [`${dir}/tmp`, ...(destination.startsWith('s3:') ? [] : [destination])]
  const names = folders.map((folder) => readdir(folder, { recursive: true }).catch(() => []))
  return (await Promise.all(names)).flat().filter((name) => !name.startsWith('.') && !/^pymp-/.test(name))
}

/** Cut by us, by what closes cleanly behind a client that pauses, and by what answers in the server's place. */
const everyWay = async (server: Server): Promise<void> => {
  const passing = 'proxy_request_buffering off; proxy_http_version 1.1;'
  const nginx = await startNginx({ upstream: server.url, directives: 'client_body_timeout 2s;', location: passing })
  const haproxy = await startHaproxy({ upstream: server.url, defaults: 'timeout server 2s' })
  try {
    for (const url of [server.url, nginx.url, haproxy.url]) for (const path of paths) await measure(url, 3000, [path])
  } finally {
    for (const proxy of [nginx, haproxy]) await proxy.stop()
  }
  // The server tidies up behind requests that broke off; one that comes after sees the end of it.
  expect((await fetch(`${server.url}/health`)).status).toBe(200)
}

// Nothing is timed here, and all of it is waiting.
describe.concurrent.each(MLFLOW_VERSIONS)('MLflow %s', (version) => {
  test('keeps nothing of a paced request in a folder, not even an empty file', async ({ expect, onTestFinished }) => {
    const server = await startMlflow({ version })
    onTestFinished(() => server.stop())
    const file = `${server.url}/api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/kept`
    expect((await fetch(file, { method: 'PUT', body: 'kept' })).status).toBe(200)
    const before = await kept(server)
    await everyWay(server)
    expect(await kept(server)).toEqual(before)
  })

  test('keeps no object and no upload of a paced request in S3', async ({ expect, onTestFinished }) => {
    const { seaweed } = shared()
    const s3 = s3Sdk(seaweed)
    onTestFinished(() => s3.destroy())
    const bucket = `paced-${version.replaceAll('.', '-')}`
    await s3.send(new CreateBucketCommand({ Bucket: bucket }))
    const server = await startMlflow({ version, artifactsDestination: `s3://${bucket}`, env: seaweed.env })
    onTestFinished(() => server.stop())
    await everyWay(server)
    expect((await s3.send(new ListObjectsV2Command({ Bucket: bucket }))).Contents ?? []).toEqual([])
    expect((await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? []).toEqual([])
    expect(await kept(server)).toEqual([])
  })
})
