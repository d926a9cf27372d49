import { ListObjectVersionsCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { examined } from '../doctor.ts'
import { home } from '../e2e/story.ts'
import { s3Sdk, startMlflow, startVersitygw } from '../lab/index.ts'
import type { MlflowServer } from '../lab/mlflow.ts'
import type { S3Server } from '../lab/seaweed.ts'

let store: S3Server
let mlflow: MlflowServer
let bucket: string
beforeAll(async () => {
  store = await startVersitygw()
  bucket = await store.bucket()
  const Status = 'Enabled'
  await s3Sdk(store).send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status } }))
  mlflow = await startMlflow({ artifactsDestination: `s3://${bucket}/root`, env: store.env })
})
afterAll(async () => {
  await mlflow?.stop()
  await store?.stop()
})

const versions = async () => {
  const { Versions = [] } = await s3Sdk(store).send(new ListObjectVersionsCommand({ Bucket: bucket }))
  return Versions.filter(({ Key }) => Key?.includes('.mlflow-doctor-canary')).map(({ Size }) => Size)
}
const check = async () => {
  const env = { ...(await home()), MLFLOW_TRACKING_URI: mlflow.url }
  const { forecast, covered } = await examined(['check', '--size', '30MB', '--as', 'log_artifact'], { env })
  return { row: forecast?.[0], told: covered.gaps.map(({ because }) => because).join('\n') }
}
const keeps = 'the bucket keeps versions of what is deleted'

test('a bucket that keeps versions: known by a stored file, it gets no canary; else one of 1 KiB', async () => {
  const first = await check()
  expect(first.row).toMatchObject({ verdict: 'unknown' })
  expect(first.row?.because).toContain(keeps)
  expect(first.told).toContain(`${keeps}, so no canary beyond the first was written`)
  expect(await versions()).toEqual([1024])

  const stored = await fetch(`${mlflow.url}/api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/a.bin`, {
    method: 'PUT',
    body: 'something',
  })
  expect(stored.status).toBe(200)
  const second = await check()
  expect(second.row).toMatchObject({ verdict: 'unknown' })
  expect(second.told).toContain(`${keeps}, so no canary was written`)
  expect(await versions()).toEqual([1024])
})
