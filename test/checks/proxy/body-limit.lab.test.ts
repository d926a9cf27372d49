import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { bodyLimit } from '../../../src/probes/body-limit.ts'
import { startHaproxy, startMlflow, startNginx } from '../../lab/index.ts'

type Server = Awaited<ReturnType<typeof startMlflow>>

/** Both engines, both with a folder behind: the one kind of store on which a cut PUT leaves a truncated file (gunicorn). */
let uvicorn: Server
let gunicorn: Server
let old: Server
const started: Server[] = []
beforeAll(async () => {
  uvicorn = await startMlflow({ engine: 'uvicorn' })
  started.push(uvicorn)
  gunicorn = await startMlflow({ engine: 'gunicorn' })
  started.push(gunicorn)
  old = await startMlflow({ version: '2.22.1' })
  started.push(old)
  for (const { url } of started) await put(url, '0/run/artifacts/kept.bin', 1000)
})
afterAll(() => Promise.all(started.map((server) => server.stop())))

const artifacts = '/api/2.0/mlflow-artifacts/artifacts/'
const path = `${artifacts}0/run/artifacts/.mlflow-doctor-canary`
const options = { path, timeoutMs: 20_000, env: {} }

const put = async (url: string, name: string, bytes: number): Promise<number> => {
  const response = await fetch(`${url}${artifacts}${name}`, { method: 'PUT', body: Buffer.alloc(bytes, 1) })
  await response.arrayBuffer()
  return response.status
}

/** Every file below the server's artifact folder, staging files included, and its temp folder. */
const kept = async ({ destination, dir }: Server): Promise<unknown> => [
  (await readdir(destination, { recursive: true })).sort(),
  (await readdir(`${dir}/tmp`, { recursive: true })).sort(),
]

const measure = async (server: Server, url: string) => {
  const before = await kept(server)
  const found = await bodyLimit(url, options)
  expect(found.requests).toBeLessThanOrEqual(60)
  // The server answers and tidies up behind the answer: a request that comes after sees the end of it.
  expect((await fetch(`${server.url}/health`)).status).toBe(200)
  expect(await kept(server)).toEqual(before)
  return found
}

const servers = () => [
  ['MLflow 3.17.2, uvicorn', uvicorn] as const,
  ['MLflow 3.17.2, gunicorn', gunicorn] as const,
  ['MLflow 2.22.1, gunicorn', old] as const,
]

test('MLflow itself refuses no size, and nothing is left behind by asking', async () => {
  for (const [name, server] of servers()) {
    expect(await measure(server, server.url), name).toMatchObject({ accepted: 2 ** 40 })
  }
})

/** Directives of the server and of the artifact location, and the limit that follows. */
const nginxes = [
  { says: 'its own default', max: 1_048_576 },
  { says: '37m', directives: 'client_max_body_size 37m;', max: 38_797_312 },
  {
    says: 'a limit on the artifact location alone, body not buffered',
    directives: `client_max_body_size 0; location ${artifacts} { client_max_body_size 12345678; proxy_request_buffering off; proxy_http_version 1.1; proxy_pass UPSTREAM; }`,
    max: 12_345_678,
  },
] as const

test.each(nginxes)(
  'nginx with $says: found to the byte in front of each server, and true',
  async ({ max, ...given }) => {
    for (const [name, server] of servers()) {
      const directives = 'directives' in given ? given.directives.replace('UPSTREAM', server.url) : ''
      const nginx = await startNginx({ upstream: server.url, directives })
      try {
        const found = await measure(server, nginx.url)
        expect(found, name).toMatchObject({ accepted: max, refused: max + 1, status: 413 })
        expect(found.refusedBy).toMatch(/^nginx\//)
        // The figure holds for real uploads of the same sizes.
        expect(await put(nginx.url, '0/run/artifacts/above', max + 1)).toBe(413)
        expect(await put(nginx.url, '0/run/artifacts/below', max)).toBe(200)
      } finally {
        await nginx.stop()
      }
    }
  },
)

test('nginx without a limit: none is found, with and without request buffering', async () => {
  for (const location of ['', 'proxy_request_buffering off; proxy_http_version 1.1;']) {
    for (const [name, server] of servers()) {
      const nginx = await startNginx({ upstream: server.url, directives: 'client_max_body_size 0;', location })
      try {
        expect(await measure(server, nginx.url), name).toMatchObject({ accepted: 2 ** 40 })
      } finally {
        await nginx.stop()
      }
    }
  }
})

test('nginx with TLS: found to the byte', async () => {
  const nginx = await startNginx({ upstream: gunicorn.url, directives: 'client_max_body_size 5m;', tls: true })
  onTestFinished(() => nginx.stop())
  const before = await kept(gunicorn)
  const tls = { insecure: false, ...(nginx.caFile !== undefined && { caFile: nginx.caFile }) }
  const found = await bodyLimit(nginx.url, { ...options, tls })
  expect(found).toMatchObject({ accepted: 5_242_880, refused: 5_242_881, refusedBy: expect.stringMatching(/^nginx/) })
  expect(await kept(gunicorn)).toEqual(before)
  await expect(bodyLimit(nginx.url, options)).rejects.toMatchObject({ kind: 'unreachable' })
})

test('haproxy without a rule refuses nothing; with one it is found to the byte and recognised by its page', async () => {
  const free = await startHaproxy({ upstream: gunicorn.url })
  onTestFinished(() => free.stop())
  expect(await measure(gunicorn, free.url)).toMatchObject({ accepted: 2 ** 40 })
  const frontend = 'http-request deny deny_status 413 if { req.hdr_val(content-length) gt 50000000 }'
  const limited = await startHaproxy({ upstream: gunicorn.url, frontend })
  onTestFinished(() => limited.stop())
  expect(await measure(gunicorn, limited.url)).toMatchObject({
    accepted: 50_000_000,
    refused: 50_000_001,
    status: 413,
    refusedBy: 'haproxy',
  })
})

test('two proxies in a row: the tighter limit is found behind one that passes bodies on, and told as unseen behind one that buffers', async () => {
  for (const [name, server] of servers()) {
    const inner = await startNginx({ upstream: server.url, directives: 'client_max_body_size 3m;' })
    const open = { upstream: inner.url, directives: 'client_max_body_size 70m;' }
    const passing = await startNginx({ ...open, location: 'proxy_request_buffering off; proxy_http_version 1.1;' })
    const buffering = await startNginx(open)
    try {
      const before = await kept(server)
      const found = await bodyLimit(passing.url, options)
      expect(found, name).toMatchObject({ accepted: 3_145_728, refused: 3_145_729, status: 413 })
      expect(await put(passing.url, '0/run/artifacts/inner', found.accepted + 1)).toBe(413)
      expect(await kept(server)).toEqual(before)
      expect(await measure(server, buffering.url), name).toMatchObject({ accepted: 73_400_320, seenThrough: false })
    } finally {
      for (const nginx of [inner, passing, buffering]) await nginx.stop()
    }
  }
})
