import { join } from 'node:path'
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { examined } from '../doctor.ts'
import { s3Sdk, scratch, shared, startThrottle } from '../lab/index.ts'
import { expectLoaded, findings, home, lose, repair } from './story.ts'

const size = 60_000_000

const openUploads = async (): Promise<string[]> => {
  const { seaweed, mlflowS3 } = shared()
  const { Uploads = [] } = await s3Sdk(seaweed).send(new ListMultipartUploadsCommand({ Bucket: mlflowS3.bucket }))
  return Uploads.map(({ Key }) => String(Key))
}

describe('a client killed with -9 in the middle of its upload', () => {
  test('proxied multipart: the unfinished upload is found, adopted and completed', async () => {
    const { mlflowS3, seaweed } = shared()
    const env = { ...(await home()), ...seaweed.env, MLFLOW_TRACKING_URI: mlflowS3.url }
    const args = ['--experiment', 'killed-proxied', '--file', `data.bin=${size}`, '--kill-parts', '2']
    const lost = await lose([...args, '--destination', mlflowS3.destination], {
      ...env,
      MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: '20000000',
    })
    // The store is learned from a URL that the server signs, and opened with this user's own credentials.
    const scan = await examined(['scan', `runs:/${lost.runId}`], { env })
    expect(scan.exitCode).toBe(1)
    expect(findings(scan, 'artifact/missing-files').map(({ at }) => at)).toContain(
      `models:/${lost.modelId}/artifacts/data.bin`,
    )
    expect(scan.covered.active.map(({ at }) => at)).toEqual([`models:/${lost.modelId}/artifacts/data.bin`])
    const report = await repair(lost, env)
    const step = report.steps?.find(({ path }) => path === 'artifacts/data.bin')
    expect(step).toMatchObject({ action: 'upload', route: 'store-multipart', bytes: size, state: 'verified' })
    expect(step?.reused).toBeGreaterThanOrEqual(20_000_000)
    expect((step?.sent ?? 0) + (step?.reused ?? 0)).toBe(size)
    expect(await openUploads()).not.toContainEqual(expect.stringContaining(lost.modelId))
    await expectLoaded(lost, env)
  })

  test('direct S3 (boto3): the unfinished upload is found, adopted and completed', async () => {
    const { mlflowS3, seaweed } = shared()
    const env = { ...(await home()), ...seaweed.env, MLFLOW_TRACKING_URI: mlflowS3.url }
    const location = `s3://${mlflowS3.bucket}/killed-direct`
    const slow = await startThrottle({ upstream: seaweed.endpoint, bytesPerSecond: 30_000_000 })
    const lost = await lose(
      [
        ...['--experiment', 'killed-direct-s3', '--artifact-location', location, '--file', `data.bin=${size}`],
        ...['--kill-parts', '3', '--store-endpoint', seaweed.endpoint],
      ],
      { ...env, MLFLOW_S3_ENDPOINT_URL: slow.url },
    ).finally(() => slow.stop())
    const scan = await examined(['scan', `models:/${lost.modelId}`], { env })
    expect(scan.exitCode).toBe(1)
    expect(scan.covered.active).toHaveLength(1)
    const report = await repair(lost, env)
    const step = report.steps?.find(({ path }) => path === 'artifacts/data.bin')
    // Of the three parts that were waited for, one may be the last, which is shorter: boto3 sends many at a time.
    expect(step?.reused).toBeGreaterThanOrEqual(2 * 8_388_608 + (size % 8_388_608))
    expect((step?.sent ?? 0) + (step?.reused ?? 0)).toBe(size)
    expect(await openUploads()).not.toContainEqual(expect.stringContaining(lost.modelId))
    await expectLoaded(lost, env)
  })

  test('folder store without a server: the file cut short under its final name is found, completed, and the model set READY', async () => {
    const dir = await scratch()
    const env = { ...(await home()), MLFLOW_TRACKING_URI: `sqlite:///${join(dir, 'mlflow.db')}` }
    const lost = await lose(
      [
        ...['--experiment', 'killed-folder', '--artifact-location', join(dir, 'artifacts')],
        ...['--file', 'data.bin=150000000', '--kill-written', '1000000'],
      ],
      env,
    )
    const scan = await examined(['scan', `models:/${lost.modelId}`], { env })
    expect(scan.exitCode).toBe(1)
    // MLflow writes to a plain folder under the final name: what the kill left is cut short, and only its size tells.
    expect(findings(scan, 'artifact/size-mismatch').map(({ at }) => at)).toEqual([
      `models:/${lost.modelId}/artifacts/data.bin`,
    ])
    const report = await repair(lost, env)
    expect(report.steps?.map(({ action, effect }) => `${action} ${effect}`)).toEqual([
      'upload overwrites',
      'write-manifest adds',
      'set-ready changes-status',
    ])
    await expectLoaded(lost, env)
  })
})
