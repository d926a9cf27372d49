import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Want } from '../../src/check.ts'
import type { LoggedModel, Target } from '../../src/mlflow/types.ts'
import { apply } from '../../src/repair/apply.ts'
import { plan } from '../../src/repair/plan.ts'
import type { Place, RepairOptions } from '../../src/repair/types.ts'
import type { Step } from '../../src/report.ts'
import type { Store } from '../../src/stores/store.ts'
import { openTree } from '../../src/transfer/source.ts'
import { s3Sdk, scratch, shared } from '../lab/index.ts'
import { freshBucket, openS3 } from '../stores/s3-settings.ts'

const MiB = 1024 ** 2
const modelId = `m-${'b'.repeat(32)}`
const model: LoggedModel = {
  ...{ modelId, experimentId: '1', name: 'm', status: 'PENDING', artifactUri: 's3://b/m' },
}
const target: Target = { name: `models:/${modelId}`, kind: 'model', artifactUri: 's3://b/m', model }
const data = randomBytes(21 * MiB + 3)

let sdk: S3Client
let bucket: string
let dir: string
let store: Store
let root = 0
beforeAll(async () => {
  const { seaweed } = shared()
  sdk = s3Sdk(seaweed)
  bucket = await freshBucket(sdk)
  dir = await scratch()
  await mkdir(join(dir, 'from'))
  await writeFile(join(dir, 'from', 'MLmodel'), `flavors:\n  python_function: {}\nmodel_id: ${modelId}\n`)
  await writeFile(join(dir, 'from', 'big'), data)
})
beforeEach(async () => {
  root += 1
  await store?.close()
  store = await openS3(shared().seaweed.env, `s3://${bucket}/r${root}`)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await store.close()
  sdk.destroy()
})

const key = (path: string) => ({ Bucket: bucket, Key: `r${root}/${path}` })
const options = (more: Partial<RepairOptions> = {}): RepairOptions => ({
  overwrite: new Set(),
  abortOrphans: false,
  orphanAgeMs: 24 * 3_600_000,
  settleMs: 200,
  manifest: 'none',
  verification: 'full',
  memoryBytes: 20 * MiB,
  concurrency: 4,
  journalDir: join(dir, `state${root}`),
  sightings: new Map(),
  ...more,
})
const repair = async (wants: readonly Want[], more: Partial<RepairOptions> = {}): Promise<readonly Step[]> => {
  const place: Place = { target, store, source: await openTree(join(dir, 'from'), target) }
  const how = options(more)
  return apply(await plan(wants, [place], how), { ...how, places: [place], doubt: async () => undefined })
}
const big: Want = { want: 'file', target: target.name, path: 'big', bytes: data.length }
const stored = async (): Promise<Buffer> => {
  const { Body } = await sdk.send(new GetObjectCommand(key('big')))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}
const begin = async (path: string, numbers: readonly number[]): Promise<string> => {
  const { UploadId = '' } = await sdk.send(new CreateMultipartUploadCommand(key(path)))
  for (const PartNumber of numbers) {
    const Body = data.subarray((PartNumber - 1) * 8 * MiB, PartNumber * 8 * MiB)
    await sdk.send(new UploadPartCommand({ ...key(path), UploadId, PartNumber, Body }))
  }
  return UploadId
}
const openUploads = async (): Promise<(string | undefined)[]> => {
  const { Uploads = [] } = await sdk.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: `r${root}/` }))
  return Uploads.map(({ UploadId }) => UploadId)
}

test('a short object that is the beginning of the file is completed, shown by its MD5', async () => {
  await sdk.send(new PutObjectCommand({ ...key('big'), Body: data.subarray(0, 6 * MiB) }))
  expect(await repair([big])).toMatchObject([{ effect: 'overwrites', state: 'verified' }])
  expect((await stored()).equals(data)).toBe(true)
})

test('one whose ETag tells nothing is read back in ranges, and one that differs needs consent', async () => {
  const unlike = Buffer.from(data.subarray(0, 6 * MiB))
  unlike[5 * MiB] = (unlike[5 * MiB] ?? 0) ^ 1
  await sdk.send(new PutObjectCommand({ ...key('big'), Body: unlike }))
  expect(await repair([big])).toMatchObject([
    { state: 'declined', sent: 0, because: expect.stringContaining('--overwrite big') },
  ])
  expect((await stored()).equals(unlike)).toBe(true)
  expect(await repair([big], { overwrite: new Set(['big']) })).toMatchObject([{ state: 'verified' }])
  expect((await stored()).equals(data)).toBe(true)
})

test.each(['openUpload', 'complete'] as const)('an object written during %s is not replaced', async (during) => {
  await sdk.send(new PutObjectCommand({ ...key('big'), Body: data.subarray(0, 6 * MiB) }))
  const longer = randomBytes(data.length + 5)
  const real = store
  const write = () => sdk.send(new PutObjectCommand({ ...key('big'), Body: longer }))
  store = {
    ...real,
    async openUpload(...args) {
      const upload = await real.openUpload(...args)
      if (during === 'openUpload') await write()
      // After the last look of the engine: only the store itself can refuse now.
      const complete: typeof upload.complete = async (...how) => {
        if (during === 'complete') await write()
        return upload.complete(...how)
      }
      return { ...upload, complete }
    },
  }
  expect(await repair([big])).toMatchObject([
    { effect: 'overwrites', state: 'failed', because: expect.stringContaining('changed since the plan') },
  ])
  expect((await stored()).equals(longer)).toBe(true)
})

test('an unfinished upload of the file is taken up, and nothing is left open', async () => {
  const uploadId = await begin('big', [1, 2])
  const settled: Want = { want: 'upload-settled', target: target.name, path: 'big', uploadId }
  expect(await repair([big, settled])).toMatchObject([{ state: 'verified', reused: 16 * MiB, sent: 5 * MiB + 3 }])
  expect((await stored()).equals(data)).toBe(true)
  expect(await openUploads()).toEqual([])
})

test('an upload of another file is aborted with consent, once it is old enough', async () => {
  const uploadId = await begin('gone', [1])
  const settled: Want = { want: 'upload-settled', target: target.name, path: 'gone', uploadId }
  expect(await repair([settled])).toMatchObject([{ state: 'declined' }])
  expect(await repair([settled], { abortOrphans: true })).toMatchObject([{ state: 'declined', bytes: 8 * MiB }])
  expect(await openUploads()).toEqual([uploadId])
  await new Promise((done) => setTimeout(done, 2500))
  const steps = await repair([settled], { abortOrphans: true, orphanAgeMs: 1000 })
  expect(steps).toMatchObject([{ state: 'verified', action: 'abort-upload' }])
  expect(await openUploads()).toEqual([])
})
