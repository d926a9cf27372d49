import { randomBytes, randomInt } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { openServer } from '../../src/mlflow/server.ts'
import { proxiedStore } from '../../src/stores/proxied.ts'
import type { Store } from '../../src/stores/store.ts'
import { type Transfer, transferFile } from '../../src/transfer/engine.ts'
import { s3Sdk, scratch, shared, startMlflow } from '../lab/index.ts'
import { freshBucket, settingsWith } from '../stores/s3-settings.ts'
import { type Seen, type WatchingProxy, watchingProxy } from '../watching-proxy.ts'

const MiB = 1024 ** 2
const content = randomBytes(23 * MiB + 77)

let dir: string
const proxies: WatchingProxy[] = []
const closing: (() => Promise<void>)[] = []
beforeAll(async () => {
  dir = await scratch()
  await writeFile(join(dir, 'source'), content)
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  // The lab's servers are installed below the real HOME.
  vi.unstubAllEnvs()
})
afterAll(async () => {
  for (const proxy of proxies) await proxy.stop()
})

const proxyTo = async (url: string): Promise<WatchingProxy> => {
  const proxy = await watchingProxy(url)
  proxies.push(proxy)
  return proxy
}

const open = async (url: string, env: Record<string, string> = {}): Promise<Store> => {
  const server = await openServer(settingsWith(env, url))
  const store = proxiedStore(server, `mlflow-artifacts:/engine${randomInt(1e9)}/artifacts`, 'test')
  closing.push(async () => {
    await store.close()
    server.close()
  })
  return store
}

/** By a small file that is there anyway, as MLmodel is, the store finds out whether the server has ranges. */
const withSmallFile = async (store: Store): Promise<Store> => {
  await writeFile(join(dir, 'small'), 'small')
  await transferFile(transfer(store, { source: join(dir, 'small'), path: 'MLmodel' }))
  return store
}

const transfer = (store: Store, more: Partial<Transfer> = {}): Transfer => ({
  source: join(dir, 'source'),
  store,
  path: 'model/data.bin',
  journalDir: join(dir, 'state'),
  adopt: true,
  settleMs: 0,
  memoryBytes: 20 * MiB,
  concurrency: 4,
  ifAbsent: true,
  patience: { tries: 4, pauseMs: 20 },
  ...more,
})

const stored = async (store: Store): Promise<Buffer> => {
  const { size = 0 } = (await store.stat('model/data.bin')) ?? {}
  return Buffer.from(await store.read('model/data.bin', 0, size))
}
const puts = (seen: readonly Seen[]): Seen[] => seen.filter(({ method }) => method === 'PUT')

describe('the engine through a server with a folder: one PUT', () => {
  test('sends the file and proves it by reading it back; a second time nothing is sent', async () => {
    const store = await withSmallFile(await open(shared().mlflowFolder.url))
    expect(store.route).toBe('proxied-put')
    const result = await transferFile(transfer(store))
    expect(result).toMatchObject({ sent: content.length, verified: true, how: 'every byte read back', from: 'whole' })
    expect((await stored(store)).equals(content)).toBe(true)
  })

  test('an empty file arrives', async () => {
    const store = await open(shared().mlflowFolder.url)
    await writeFile(join(dir, 'empty'), '')
    expect(await transferFile(transfer(store, { source: join(dir, 'empty') }))).toMatchObject({
      size: 0,
      verified: true,
    })
    expect(await store.stat('model/data.bin')).toMatchObject({ size: 0 })
  })

  test('an answer that is lost is no reason to send it all again', async () => {
    const proxy = await proxyTo(shared().mlflowFolder.url)
    const store = await withSmallFile(await open(proxy.url))
    proxy.meddle = ({ method }) => (method === 'PUT' ? 'lose-answer' : 'pass')
    expect(await transferFile(transfer(store))).toMatchObject({ verified: true })
    expect(puts(proxy.seen)).toHaveLength(2)
    expect((await stored(store)).equals(content)).toBe(true)
  })

  test('a connection that is cut is tried again, and progress never passes the whole', async () => {
    const proxy = await proxyTo(shared().mlflowFolder.url)
    const store = await withSmallFile(await open(proxy.url))
    let cuts = 0
    proxy.meddle = ({ method }) => {
      if (method !== 'PUT' || cuts >= 2) return 'pass'
      cuts += 1
      return 'cut'
    }
    const seen: number[] = []
    const result = await transferFile(transfer(store, { onProgress: ({ sent }) => seen.push(sent) }))
    expect(result).toMatchObject({ verified: true, sent: content.length })
    expect(Math.max(...seen)).toBe(content.length)
    expect(puts(proxy.seen)).toHaveLength(4)
  })

  test('a source that changes while it is sent leaves nothing behind on the server', async () => {
    const store = await open(shared().mlflowFolder.url)
    const source = join(dir, 'growing')
    await writeFile(source, content)
    const onProgress = ({ sent }: { sent: number }): void => {
      if (sent === 4 * MiB) appendFileSync(source, 'more')
    }
    await expect(transferFile(transfer(store, { source, onProgress }))).rejects.toMatchObject({
      kind: 'source-changed',
    })
    expect(await store.stat('model/data.bin')).toBeUndefined()
  })
})

describe('the engine through a server over S3', () => {
  const openUploads = async (store: Store): Promise<number> => {
    const { seaweed, mlflowS3 } = shared()
    const sdk = s3Sdk(seaweed)
    const { Uploads = [] } = await sdk.send(new ListMultipartUploadsCommand({ Bucket: mlflowS3.bucket }))
    sdk.destroy()
    const root = store.uri.split(':/')[1] ?? ''
    return Uploads.filter(({ Key }) => Key?.includes(root)).length
  }

  test('sends by signed parts and proves the whole by its ETag', async () => {
    const store = await open(shared().mlflowS3.url)
    expect(store.route).toBe('signed-parts')
    expect(await transferFile(transfer(store))).toMatchObject({
      sent: content.length,
      from: 'new',
      size: content.length,
    })
    expect((await stored(store)).equals(content)).toBe(true)
    expect(await openUploads(store)).toBe(0)
  })

  test('the addresses that it signs get no credentials, neither of the user for the store nor for the server', async () => {
    const { seaweed } = shared()
    const storeProxy = await proxyTo(seaweed.endpoint)
    const sdk = s3Sdk(seaweed)
    const mlflow = await startMlflow({
      artifactsDestination: `s3://${await freshBucket(sdk)}/mlflow`,
      env: { ...seaweed.env, MLFLOW_S3_ENDPOINT_URL: storeProxy.url },
    })
    closing.push(async () => {
      sdk.destroy()
      await mlflow.stop()
    })
    const serverProxy = await proxyTo(mlflow.url)
    const secrets = {
      MLFLOW_TRACKING_TOKEN: 'token-of-the-server',
      AWS_ACCESS_KEY_ID: 'KEYOFTHEUSER',
      AWS_SECRET_ACCESS_KEY: 'secret-of-the-user',
      AWS_SESSION_TOKEN: 'session-of-the-user',
    }
    const store = await open(serverProxy.url, secrets)
    const result = await transferFile(transfer(await withSmallFile(store)))
    expect(result).toMatchObject({ sent: content.length, verified: true })
    expect((await stored(store)).equals(content)).toBe(true)
    expect(serverProxy.seen.some(({ headers }) => headers.authorization === 'Bearer token-of-the-server')).toBe(true)
    const direct = storeProxy.seen.filter(({ url }) => url.includes('X-Amz-Signature='))
    expect(direct.filter(({ call }) => call === 'part').length).toBeGreaterThanOrEqual(3)
    expect(direct.some(({ method }) => method === 'GET')).toBe(true)
    for (const { headers, url } of direct) {
      expect(headers).not.toHaveProperty('authorization')
      expect(headers).not.toHaveProperty('cookie')
      const said = JSON.stringify([headers, url])
      for (const secret of Object.values(secrets)) expect(said).not.toContain(secret)
    }
  })

  test('an upload that failed is aborted, since nobody could take it up again', async () => {
    const store = await open(shared().mlflowS3.url)
    const stop = new AbortController()
    const onProgress = ({ sent }: { sent: number }): void => {
      if (sent > 0) stop.abort(new Error('interrupted'))
    }
    await expect(transferFile(transfer(store, { signal: stop.signal, onProgress }))).rejects.toThrow('interrupted')
    expect(await openUploads(store)).toBe(0)
    expect(await transferFile(transfer(store))).toMatchObject({ from: 'new', reused: 0, sent: content.length })
    expect((await readdir(join(dir, 'state'))).filter((name) => name.endsWith('.jsonl'))).toEqual([])
  })

  test('without multipart sends one PUT, and never calls verified what it could not prove', async () => {
    const store = await open(shared().mlflowS3.url, { MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: 'false' })
    expect(store.route).toBe('proxied-put')
    const result = await transferFile(transfer(store))
    expect(result).toMatchObject({ sent: content.length, from: 'whole' })
    expect(result.how).toBeTruthy()
    expect((await stored(store)).equals(content)).toBe(true)
  })
})
