import { setTimeout as sleep } from 'node:timers/promises'
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { doctor, reportOf } from '../doctor.ts'
import { s3Sdk, shared } from '../lab/index.ts'
import { expectValid } from '../schema.ts'
import { type Seen, watchingProxy } from '../watching-proxy.ts'
import { home } from './story.ts'

const canaries = async (): Promise<unknown[]> => {
  const { seaweed, mlflowS3 } = shared()
  const s3 = s3Sdk(seaweed)
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: mlflowS3.bucket }))
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: mlflowS3.bucket }))
  return [...Uploads, ...Contents].filter(({ Key }) => Key?.includes('.mlflow-doctor-canary'))
}

test.each([
  ['the server signs the parts, and this machine holds no credentials', false],
  ['the store is opened with this machine’s credentials', true],
])('SIGINT in the middle of the canary leaves nothing in the store: %s', async (_, credentials) => {
  const { mlflowS3, seaweed } = shared()
  const tracking = await watchingProxy(mlflowS3.url)
  const store = await watchingProxy(seaweed.endpoint)
  let interrupt = () => {}
  let met = 0
  const meet = async (seen: Seen) => {
    const begun = credentials ? seen.call === 'part' : seen.url.includes('/mpu/abort/')
    if (begun && met === 0) {
      met += 1
      interrupt()
      await sleep(500)
    }
    return 'pass' as const
  }
  tracking.meddle = meet
  store.meddle = meet
  try {
    const env = {
      ...(await home()),
      ...(credentials ? { ...seaweed.env, MLFLOW_S3_ENDPOINT_URL: store.url } : {}),
      MLFLOW_TRACKING_URI: tracking.url,
    }
    const more = credentials ? ['--artifacts-destination', mlflowS3.destination] : []
    const ran = await doctor(['check', '--json', ...more], {
      env,
      started: (kill) => {
        interrupt = () => kill('SIGINT')
      },
    })
    expect(met, ran.stdout).toBe(1)
    expect(ran.code).toBe(130)
    const report = reportOf(ran)
    expectValid(report)
    expect(report).toMatchObject({ interrupted: true, exitCode: 130 })
    expect(await canaries()).toEqual([])
  } finally {
    await tracking.stop()
    await store.stop()
  }
})

test('a whole check leaves nothing in the store either', async () => {
  const { mlflowS3, seaweed } = shared()
  const env = { ...(await home()), ...seaweed.env, MLFLOW_TRACKING_URI: mlflowS3.url }
  const ran = await doctor(['check', '--json', '--artifacts-destination', mlflowS3.destination], { env })
  const canary = reportOf(ran).checks.find(({ id }) => id === 'store/multipart')
  expect(canary, ran.stdout).toMatchObject({ state: 'ok' })
  expect(ran.code).toBe(0)
  expect(await canaries()).toEqual([])
})
