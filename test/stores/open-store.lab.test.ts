import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openServer, type TrackingServer } from '../../src/mlflow/server.ts'
import type { Settings, Target } from '../../src/mlflow/types.ts'
import { openStore } from '../../src/stores/index.ts'
import type { Store } from '../../src/stores/store.ts'
import { scratch, shared } from '../lab/index.ts'
import { settingsWith } from './s3-settings.ts'
import { namesIn, sendAll } from './sending.ts'

const { mlflowS3, mlflowFolder, seaweed } = shared()
const experiment = `e${randomBytes(4).toString('hex')}`
const location = `mlflow-artifacts:/${experiment}/run/artifacts`
const target = (artifactUri: string): Target => ({ name: 'runs:/1', kind: 'run', artifactUri })
const { MLFLOW_S3_ENDPOINT_URL: _, ...credentialsAlone } = seaweed.env
const around = { cwd: '/nonexistent', env: {} }

let server: TrackingServer
const opened: Store[] = []
beforeAll(async () => {
  server = await openServer(settingsWith({}, mlflowS3.url))
  const store = await open(location, settingsWith({}, mlflowS3.url))
  await sendAll(store, 'sub/folder/model.bin', Buffer.from('0123456789'), { partSize: 10, ifAbsent: true })
})
afterAll(async () => {
  for (const store of opened) await store.close()
  server.close()
})

const open = async (uri: string, settings: Settings, tracking: TrackingServer | undefined = server): Promise<Store> => {
  const store = await openStore(target(uri), settings, tracking, around)
  opened.push(store)
  return store
}
const inside = `s3://${mlflowS3.bucket}/mlflow/${experiment}/run/artifacts`

test('the destination that the user gives is opened with their own credentials', async () => {
  const settings = { ...settingsWith(seaweed.env, mlflowS3.url), artifactsDestination: mlflowS3.destination }
  const store = await open(location, settings)
  expect(store).toMatchObject({ kind: 's3', route: 'store-multipart', uri: inside })
  expect(store.reached).toMatch(
    /^access key …dmin at http:\/\/127\.0\.0\.1:\d+, at the destination given by --artifacts-destination$/,
  )
  expect(await namesIn(store.list())).toEqual(['sub/folder/model.bin'])
})

test('without it, the signed address leads there when the user has set the same endpoint', async () => {
  const store = await open(location, settingsWith(seaweed.env, mlflowS3.url))
  expect(store).toMatchObject({ kind: 's3', uri: inside })
  expect(store.reached).toMatch(/signed addresses of http:\/\/127\.0\.0\.1:\d+ lead$/)
  expect(await namesIn(store.list())).toEqual(['sub/folder/model.bin'])
})

test('a root without a file is learned from a neighbour in the experiment', async () => {
  const store = await open(`mlflow-artifacts:/${experiment}/empty/artifacts`, settingsWith(seaweed.env, mlflowS3.url))
  expect(store).toMatchObject({ kind: 's3', uri: inside.replace('/run/', '/empty/') })
  expect(await namesIn(store.list())).toEqual([])
})

test('credentials go to no host that the user did not name', async () => {
  const host = new URL(seaweed.endpoint).host
  for (const env of [credentialsAlone, { ...credentialsAlone, MLFLOW_S3_ENDPOINT_URL: 'http://127.0.0.1:9' }]) {
    const store = await open(location, settingsWith(env, mlflowS3.url))
    expect(store).toMatchObject({ kind: 'proxied', route: 'signed-parts' })
    expect(store.reached).toContain(`--trust-host ${host}`)
  }
  const trusting = { ...settingsWith(credentialsAlone, mlflowS3.url), trustedHosts: [host] }
  expect(await open(location, trusting)).toMatchObject({ kind: 's3', uri: inside })
})

test.each([
  ['wrong', { AWS_SECRET_ACCESS_KEY: 'planted' }, /SignatureDoesNotMatch/],
  ['missing', { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }, /no usable credentials/],
])('with %s credentials the way through the server remains, and the report says why', async (_, env, why) => {
  const store = await open(location, settingsWith({ ...seaweed.env, ...env }, mlflowS3.url))
  expect(store.kind).toBe('proxied')
  expect(store.reached).toMatch(why)
  expect(store.reached).not.toContain('planted')
  expect(await namesIn(store.list())).toEqual(['sub/folder/model.bin'])
})

test('a large file behind an S3-backed server is read in part by its signed address, not through the server', async () => {
  const store = await open(location, settingsWith(credentialsAlone, mlflowS3.url))
  const bytes = randomBytes(6 * 1024 ** 2)
  await sendAll(store, 'large.bin', bytes, { partSize: 5 * 1024 ** 2, ifAbsent: true })
  const before = server.bytes
  let whole = 0
  const watched: TrackingServer = {
    ...server,
    bytes: (method, path, most, options) => {
      if (path.includes('/artifacts/')) whole += 1
      return before(method, path, most, options)
    },
  }
  const again = await open(location, settingsWith(credentialsAlone, mlflowS3.url), watched)
  expect(Buffer.from(await again.read('large.bin', 5_000_000, 100))).toEqual(bytes.subarray(5_000_000, 5_000_100))
  expect(whole).toBe(0)
  expect((await again.proof('large.bin'))?.etag).toMatch(/^[0-9a-f]{32}-2$/)
})

test('a server over a folder is used as it is, and as a folder where the destination is here', async () => {
  const folderServer = await openServer(settingsWith({}, mlflowFolder.url))
  const proxied = await open(location, settingsWith({}, mlflowFolder.url), folderServer)
  expect(proxied).toMatchObject({ kind: 'proxied', route: 'proxied-put' })
  expect(proxied.reached).toBe(`through the tracking server ${mlflowFolder.url}`)
  await sendAll(proxied, 'here.bin', Buffer.from('x'), { partSize: 10, ifAbsent: true })
  const settings = { ...settingsWith({}, mlflowFolder.url), artifactsDestination: mlflowFolder.destination }
  const folder = await open(location, settings, folderServer)
  expect(folder).toMatchObject({ kind: 'folder', route: 'folder-copy' })
  expect(await namesIn(folder.list())).toEqual(['here.bin'])
  folderServer.close()
})

test('a destination that is no folder here is a wrong configuration, not an empty store', async () => {
  const settings = { ...settingsWith({}, mlflowS3.url), artifactsDestination: '/no/such/folder' }
  await expect(open(location, settings)).rejects.toMatchObject({ kind: 'usage' })
})

test('locations that need no server', async () => {
  const dir = await scratch()
  await mkdir(`${dir}/with space`)
  const settings = settingsWith(seaweed.env)
  expect(await openStore(target(`file://${dir}/with%20space`), settings, undefined, around)).toMatchObject({
    kind: 'folder',
  })
  const s3 = await openStore(target(inside), settings, undefined, around)
  expect(await namesIn(s3.list({ prefix: 'sub' }))).toEqual(['sub/folder/model.bin'])
  await s3.close()
  await expect(openStore(target('hdfs://bucket/x'), settings, undefined, around)).rejects.toMatchObject({
    kind: 'unsupported',
  })
  await expect(openStore(target(location), settings, undefined, around)).rejects.toMatchObject({ kind: 'usage' })
  await expect(open('mlflow-artifacts://elsewhere:5000/1', settings)).rejects.toMatchObject({ kind: 'unsupported' })
})
