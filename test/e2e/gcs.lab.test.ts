/** The stories of a killed client on Google Cloud Storage, as far as gcp-storage-emulator, behind a wrapper, is it. */
import { randomBytes } from 'node:crypto'
import { Storage } from '@google-cloud/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { examined } from '../doctor.ts'
import { type GcsLikeProxy, gcsLikeProxy } from '../gcs-like-proxy.ts'
import { scratch, startGcs, startMlflow, startThrottle } from '../lab/index.ts'
import { expectLoaded, findings, home, lose, loseWhen, repair } from './story.ts'

const MB = 1_000_000
const size = 40 * MB

let emulator: Awaited<ReturnType<typeof startGcs>>
let proxy: GcsLikeProxy
beforeAll(async () => {
  emulator = await startGcs()
  proxy = await gcsLikeProxy(emulator.url)
})
afterAll(async () => {
  await proxy.stop()
  await emulator.stop()
})

const bucket = async (name: string): Promise<string> => {
  await new Storage({ apiEndpoint: emulator.url, projectId: 'lab' }).createBucket(name)
  return `gs://${name}`
}

const stepOf = (report: Awaited<ReturnType<typeof repair>>) =>
  report.steps?.find(({ path }) => path === 'artifacts/data.bin')

describe('Google: a client killed with -9 in the middle of its upload', () => {
  test('direct (google-cloud-storage): the file is found missing, sent anew, and loads', async () => {
    const root = await bucket('direct')
    const env = {
      ...(await home()),
      MLFLOW_TRACKING_URI: `sqlite:///${await scratch()}/mlflow.db`,
      STORAGE_EMULATOR_HOST: proxy.url,
    }
    const chunks = () => proxy.seen.filter(({ range }) => /^bytes \d+-/.test(range ?? '')).length
    const lost = await loseWhen(
      async () => chunks() >= 3,
      ['--experiment', 'gcs-direct', '--artifact-location', `${root}/exp`, '--file', `data.bin=${size}`],
      { ...env, MLFLOW_GCS_UPLOAD_CHUNK_SIZE: String(1024 ** 2) },
    )
    const scan = await examined(['scan', `models:/${lost.modelId}`], { env })
    expect(scan.exitCode).toBe(1)
    expect(findings(scan, 'artifact/missing-files').map(({ at }) => at)).toContain(
      `models:/${lost.modelId}/artifacts/data.bin`,
    )
    expect(scan.covered.gaps.map(({ because }) => because).join()).toContain('lists no resumable upload sessions')
    const step = stepOf(await repair(lost, env))
    expect(step).toMatchObject({ action: 'upload', route: 'store-multipart', sent: size, reused: 0 })
    await expectLoaded(lost, env)
    // Other bytes of the same size show without a read, by the CRC-32C that the manifest has noted.
    const files = new Storage({ apiEndpoint: emulator.url, projectId: 'lab' }).bucket('direct')
    const [stored] = await files.getFiles()
    const data = stored.find(({ name }) => name.endsWith('/data.bin'))
    await data?.save(randomBytes(size), { resumable: false, validation: false })
    const [other] = findings(await examined(['scan', `models:/${lost.modelId}`], { env }), 'artifact/content')
    expect(other).toMatchObject({ at: `models:/${lost.modelId}/artifacts/data.bin` })
    expect(other?.says).toContain('CRC-32C')
  })

  test('proxied, in one request: repaired at the store itself', async () => {
    const root = await bucket('proxied')
    const server = await startMlflow({
      artifactsDestination: `${root}/mlflow`,
      env: { STORAGE_EMULATOR_HOST: proxy.url },
    })
    const slow = await startThrottle({ upstream: server.url, bytesPerSecond: 10 * MB })
    try {
      const env = { ...(await home()), MLFLOW_TRACKING_URI: server.url }
      const lost = await loseWhen(
        async () => slow.sent() > 15 * MB,
        ['--experiment', 'gcs-proxied', '--file', `data.bin=${size}`],
        { ...env, MLFLOW_TRACKING_URI: slow.url },
      )
      const own = { ...env, STORAGE_EMULATOR_HOST: proxy.url }
      const there = ['--artifacts-destination', `${root}/mlflow`]
      const scan = await examined(['scan', `models:/${lost.modelId}`, ...there], { env: own })
      expect(scan.exitCode).toBe(1)
      const step = stepOf(await repair(lost, own, there))
      expect(step).toMatchObject({ route: 'store-multipart', sent: size, state: 'verified' })
      await expectLoaded(lost, env)
    } finally {
      await slow.stop()
      await server.stop()
    }
  })

  test('proxied, by a server that cannot sign (wrapper of the XML API): check says so, the upload that it began is found, taken up and completed', async () => {
    const root = await bucket('unsigned')
    const server = await startMlflow({
      artifactsDestination: `${root}/mlflow`,
      env: { STORAGE_EMULATOR_HOST: proxy.url },
    })
    try {
      const env = { ...(await home()), MLFLOW_TRACKING_URI: server.url }
      const check = await examined(['check', '--size', '600MB', '--as', 'log_artifact'], { env })
      expect(check.exitCode).toBe(1)
      expect(findings(check, 'store/multipart')[0]?.says).toContain('offers to sign addresses for parts, and cannot')
      expect(check.forecast?.[0]).toMatchObject({ verdict: 'fails', limit: { setting: 'signing of parts' } })
      // Each try of MLflow's server leaves one; the check makes no second.
      expect(proxy.uploads().filter(({ name }) => name.includes('canary'))).toHaveLength(1)
      const lost = await lose(['--experiment', 'gcs-unsigned', '--file', `data.bin=${size}`], {
        ...env,
        MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: String(20 * MB),
        MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0',
      })
      expect(lost.stderr).toContain('too many 500 error responses')
      const own = { ...env, STORAGE_EMULATOR_HOST: proxy.url }
      const there = ['--artifacts-destination', `${root}/mlflow`]
      const scan = await examined(['scan', `models:/${lost.modelId}`, ...there], { env: own })
      expect(scan.exitCode).toBe(1)
      expect(scan.covered.active).toHaveLength(1)
      const step = stepOf(await repair(lost, own, there))
      expect(step).toMatchObject({ route: 'store-multipart', sent: size, state: 'verified' })
      await expectLoaded(lost, env)
    } finally {
      await server.stop()
    }
  })
})
