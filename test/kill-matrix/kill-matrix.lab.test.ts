import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { BlobServiceClient } from '@azure/storage-blob'
import { Storage } from '@google-cloud/storage'
import { expect, test } from 'vitest'
import { gcsLikeProxy } from '../gcs-like-proxy.ts'
import {
  LabMissing,
  s3Sdk,
  scratch,
  shared,
  startAzurite,
  startGcs,
  startMlflow,
  startToxiproxy,
  startVersitygw,
} from '../lab/index.ts'
import { freshBucket } from '../stores/s3-settings.ts'
import { type WatchingProxy, watchingProxy } from '../watching-proxy.ts'
import { type Cell, cells, type Fault, nameOf, type StoreName, stores } from './cells.ts'
import { type Destination, killed, type Outcome, partBytes, type Remote } from './kill.ts'

const which = process.env.MLFLOW_DOCTOR_KILL_MATRIX === 'all' ? 'all' : 'usual'
/** Those that `npm run kill-matrix -- --stores` names. */
const wanted = stores.filter((store) => process.env.MLFLOW_DOCTOR_KILL_STORES?.split(',').includes(store) ?? true)
/** Kills that met a running process. */
const least = wanted.length < stores.length ? 1 : which === 'all' ? 400 : 80

interface Row extends Cell {
  readonly outcome?: Outcome
  readonly failed?: string
}

/** One lane sends one command after the other, through a proxy of its own. */
interface Lane {
  next(): Promise<Destination>
  stop(): Promise<void>
}

const toxics = {
  reset: { type: 'reset_peer', stream: 'upstream', toxicity: 0.4, attributes: { timeout: 30 } },
  stall: { type: 'timeout', stream: 'upstream', toxicity: 0.3, attributes: { timeout: 1500 } },
  slow: { type: 'bandwidth', stream: 'upstream', attributes: { rate: 20_000 } },
  'cut reply': { type: 'limit_data', stream: 'downstream', toxicity: 0.3, attributes: { bytes: 100 } },
  'lost answer': { type: 'limit_data', stream: 'downstream', toxicity: 0.3, attributes: { bytes: 1 } },
} as const

/** What S3's own API tells of a bucket. */
const s3Remote = (sdk: S3Client, bucket: string, proxy: WatchingProxy): Remote => ({
  proxy,
  async read(Key) {
    try {
      const { Body } = await sdk.send(new GetObjectCommand({ Bucket: bucket, Key }))
      return Buffer.from((await Body?.transformToByteArray()) ?? [])
    } catch (error) {
      if (error instanceof Error && error.name === 'NoSuchKey') return undefined
      throw error
    }
  },
  async unfinished(prefix, empty) {
    const { Uploads = [] } = await sdk.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }))
    const left: string[] = []
    for (const { Key, UploadId } of Uploads) {
      const { Parts = [] } = await sdk.send(new ListPartsCommand({ Bucket: bucket, Key, UploadId }))
      if (!empty || Parts.length > 0) left.push(`${Key} ${UploadId}, ${Parts.length} parts`)
    }
    return left
  },
  async keys(prefix) {
    const { Contents = [] } = await sdk.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }))
    return Contents.map(({ Key }) => String(Key))
  },
})

/** A link through toxiproxy before the watching one, where this machine has it, and the switch for its faults. */
const faulty = async (proxy: WatchingProxy) => {
  const toxiproxy = await startToxiproxy().catch((error: unknown) => {
    if (error instanceof LabMissing) return undefined
    throw error
  })
  const link = await toxiproxy?.proxy(proxy.url)
  return {
    url: link?.url ?? proxy.url,
    async fault(wanted: Fault) {
      await link?.reset()
      const toxic = wanted in toxics ? toxics[wanted as keyof typeof toxics] : undefined
      if (toxic !== undefined) await link?.toxic(toxic)
    },
    stop: async () => toxiproxy?.stop(),
  }
}

const freshPrefix = (): string => `k${randomBytes(6).toString('hex')}`

const s3Lane = async (name: 'SeaweedFS' | 'versitygw'): Promise<Lane> => {
  const server = name === 'SeaweedFS' ? { ...shared().seaweed, stop: async () => undefined } : await startVersitygw()
  const sdk = s3Sdk(server)
  const bucket = await freshBucket(sdk)
  const proxy = await watchingProxy(server.endpoint)
  const line = await faulty(proxy)
  const remote = s3Remote(sdk, bucket, proxy)
  return {
    async next() {
      const prefix = freshPrefix()
      return {
        target: `s3://${bucket}/${prefix}`,
        ...{ prefix, options: [], fault: line.fault, remote },
        env: { ...server.env, MLFLOW_S3_ENDPOINT_URL: line.url },
      }
    },
    async stop() {
      await line.stop()
      await proxy.stop()
      sdk.destroy()
      await server.stop()
    },
  }
}

const azureLane = async (): Promise<Lane> => {
  const azurite = await startAzurite()
  const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient('kills')
  await container.create()
  const proxy = await watchingProxy(new URL(azurite.url).origin, 'azure')
  const line = await faulty(proxy)
  const remote: Remote = {
    proxy,
    read: (key) =>
      container
        .getBlobClient(key)
        .downloadToBuffer()
        .catch((error: { statusCode?: number }) => {
          if (error.statusCode === 404) return undefined
          throw error
        }),
    async unfinished(prefix) {
      const left: string[] = []
      for await (const { name } of container.listBlobsFlat({ prefix, includeUncommitedBlobs: true })) {
        const { uncommittedBlocks = [] } = await container.getBlockBlobClient(name).getBlockList('uncommitted')
        if (uncommittedBlocks.length > 0) left.push(`${name}, ${uncommittedBlocks.length} blocks`)
      }
      return left
    },
    keys: (prefix) => Array.fromAsync(container.listBlobsFlat({ prefix }), ({ name }) => name),
  }
  return {
    async next() {
      const prefix = freshPrefix()
      return {
        target: `wasbs://kills@labaccount.blob.core.windows.net/${prefix}`,
        ...{ prefix, options: [], fault: line.fault, remote },
        env: { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionStringBy(line.url) },
      }
    },
    async stop() {
      await line.stop()
      await proxy.stop()
      await azurite.stop()
    },
  }
}

const gcsLane = async (): Promise<Lane> => {
  const emulator = await startGcs()
  const bucket = new Storage({ apiEndpoint: emulator.url, projectId: 'lab' }).bucket('kills')
  await bucket.create()
  const like = await gcsLikeProxy(emulator.url)
  const proxy = await watchingProxy(like.url, { gcs: partBytes })
  const line = await faulty(proxy)
  const remote: Remote = {
    proxy,
    async read(key) {
      const answer = await fetch(`${emulator.url}/storage/v1/b/kills/o/${encodeURIComponent(key)}?alt=media`)
      const bytes = Buffer.from(await answer.arrayBuffer())
      if (answer.status === 404) return undefined
      if (!answer.ok) throw new Error(`the emulator answered ${answer.status}`)
      return bytes
    },
    // Sessions cannot be listed, here as there; uploads of the XML API can.
    unfinished: async (prefix) => like.uploads().flatMap(({ name }) => (name.startsWith(prefix) ? [name] : [])),
    async keys(prefix) {
      const [files] = await bucket.getFiles({ prefix })
      return files.map(({ name }) => name)
    },
  }
  return {
    async next() {
      const prefix = freshPrefix()
      return {
        target: `gs://kills/${prefix}`,
        ...{ prefix, options: [], fault: line.fault, remote },
        env: { STORAGE_EMULATOR_HOST: line.url },
      }
    },
    async stop() {
      await line.stop()
      await proxy.stop()
      await like.stop()
      await emulator.stop()
    },
  }
}

/** Without credentials for the store: parts go by addresses that the server signs, which lead to the proxy. */
const proxiedLane = async (): Promise<Lane> => {
  const { seaweed } = shared()
  const sdk = s3Sdk(seaweed)
  const bucket = await freshBucket(sdk)
  const proxy = await watchingProxy(seaweed.endpoint)
  const mlflow = await startMlflow({
    artifactsDestination: `s3://${bucket}/mlflow`,
    env: { ...seaweed.env, MLFLOW_S3_ENDPOINT_URL: proxy.url },
  })
  return {
    async next() {
      const answer = await fetch(`${mlflow.url}/api/2.0/mlflow/runs/create`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ experiment_id: '0' }),
      })
      const { run } = (await answer.json()) as { run: { info: { run_id: string } } }
      return {
        target: `runs:/${run.info.run_id}/to`,
        prefix: `mlflow/0/${run.info.run_id}/artifacts/to`,
        ...{ options: [], remote: s3Remote(sdk, bucket, proxy), env: { MLFLOW_TRACKING_URI: mlflow.url } },
      }
    },
    async stop() {
      await mlflow.stop()
      await proxy.stop()
      sdk.destroy()
    },
  }
}

const folderLane = async (): Promise<Lane> => ({
  async next() {
    const prefix = join(await scratch(), 'store')
    return { target: prefix, prefix, options: [], env: {} }
  },
  stop: async () => undefined,
})

const lanes: Readonly<Record<StoreName, () => Promise<Lane>>> = {
  SeaweedFS: () => s3Lane('SeaweedFS'),
  versitygw: () => s3Lane('versitygw'),
  proxied: proxiedLane,
  folder: folderLane,
  Azurite: azureLane,
  GCS: gcsLane,
}

const table = (rows: readonly Row[]): string =>
  rows
    .map(({ outcome, failed, ...cell }) => {
      const said = failed ?? `${outcome?.kills} met, ${Math.round((outcome?.reused ?? 0) / 1024)} KiB reused`
      return `${failed === undefined ? 'ok  ' : 'FAIL'} ${nameOf(cell)}: ${said}`
    })
    .join('\n')

test(`a command killed with -9 at any moment, and run again, ends byte-equal with nothing left over: at least ${least} kills`, async () => {
  const rows: Row[] = []
  const all = cells(which)
  const waiting = new Map(stores.map((store) => [store, all.filter((each) => each.store === store)]))
  // Most cells are SeaweedFS's.
  const running = [...wanted, ...wanted.filter((store) => store === 'SeaweedFS')].map(async (store) => {
    const lane = await lanes[store]().catch((error: unknown) => {
      if (error instanceof LabMissing) return undefined
      throw error
    })
    try {
      for (let cell = waiting.get(store)?.shift(); cell !== undefined; cell = waiting.get(store)?.shift()) {
        if (lane === undefined) continue
        try {
          rows.push({ ...cell, outcome: await killed(cell, await lane.next(), await scratch()) })
        } catch (error) {
          rows.push({ ...cell, failed: error instanceof Error ? error.message : String(error) })
        }
      }
    } finally {
      await lane?.stop()
    }
  })
  await Promise.all(running)
  const text = table(rows)
  const met = rows.reduce((sum, { outcome }) => sum + (outcome?.kills ?? 0), 0)
  const file = process.env.MLFLOW_DOCTOR_KILL_TABLE
  if (file !== undefined) await writeFile(file, `${text}\n${met} kills met in ${rows.length} cells\n`)
  expect(
    rows.filter(({ failed }) => failed !== undefined).map(({ outcome: _, ...row }) => row),
    text,
  ).toEqual([])
  expect(met, text).toBeGreaterThanOrEqual(least)
  for (const store of wanted.filter((each) => each === 'Azurite' || each === 'GCS')) {
    const mine = rows.filter((row) => row.store === store).reduce((sum, { outcome }) => sum + (outcome?.kills ?? 0), 0)
    expect(mine, store).toBeGreaterThanOrEqual(which === 'all' ? 50 : 10)
  }
}, 3_600_000)
