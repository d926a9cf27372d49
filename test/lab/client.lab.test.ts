import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ListMultipartUploadsCommand, ListPartsCommand } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { eventsOf, payloadSha256, python, s3Sdk, scratch, shared } from './index.ts'

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
  expect(result.signal, result.stderr).toBe('SIGKILL')
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
