import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { BlobServiceClient } from '@azure/storage-blob'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { azureStore } from '../../src/stores/azure.ts'
import { parseAzureUri } from '../../src/stores/azure-address.ts'
import { connectAzure } from '../../src/stores/azure-client.ts'
import { azureLikeProxy } from '../azure-like-proxy.ts'
import { startAzurite } from '../lab/azurite.ts'

const azurite = await startAzurite()
const proxy = await azureLikeProxy(new URL(azurite.url).origin)
afterAll(async () => {
  await proxy.stop()
  await azurite.stop()
})
const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient('models')
await container.create()
beforeEach(() => {
  Object.assign(proxy, { legalHold: false, containerRefused: false, deleteRefused: false })
})

const open = async (scheme: 'wasbs' | 'abfss' = 'wasbs') => {
  const host = scheme === 'wasbs' ? 'blob' : 'dfs'
  const address = parseAzureUri(`${scheme}://models@labaccount.${host}.core.windows.net/root`)
  const env = { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionStringBy(proxy.url) }
  return azureStore(await connectAzure(address, { requestTimeoutMs: 30_000, trustedHosts: [] }, env), address, 'test')
}

const piece = randomBytes(1000)
const plan = { sourceSize: 2000, partSize: 1000 }
const uncommitted = async (path: string): Promise<number> => {
  const list = await container
    .getBlockBlobClient(`root/${path}`)
    .getBlockList('all')
    .catch(() => undefined)
  return list?.uncommittedBlocks?.length ?? 0
}
const exists = (path: string): Promise<boolean> => container.getBlobClient(`root/${path}`).exists()
/** As azure-storage-blob of Python names them: ids of other lengths than ours. */
const stageForeign = (path: string, id: string) =>
  container.getBlockBlobClient(`root/${path}`).stageBlock(Buffer.from(id).toString('base64'), piece, piece.length)

describe('giving up blocks (wrapper: as Azure is documented)', () => {
  test('of a blob that is not there, they are discarded by an empty blob that goes again', async () => {
    const store = await open()
    const upload = await store.openUpload('new', plan)
    await upload.send(1, piece, crc32(piece))
    await upload.abort()
    expect(await uncommitted('new')).toBe(0)
    expect(await exists('new')).toBe(false)
  })

  test.each([
    ['is under a legal hold', { legalHold: true }, 'the container keeps every blob (a legal hold)'],
    ['cannot be looked at', { containerRefused: true }, 'whether the container allows that cannot be read'],
  ])('where the container %s, nothing is written, and the blocks are left to go by themselves', async (_, how, why) => {
    Object.assign(proxy, how)
    const store = await open()
    const path = `held-${Object.keys(how)}`
    const upload = await store.openUpload(path, plan)
    await upload.send(1, piece, crc32(piece))
    await expect(upload.abort()).rejects.toMatchObject({ kind: 'unsupported', why: expect.stringContaining(why) })
    expect(await uncommitted(path)).toBe(1)
    expect(await exists(path)).toBe(false)
  })

  test('who may not remove blobs writes none', async () => {
    proxy.deleteRefused = true
    const store = await open()
    const upload = await store.openUpload('undeletable', plan)
    await upload.send(1, piece, crc32(piece))
    await expect(upload.abort()).rejects.toMatchObject({
      kind: 'denied',
      action: expect.stringContaining('blobs/delete'),
    })
    expect(await exists('undeletable')).toBe(false)
    expect(proxy.seen.filter((line) => /PUT .*undeletable.*comp=blocklist/.test(line))).toEqual([])
  })

  test('over a blob of blocks, what is committed is committed again, with its metadata; over one that was put whole, they stay', async () => {
    const store = await open()
    const blob = container.getBlockBlobClient('root/over')
    const id = Buffer.from('a'.repeat(20)).toString('base64')
    await blob.stageBlock(id, piece, piece.length)
    await blob.commitBlockList([id], { metadata: { mine: 'kept' }, blobHTTPHeaders: { blobContentType: 'text/x' } })
    await stageForeign('over', 'b'.repeat(20))
    const [left] = await Array.fromAsync(store.unfinished({ path: 'over' }))
    if (left === undefined) throw new Error('it is not listed')
    await store.abort(left)
    expect(await uncommitted('over')).toBe(0)
    expect(await blob.getProperties()).toMatchObject({
      contentLength: 1000,
      contentType: 'text/x',
      metadata: { mine: 'kept' },
    })

    await container.getBlockBlobClient('root/whole').upload(piece, piece.length)
    await stageForeign('whole', 'b'.repeat(20))
    await expect(store.abort({ path: 'whole', id: 'foreign' })).rejects.toMatchObject({
      kind: 'unsupported',
      why: expect.stringContaining('put in one request'),
    })
    expect(await exists('whole')).toBe(true)
  })

  test('what the container keeps is told', async () => {
    const store = await open()
    expect(await store.keeping?.()).toMatchObject({ removedDays: expect.any(Number), unread: [] })
    proxy.legalHold = true
    expect(await store.keeping?.()).toMatchObject({ locked: 'a legal hold' })
    proxy.containerRefused = true
    expect((await store.keeping?.())?.unread).toHaveLength(1)
  })
})

describe('blocks of another client', () => {
  test.each(['mlflow_block_1', 'x'.repeat(48)])(
    'of the form %j dictate the length of our ids, and go when we commit',
    async (id) => {
      const store = await open()
      const path = `beside-${id.length}`
      await stageForeign(path, id)
      const bytes = randomBytes(2000)
      const upload = await store.openUpload(path, plan)
      const parts = [bytes.subarray(0, 1000), bytes.subarray(1000)].map((part, n) =>
        upload.send(n + 1, part, crc32(part)),
      )
      await upload.complete(await Promise.all(parts), { size: 2000, crc32: crc32(bytes), ifAbsent: true })
      expect(Buffer.from(await store.read(path, 0, 2000))).toEqual(bytes)
      expect(await uncommitted(path)).toBe(0)
    },
  )

  test('with ids too short for ours stop the upload', async () => {
    const store = await open()
    await stageForeign('short', 'abc')
    await expect(store.openUpload('short', plan)).rejects.toMatchObject({
      kind: 'conflict',
      why: expect.stringContaining('whose ids have 3 bytes'),
    })
  })

  test('that come while we send stop the commit', async () => {
    const store = await open()
    const upload = await store.openUpload('meanwhile', plan)
    const parts = [await upload.send(1, piece, crc32(piece)), await upload.send(2, piece, crc32(piece))]
    await stageForeign('meanwhile', 'y'.repeat(24))
    const whole = { size: 2000, crc32: crc32(Buffer.concat([piece, piece])), ifAbsent: true }
    await expect(upload.complete(parts, whole)).rejects.toMatchObject({
      kind: 'conflict',
      why: expect.stringContaining('another client stages blocks'),
    })
    expect(await exists('meanwhile')).toBe(false)
  })

  test('are one upload of unknown age, ours one of a known', async () => {
    const store = await open()
    await stageForeign('ages', 'z'.repeat(24))
    const upload = await store.openUpload('ages', plan)
    await upload.send(1, piece, crc32(piece))
    const found = await Array.fromAsync(store.unfinished({ path: 'ages' }))
    expect(found.find(({ id }) => id === 'foreign')).toEqual({ path: 'ages', id: 'foreign' })
    const own = found.find(({ id }) => id === upload.id)
    expect(Math.abs((own?.initiated ?? 0) - Date.now())).toBeLessThan(120_000)
  })
})

test('a leased blob is no place to write to, and the sentence says so', async () => {
  const store = await open()
  const blob = container.getBlockBlobClient('root/leased')
  await blob.upload(piece, piece.length)
  await blob.getBlobLeaseClient().acquireLease(15)
  const upload = await store.openUpload('leased', plan)
  const parts = Promise.all([upload.send(1, piece, crc32(piece)), upload.send(2, piece, crc32(piece))])
  const done = parts.then((sent) =>
    upload.complete(sent, { size: 2000, crc32: crc32(Buffer.concat([piece, piece])), ifAbsent: false }),
  )
  await expect(done).rejects.toMatchObject({ kind: 'denied', todo: expect.stringContaining('lease') })
})

test('a location of the data lake is opened through its Blob endpoint', async () => {
  const [blob, lake] = [await open('wasbs'), await open('abfss')]
  await blob.putOne?.('same', piece, crc32(piece), { ifAbsent: true })
  expect(lake.uri).toBe('abfss://models@labaccount.dfs.core.windows.net/root')
  expect(await lake.stat('same')).toMatchObject({ size: 1000 })
})
