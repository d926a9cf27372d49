/** A whole experiment on a real MLflow server and a real S3 store: what it finds, what it asks for, and that it survives a kill. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { CreateMultipartUploadCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Report } from '../../src/report.ts'
import { doctor, examined } from '../doctor.ts'
import { s3Sdk, scratch, startMlflow, startVersitygw } from '../lab/index.ts'
import { expectValid } from '../schema.ts'
import { modelFile } from '../sweep/scan.ts'
import { type WatchingProxy, watchingProxy } from '../watching-proxy.ts'

const models = 24
let mlflow: Awaited<ReturnType<typeof startMlflow>>
let store: Awaited<ReturnType<typeof startVersitygw>>
let proxy: WatchingProxy
let sdk: S3Client
let bucket = ''
let experiment = ''
let ids: string[] = []
const runs: string[] = []

const api = async <T>(method: string, path: string, body: unknown): Promise<T> => {
  const answer = await fetch(`${mlflow.url}/api/2.0/mlflow/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as T
}
const put = (key: string, body: string) =>
  sdk.send(new PutObjectCommand({ Bucket: bucket, Key: `x/${experiment}/${key}`, Body: body }))
const newRun = async (): Promise<string> => {
  const made = await api<{ run: { info: { run_id: string } } }>('POST', 'runs/create', {
    experiment_id: experiment,
    start_time: Date.now(),
  })
  const id = made.run.info.run_id
  await api('POST', 'runs/update', { run_id: id, status: 'FINISHED', end_time: Date.now() })
  runs.push(id)
  return id
}
const newModel = async (name: string): Promise<string> => {
  const made = await api<{ model: { info: { model_id: string } } }>('POST', 'logged-models', {
    experiment_id: experiment,
    name,
  })
  const id = made.model.info.model_id
  await api('PATCH', `logged-models/${id}`, { model_id: id, status: 'LOGGED_MODEL_READY' })
  return id
}
const env = () => ({
  ...store.env,
  MLFLOW_S3_ENDPOINT_URL: proxy.url,
  MLFLOW_TRACKING_URI: mlflow.url,
})
/** Each address once: what was asked again after an answer that did not come is no further question. */
const asked = (which: (url: string) => boolean) => [
  ...new Set(proxy.seen.flatMap(({ url, method }) => (method === 'GET' && which(url) ? [url] : []))),
]
const lists = () => asked((url) => url.includes('list-type=2'))
const uploadLists = () =>
  proxy.seen.filter(
    ({ url, method }) => method === 'GET' && /[?&]uploads/.test(url) && !/prefix=[^&]*data\.bin/.test(url),
  )
const reads = () => asked((url) => url.includes('MLmodel') && !url.includes('prefix='))
const found = (report: Report, id: string) =>
  report.checks.filter((check) => check.id === id).flatMap(({ findings }) => findings.map(({ at }) => at))

beforeAll(async () => {
  store = await startVersitygw()
  bucket = await store.bucket()
  proxy = await watchingProxy(store.endpoint)
  sdk = s3Sdk(store)
  mlflow = await startMlflow({
    defaultArtifactRoot: `s3://${bucket}/x`,
    env: store.env,
    args: ['--no-serve-artifacts'],
  })
  const made = await api<{ experiment_id: string }>('POST', 'experiments/create', { name: 'swept' })
  experiment = made.experiment_id
  ids = []
  for (let n = 0; n < models; n += 1) {
    const id = await newModel(`model ${n}`)
    ids.push(id)
    await put(`models/${id}/artifacts/MLmodel`, modelFile(3))
    // The seventh lacks its data.
    if (n !== 6) await put(`models/${id}/artifacts/artifacts/data.bin`, 'abc')
  }
  const [odd, , gone] = [await newRun(), await newRun(), await newRun()]
  await put(`${odd}/artifacts/a b/100%.txt`, 'x')
  await put(`${odd}/artifacts/.hidden/Grüße`, 'x')
  await put(`${gone}/artifacts/left.txt`, 'x')
  await api('POST', 'runs/delete', { run_id: gone })
  await put('backup-2019/huge.tar', 'stray')
  await put(`${'9'.repeat(32)}/artifacts/a.txt`, 'stray')
  await put('traces/tr-1/artifacts/traces.json', '{}')
})
afterAll(async () => {
  await mlflow?.stop()
  await proxy?.stop()
  await store?.stop()
})
beforeEach(() => {
  proxy.meddle = () => 'pass'
  ;(proxy.seen as unknown[]).length = 0
})

test('one listing for all runs and models, and a report that grows with what is wrong', async () => {
  const report = await examined(['scan', '--experiment', 'swept', '--depth', 'sizes'], { env: env() })
  expectValid(report)
  expect(report.covered).toMatchObject({ targets: models + 2, objects: 2 * models - 1 + 2 })
  expect(found(report, 'artifact/missing-files')).toEqual([`models:/${ids[6]}/artifacts/data.bin`])
  expect(report.checks.find(({ id, state }) => id === 'artifact/missing-files' && state === 'ok')).toMatchObject({
    targets: models + 1,
  })
  expect(lists(), lists().join('\n')).toHaveLength(1)
  // One for the experiment; what is expected and not stored is asked for by its own name.
  expect(uploadLists()).toHaveLength(1)
  expect(report.exitCode).toBe(1)
})

test('stray objects are told with --stray alone; deleted runs, traces and other runs are none', async () => {
  const report = await examined(['scan', '--all', '--stray', '--only', 'artifact/stray-objects'], { env: env() })
  expect(found(report, 'artifact/stray-objects').toSorted()).toEqual([
    `experiments:/${experiment}/${'9'.repeat(32)}`,
    `experiments:/${experiment}/backup-2019`,
  ])
})

test('a model that may not be read is told, and the others are looked at', async () => {
  proxy.meddle = ({ url, method }) =>
    method === 'GET' && url.includes(`${ids[3]}/artifacts/MLmodel`) && !url.includes('prefix=') ? 'deny' : 'pass'
  const report = await examined(['scan', '--experiment', experiment, '--depth', 'sizes'], { env: env() })
  expect(report.exitCode).toBe(3)
  const blocked = report.checks.filter(({ state }) => state === 'blocked')
  expect(new Set(blocked.map(({ target }) => target)), JSON.stringify(report.covered)).toEqual(
    new Set([`models:/${ids[3]}`]),
  )
  expect(found(report, 'artifact/missing-files')).toEqual([`models:/${ids[6]}/artifacts/data.bin`])
})

test('a run whose artifacts lie in a bucket that is gone is blocked by itself', async () => {
  const lost = await newRun()
  const db = new DatabaseSync(join(mlflow.dir, 'mlflow.db'))
  db.prepare('UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?').run(
    `s3://no-such-bucket-here/${lost}/artifacts`,
    lost,
  )
  db.close()
  const report = await examined(['scan', '--experiment', 'swept', '--depth', 'sizes'], { env: env() })
  expect(report.exitCode).toBe(3)
  const blocked = report.checks.filter(({ state }) => state === 'blocked')
  expect(new Set(blocked.map(({ target }) => target))).toEqual(new Set([`runs:/${lost}`]))
  expect(report.covered.targets).toBe(models + 3)
  await api('POST', 'runs/delete', { run_id: lost })
})

test('unfinished uploads are told of the model that they belong to, and nobody’s of the experiment', async () => {
  for (const key of [`models/${ids[0]}/artifacts/artifacts/big.bin`, 'nobody/part.bin'])
    await sdk.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: `x/${experiment}/${key}` }))
  const report = await examined(['scan', '--experiment', 'swept', '--depth', 'sizes'], { env: env() })
  expect(report.covered.active.map(({ at }) => at)).toEqual([
    `models:/${ids[0]}/artifacts/big.bin`,
    `experiments:/${experiment}/nobody/part.bin`,
  ])
})

test('killed and started again, it reads only what it had not looked at, and ends with the same report', async () => {
  const state = join(await scratch(), 'scan.json')
  const args = ['scan', '--experiment', 'swept', '--depth', 'sizes', '--state', state, '--json']
  const plain = await examined(args.slice(0, -3), { env: env() })
  const written = async (): Promise<number> => JSON.parse(await readFile(state, 'utf8')).parts?.length ?? 0
  // Slow enough that the state is written in between.
  proxy.meddle = async ({ url }) => {
    if (url.includes('MLmodel')) await pause(500)
    return 'pass' as const
  }
  const killed = await doctor(args, {
    env: env(),
    started: (kill) => {
      const watch = setInterval(() => {
        written().then(
          (n) => {
            if (n < 2) return
            clearInterval(watch)
            kill('SIGKILL')
          },
          () => undefined,
        )
      }, 100)
    },
  })
  expect(killed.signal).toBe('SIGKILL')
  const done = await written()
  expect(done).toBeGreaterThan(1)
  expect(done).toBeLessThan(models)
  proxy.meddle = () => 'pass'
  ;(proxy.seen as unknown[]).length = 0
  const report = await examined(args.slice(0, -1), { env: env() })
  expect(reads().length, reads().join('\n')).toBeLessThanOrEqual(models - done + 1)
  // What was measured of the network differs from run to run; what was counted stands in `covered`.
  const core = ({ checks, covered }: Report) => ({ checks: checks.map(({ ms, measured, ...check }) => check), covered })
  const ageless = (value: unknown) =>
    JSON.stringify(value).replace(/(?:begun|last touched) [^"]*? ago|"(?:age|begun)":\d+/g, '')
  expect(ageless(core(report))).toEqual(ageless(core(plain)))
  expect(JSON.parse(await readFile(state, 'utf8')).finishedAt).toBeDefined()
})
