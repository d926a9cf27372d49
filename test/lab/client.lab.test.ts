import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ListMultipartUploadsCommand, ListObjectsV2Command, ListPartsCommand } from '@aws-sdk/client-s3'
import { expect, onTestFinished, test } from 'vitest'
import { eventsOf, payloadSha256, python, s3Sdk, scratch, shared, startThrottle } from './index.ts'

test('a model goes through the folder-backed server and comes back byte for byte', async () => {
  const dir = await scratch()
  const env = { MLFLOW_TRACKING_URI: shared().mlflowFolder.url }
  const args = ['--file', 'data.bin=1500000:seed', '--keep', join(dir, 'kept')]
  const [saved, logged] = eventsOf(await python('log_model.py', { args, env }))
  expect(logged).toMatchObject({ event: 'logged', model_id: expect.stringMatching(/^m-/) })
  expect(await readdir(join(dir, 'kept'))).toContain('MLmodel')
  const files = saved?.files as Record<string, { bytes: number; sha256: string }>
  expect(files['artifacts/data.bin']).toEqual({ bytes: 1_500_000, sha256: payloadSha256('seed', 1_500_000) })
  const back = await python('load_model.py', { args: [`models:/${logged?.model_id}`, join(dir, 'back')], env })
  expect(eventsOf(back).at(-1)).toMatchObject({ event: 'loaded', prediction: { 'data.bin': 1_500_000 } })
  const arrived = eventsOf(back).at(-1)?.files as Record<string, unknown>
  for (const [path, file] of Object.entries(files)) expect(arrived[path]).toEqual(file)
})

test('a client killed in mid-upload to S3 leaves an open upload, and its model folder', async () => {
  const { seaweed, mlflowS3 } = shared()
  const dir = await scratch()
  const bucket = mlflowS3.bucket
  const result = await python('log_model.py', {
    args: [
      ...['--experiment', 'killed-direct', '--artifact-location', `s3://${bucket}/killed`],
      ...['--file', 'big.bin=90000000', '--kill-parts', '2'],
    ],
    env: { ...seaweed.env, MLFLOW_TRACKING_URI: mlflowS3.url, TMPDIR: dir },
  })
  expect(result.signal, `code ${result.code}: ${result.stdout} ${result.stderr}`).toBe('SIGKILL')
  const [saved, killing] = eventsOf(result)
  const s3 = s3Sdk(seaweed)
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: 'killed/' }))
  expect(Uploads.map((upload) => upload.UploadId)).toEqual([killing?.upload_id])
  const { Parts = [] } = await s3.send(
    new ListPartsCommand({ Bucket: bucket, Key: String(killing?.key), UploadId: String(killing?.upload_id) }),
  )
  expect(Parts.length).toBeGreaterThanOrEqual(2)
  expect(await readdir(String(saved?.folder))).toContain('MLmodel')
})

test('a client killed in mid-upload to a folder-backed server: the server keeps no part of the file', async () => {
  const { mlflowFolder } = shared()
  const slow = await startThrottle({ upstream: mlflowFolder.url, bytesPerSecond: 20_000_000 })
  onTestFinished(() => slow.stop())
  const result = await python('log_model.py', {
    args: [
      ...['--experiment', 'killed-proxied-folder', '--file', 'big.bin=60000000'],
      ...['--destination', mlflowFolder.destination, '--kill-written', '5000000'],
    ],
    env: { MLFLOW_TRACKING_URI: slow.url },
  })
  expect(result.signal, `code ${result.code}: ${result.stdout} ${result.stderr}`).toBe('SIGKILL')
  const staged = String(eventsOf(result).at(-1)?.path)
  expect(basename(staged)).toMatch(/^\.artifact\.uploading\./)
  await expect.poll(() => readdir(dirname(staged)), { timeout: 60_000 }).toEqual([])
})

test('a client killed while it copies to a plain folder leaves the file cut short under its own name', async () => {
  const dir = await scratch()
  const result = await python('log_model.py', {
    args: [
      ...['--experiment', 'killed-at-a-plain-folder', '--artifact-location', join(dir, 'artifacts')],
      ...['--file', 'big.bin=600000000', '--kill-written', '1000000'],
    ],
    env: { MLFLOW_TRACKING_URI: shared().mlflowFolder.url },
  })
  expect(result.signal, `code ${result.code}: ${result.stdout} ${result.stderr}`).toBe('SIGKILL')
  const cut = String(eventsOf(result).at(-1)?.path)
  expect(basename(cut)).toBe('big.bin')
  const { size } = await stat(cut)
  expect(size).toBeGreaterThanOrEqual(1_000_000)
  expect(size).toBeLessThan(600_000_000)
})

test('a model in S3 is damaged where the driver says', async () => {
  const { seaweed, mlflowS3 } = shared()
  const env = { ...seaweed.env, MLFLOW_TRACKING_URI: mlflowS3.url }
  const args = ['truncated:artifacts/data.bin', '--file', 'data.bin=300000', '--destination', mlflowS3.destination]
  const damaged = eventsOf(await python('damage.py', { args, env })).at(-1)
  expect(damaged).toMatchObject({ event: 'damaged', damage: 'truncated:artifacts/data.bin' })
  const Prefix = `mlflow/${String(damaged?.artifact_uri).replace('mlflow-artifacts:/', '')}/artifacts/`
  const { Contents = [] } = await s3Sdk(seaweed).send(new ListObjectsV2Command({ Bucket: mlflowS3.bucket, Prefix }))
  expect(Contents.map(({ Key, Size }) => [Key, Size])).toEqual([[`${Prefix}data.bin`, 150_000]])
})
