/** What people report of Azure and Google, met by MLflow's own client, and forecast by the check just before. */
import { BlobServiceClient } from '@azure/storage-blob'
import { Storage } from '@google-cloud/storage'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { examined } from '../../doctor.ts'
import { findings, home } from '../../e2e/story.ts'
import { gcsLikeProxy } from '../../gcs-like-proxy.ts'
import { eventsOf, python, scratch, startAzurite, startGcs, startMlflow, startThrottle } from '../../lab/index.ts'

const MB = 1_000_000
const MiB = 1024 ** 2

let azurite: Awaited<ReturnType<typeof startAzurite>>
let google: Awaited<ReturnType<typeof startGcs>>
let like: Awaited<ReturnType<typeof gcsLikeProxy>>
beforeAll(async () => {
  ;[azurite, google] = await Promise.all([startAzurite(), startGcs()])
  like = await gcsLikeProxy(google.url)
  await BlobServiceClient.fromConnectionString(azurite.connectionString).createContainer('models')
  await new Storage({ apiEndpoint: google.url, projectId: 'lab' }).createBucket('models')
})
afterAll(async () => {
  await like.stop()
  await Promise.all([azurite.stop(), google.stop()])
})

/** MLflow's repository of that location, one try of its library. */
const logs = async (location: string, size: number, env: Record<string, string>) => {
  const ran = await python('log_file.py', { args: [location, String(size)], env })
  const [event] = eventsOf(ran)
  if (event === undefined) throw new Error(ran.stderr)
  return event as { event: 'logged' | 'failed'; error?: string; seconds: number }
}

/** The forecast for one file of that size, logged to an experiment at that location. */
const forecastOf = async (location: string, size: number, env: Record<string, string>, traffic: number) => {
  const tracking = { ...(await home()), MLFLOW_TRACKING_URI: `sqlite:///${await scratch()}/mlflow.db` }
  const made = await python('experiment.py', { args: ['clouds', location], env: tracking })
  expect(eventsOf(made)).toMatchObject([{ event: 'made' }])
  const args = ['check', '--experiment', 'clouds', '--as', 'log_artifact', '--size', String(size)]
  const report = await examined([...args, '--traffic', String(traffic)], { env: { ...tracking, ...env } })
  return { report, row: report.forecast?.[0] }
}

test('Azure Blob: the write operation times out, since 20 s are all that one request of 40 MB gets', async () => {
  const slow = await startThrottle({ upstream: new URL(azurite.url).origin, bytesPerSecond: 1.2 * MB })
  try {
    const env = { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionStringBy(slow.url) }
    const location = 'wasbs://models@labaccount.blob.core.windows.net/slow'
    const { report, row } = await forecastOf(location, 40 * MB, env, 6 * MB)
    expect(row).toMatchObject({ verdict: 'fails', hop: 'client', limit: { max: 20_000, unit: 'ms' } })
    expect(findings(report, 'client/request-time')[0]?.says).toContain(
      'azure-storage-blob sends up to 64 MiB in one request',
    )
    const logged = await logs(location, 40 * MB, env)
    expect(logged).toMatchObject({ event: 'failed', error: expect.stringContaining('timed out') })
    expect(logged.seconds).toBeLessThan(30)
  } finally {
    await slow.stop()
  }
})

test('Google Cloud Storage: a chunk of 100 MiB times out, and one of the size that the check prints does not', async () => {
  const slow = await startThrottle({ upstream: like.url, bytesPerSecond: 5 * MB })
  try {
    const env = { STORAGE_EMULATOR_HOST: slow.url, MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT: '3' }
    const { row } = await forecastOf('gs://models/slow', 40 * MB, env, 16 * MB)
    expect(row).toMatchObject({
      verdict: 'fails',
      hop: 'client',
      limit: { setting: 'MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT', max: 3000, unit: 'ms' },
    })
    const failed = await logs('gs://models/slow', 40 * MB, env)
    expect(failed).toMatchObject({ event: 'failed', error: expect.stringMatching(/timed? ?out/i) })
    const [, chunk = ''] = /MLFLOW_GCS_UPLOAD_CHUNK_SIZE=(\d+)/.exec(row?.remedy?.commands?.join() ?? '') ?? []
    const mended = { ...env, MLFLOW_GCS_UPLOAD_CHUNK_SIZE: chunk }
    expect((await forecastOf('gs://models/mended', 40 * MB, mended, 16 * MB)).row?.verdict).toBe('passes')
    expect(await logs('gs://models/mended', 40 * MB, mended)).toMatchObject({ event: 'logged' })
  } finally {
    await slow.stop()
  }
})

test('Azure behind a server: MLflow names a block too long (Azurite refuses the tenth already), and the chunk size that the check prints mends it', async () => {
  const server = await startMlflow({
    artifactsDestination: 'wasbs://models@labaccount.blob.core.windows.net/blocks',
    env: { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString },
  })
  try {
    const size = 60 * MiB
    const parts = {
      MLFLOW_TRACKING_URI: server.url,
      MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: String(5 * MiB),
      MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE: String(5 * MiB),
      MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0',
    }
    const check = async (env: Record<string, string>) => {
      const args = ['check', '--as', 'log_artifact', '--size', String(size), '--traffic', String(20 * MiB)]
      return examined(args, { env: { ...(await home()), ...env } })
    }
    const { forecast: [row] = [], limits = [] } = await check(parts)
    // The signatures tell when they end.
    const lifetime = limits.find(({ setting }) => setting === 'lifetime of signed addresses')?.max
    expect(lifetime && 'ms' in lifetime && lifetime.ms).toBeGreaterThan(3_500_000)
    expect(lifetime && 'ms' in lifetime && lifetime.ms).toBeLessThanOrEqual(3_600_000)
    expect(row).toMatchObject({ verdict: 'fails', limit: { setting: 'block names of MLflow on Azure', max: 45 * MiB } })
    const failed = await logs('mlflow-artifacts:/0/few', size, parts)
    expect(failed).toMatchObject({ event: 'failed' })
    expect(failed.error).toContain('InvalidBlobOrBlock')
    const [, chunk = ''] = /MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE=(\d+)/.exec(row?.remedy?.commands?.join() ?? '') ?? []
    const mended = { ...parts, MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE: chunk }
    expect((await check(mended)).forecast?.[0]?.limit?.setting).not.toBe('block names of MLflow on Azure')
    expect(await logs('mlflow-artifacts:/0/enough', size, mended)).toMatchObject({ event: 'logged' })
  } finally {
    await server.stop()
  }
})
