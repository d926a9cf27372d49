import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import multipart from '../../../checks/store/multipart.ts'
import type { Yielded } from '../../../src/check.ts'
import { NotApplicable } from '../../../src/errors.ts'
import { openServer } from '../../../src/mlflow/server.ts'
import { type MultipartCanary, multipartCanary } from '../../../src/probes/multipart-canary.ts'
import { proxiedStore } from '../../../src/stores/proxied.ts'
import type { Store } from '../../../src/stores/store.ts'
import { keeping } from '../../keeping.ts'
import { s3Sdk, shared, startSeaweed } from '../../lab/index.ts'
import { openS3, settingsWith } from '../../stores/s3-settings.ts'

const identities = [
  { name: 'reader', accessKey: 'labreader', secretKey: 'labreadersecret', actions: ['Read', 'List'] },
  { name: 'writer', accessKey: 'labwriter', secretKey: 'labwritersecret', actions: ['Write'] },
]
let weed: Awaited<ReturnType<typeof startSeaweed>>
let bucket = ''
beforeAll(async () => {
  weed = await startSeaweed({ identities })
  bucket = await weed.bucket()
})
afterAll(() => weed.stop())

const as = (accessKey: string, secretKey: string): Promise<Store> =>
  openS3({ ...weed.env, AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey }, `s3://${bucket}/root`)

const undo: (() => Promise<void> | void)[] = []
const fly = (store: Store): Promise<MultipartCanary> =>
  multipartCanary(store, { signal: new AbortController().signal, begin: keeping(undo, '/nonexistent').upload })

const judge = async (store: Store, canary: MultipartCanary): Promise<Yielded[]> => {
  const target = { name: 'runs:/1', kind: 'run', artifactUri: store.uri } as const
  const stands = { target, store, multipartCanary: canary, signal: new AbortController().signal, progress: () => {} }
  return Array.fromAsync(multipart.run(stands))
}
const left = async () => {
  for (const act of undo.splice(0)) await act()
  const { Uploads = [] } = await s3Sdk(weed).send(new ListMultipartUploadsCommand({ Bucket: bucket }))
  const { Contents = [] } = await s3Sdk(weed).send(new ListObjectsV2Command({ Bucket: bucket }))
  return [...Uploads, ...Contents].map(({ Key }) => Key)
}

test('with all permissions nothing is found and nothing is left', async () => {
  const store = await as(weed.accessKey, weed.secretKey)
  const canary = await fly(store)
  expect(canary).toMatchObject({ listedByPrefix: true, listedByKey: true })
  expect(canary.steps).toHaveLength(5)
  expect(await judge(store, canary)).toEqual([])
  expect(await left()).toEqual([])
  await store.close()
})

test('who may only read cannot begin: an error that names s3:PutObject', async () => {
  const store = await as('labreader', 'labreadersecret')
  const found = await judge(store, await fly(store))
  expect(found).toMatchObject([
    { severity: 'error', facts: { step: 'create' }, remedy: { text: expect.stringContaining('Allow s3:PutObject ') } },
  ])
  expect(JSON.stringify(found)).not.toContain('labreadersecret')
  expect(await left()).toEqual([])
  await store.close()
})

test('who may only write is told what scan and repair miss, and the abort happens', async () => {
  const store = await as('labwriter', 'labwritersecret')
  const found = await judge(store, await fly(store))
  expect(found.map((each) => each.kind === 'finding' && [each.severity, each.facts.step])).toEqual([
    ['warning', 'list-parts'],
    ['warning', 'list-uploads'],
  ])
  expect(found).toMatchObject([
    { remedy: { text: expect.stringContaining('s3:ListMultipartUploadParts') } },
    { remedy: { text: expect.stringContaining('s3:ListBucketMultipartUploads') } },
  ])
  expect(await left()).toEqual([])
  await store.close()
})

test('through a tracking server: begun, sent by a signed address and aborted; lists are not expected', async () => {
  const { mlflowS3, mlflowFolder, seaweed } = shared()
  const server = await openServer(settingsWith({}, mlflowS3.url))
  const store = proxiedStore(server, 'mlflow-artifacts:/canary-root', 'test')
  const canary = await fly(store)
  expect(canary.steps.map(({ step, trouble }) => [step, trouble])).toEqual([
    ['create', undefined],
    ['upload-part', undefined],
    ['abort', undefined],
  ])
  expect(await judge(store, canary)).toEqual([])
  const Prefix = 'mlflow/canary-root/'
  const { Uploads = [] } = await s3Sdk(seaweed).send(
    new ListMultipartUploadsCommand({ Bucket: mlflowS3.bucket, Prefix }),
  )
  expect(Uploads).toEqual([])
  await store.close()
  server.close()

  const folderServer = await openServer(settingsWith({}, mlflowFolder.url))
  const single = proxiedStore(folderServer, 'mlflow-artifacts:/canary-root', 'test')
  await expect(fly(single)).rejects.toBeInstanceOf(NotApplicable)
  await single.close()
  folderServer.close()
})
