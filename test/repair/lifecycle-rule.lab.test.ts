import {
  GetBucketLifecycleConfigurationCommand,
  PutBucketLifecycleConfigurationCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { examined } from '../doctor.ts'
import { home } from '../e2e/story.ts'
import { s3Sdk, shared } from '../lab/index.ts'
import { freshBucket } from '../stores/s3-settings.ts'
import { watchingProxy } from '../watching-proxy.ts'

let sdk: S3Client
let bucket: string
beforeAll(async () => {
  sdk = s3Sdk(shared().seaweed)
  bucket = await freshBucket(sdk)
  await sdk.send(new PutObjectCommand({ Bucket: bucket, Key: 'root/file', Body: 'x' }))
})
afterAll(() => sdk.destroy())

const rules = async () =>
  (await sdk.send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucket }))).Rules?.map(({ ID }) => ID)

test('a lifecycle rule is added beside those that are there, once, with consent, and not over a change', async () => {
  const { seaweed } = shared()
  const own = { ID: 'theirs', Status: 'Enabled', Filter: { Prefix: 'logs/' }, Expiration: { Days: 30 } } as const
  const put = (Rules: (typeof own)[]) =>
    sdk.send(new PutBucketLifecycleConfigurationCommand({ Bucket: bucket, LifecycleConfiguration: { Rules } }))
  await put([own])
  const env = { ...(await home()), ...seaweed.env }
  const repair = ['repair', `s3://${bucket}/root`, '--add-lifecycle-rule']
  const dry = await examined([...repair, '--dry-run'], { env })
  expect(dry.steps).toMatchObject([
    { action: 'add-lifecycle-rule', effect: 'changes-settings', because: expect.stringContaining('1 rule') },
  ])
  expect(await rules()).toEqual(['theirs'])

  // Somebody adds one between the plan and the writing: nothing is replaced.
  const proxy = await watchingProxy(seaweed.endpoint)
  let reads = 0
  proxy.meddle = async ({ method, url }): Promise<'pass'> => {
    if (method !== 'GET' || !url.includes('lifecycle')) return 'pass'
    reads += 1
    if (reads === 2) await put([own, { ...own, ID: 'newer', Filter: { Prefix: 'tmp/' } }] as never)
    return 'pass'
  }
  const raced = await examined([...repair, '--yes'], { env: { ...env, MLFLOW_S3_ENDPOINT_URL: proxy.url } })
  await proxy.stop()
  expect(raced.steps).toMatchObject([
    { state: 'failed', because: expect.stringContaining('somebody changed the rules') },
  ])
  expect(await rules()).toEqual(['theirs', 'newer'])

  const done = await examined([...repair, '--yes'], { env })
  expect(done.steps).toMatchObject([{ state: 'verified', because: expect.stringContaining('7 days') }])
  expect(await rules()).toEqual(['theirs', 'newer', 'abort-unfinished-uploads'])
  const again = await examined([...repair, '--yes'], { env })
  expect(again).toMatchObject({ steps: [], exitCode: 0 })
})
