/** The stories of a killed client on Azure Blob Storage, as far as Azurite is it. */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { BlobServiceClient } from '@azure/storage-blob'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { doctor, examined, reportOf } from '../doctor.ts'
import { scratch, startAzurite, startMlflow, startThrottle } from '../lab/index.ts'
import { expectLoaded, findings, home, loseWhen, repair } from './story.ts'

const MB = 1_000_000

let azurite: Awaited<ReturnType<typeof startAzurite>>
let service: BlobServiceClient
beforeAll(async () => {
  azurite = await startAzurite()
  service = BlobServiceClient.fromConnectionString(azurite.connectionString)
})
afterAll(() => azurite.stop())

/** A container of its own, and the number of uncommitted blocks in it. */
const fresh = async (name: string) => {
  const container = service.getContainerClient(name)
  await container.create()
  const uncommitted = async (): Promise<readonly string[]> => {
    const ids: string[] = []
    for await (const blob of container.listBlobsFlat({ includeUncommitedBlobs: true })) {
      const { uncommittedBlocks = [] } = await container.getBlockBlobClient(blob.name).getBlockList('uncommitted')
      ids.push(...uncommittedBlocks.map(({ name: id }) => `${blob.name} ${id}`))
    }
    return ids
  }
  return { uncommitted, location: (path: string) => `wasbs://${name}@labaccount.blob.core.windows.net/${path}` }
}

const slowly = () => startThrottle({ upstream: new URL(azurite.url).origin, bytesPerSecond: 15 * MB })

describe('Azure: a client killed with -9 in the middle of its upload', () => {
  test('direct (azure-storage-blob): the blocks are found, the file is sent anew, and nothing uncommitted is left', async () => {
    const { uncommitted, location } = await fresh('direct')
    const size = 90 * MB
    const slow = await slowly()
    const env = {
      ...(await home()),
      MLFLOW_TRACKING_URI: `sqlite:///${await scratch()}/mlflow.db`,
      AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString,
    }
    const lost = await loseWhen(
      async () => (await uncommitted()).length >= 3,
      ['--experiment', 'azure-direct', '--artifact-location', location('exp'), '--file', `data.bin=${size}`],
      { ...env, AZURE_STORAGE_CONNECTION_STRING: azurite.connectionStringBy(slow.url) },
    ).finally(() => slow.stop())
    const scan = await examined(['scan', `models:/${lost.modelId}`], { env })
    expect(scan.exitCode).toBe(1)
    const at = `models:/${lost.modelId}/artifacts/data.bin`
    expect(findings(scan, 'artifact/missing-files').map((finding) => finding.at)).toContain(at)
    // Nobody knows how old another client's blocks are.
    expect(scan.covered.active.map((active) => active.at)).toEqual([at])
    expect(scan.covered.gaps.map(({ because }) => because).join()).toContain('no times of uncommitted blocks')
    const report = await repair(lost, env)
    const step = report.steps?.find(({ path }) => path === 'artifacts/data.bin')
    expect(step).toMatchObject({ action: 'upload', route: 'store-multipart', sent: size, reused: 0 })
    expect(await uncommitted()).toEqual([])
    await expectLoaded(lost, env)
  })

  test('proxied, with credentials for the store: repaired at the store itself, over blocks that the server named', async () => {
    const { uncommitted, location } = await fresh('proxied')
    const size = 60 * MB
    const slow = await slowly()
    const server = await startMlflow({
      artifactsDestination: location('mlflow'),
      env: { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionStringBy(slow.url) },
    })
    try {
      const env = { ...(await home()), MLFLOW_TRACKING_URI: server.url }
      const lost = await loseWhen(
        async () => (await uncommitted()).length >= 2,
        ['--experiment', 'azure-proxied', '--file', `data.bin=${size}`],
        { ...env, MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: String(20 * MB) },
      )
      expect(await uncommitted()).toContainEqual(
        expect.stringMatching(`data.bin ${Buffer.from('mlflow_block_').toString('base64').slice(0, 16)}`),
      )
      const own = { ...env, AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString }
      const there = ['--artifacts-destination', location('mlflow')]
      const scan = await examined(['scan', `models:/${lost.modelId}`, ...there], { env: own })
      expect(scan.exitCode).toBe(1)
      expect(scan.covered.active).toHaveLength(1)
      const report = await repair(lost, own, there)
      const step = report.steps?.find(({ path }) => path === 'artifacts/data.bin')
      expect(step).toMatchObject({ route: 'store-multipart', sent: size, state: 'verified' })
      expect(await uncommitted()).toEqual([])
      await expectLoaded(lost, env)
    } finally {
      await server.stop()
      await slow.stop()
    }
  })

  test('proxied, without credentials for the store: put back by addresses that the server signs, and not called verified', async () => {
    const { uncommitted, location } = await fresh('signed')
    const size = 60 * MB
    const slow = await slowly()
    const server = await startMlflow({
      artifactsDestination: location('mlflow'),
      env: { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionStringBy(slow.url) },
    })
    try {
      const env = { ...(await home()), MLFLOW_TRACKING_URI: server.url }
      const lost = await loseWhen(
        async () => (await uncommitted()).length >= 2,
        ['--experiment', 'azure-signed', '--file', `data.bin=${size}`],
        { ...env, MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: String(20 * MB) },
      )
      const scan = await examined(['scan', `models:/${lost.modelId}`], { env })
      expect(scan.exitCode).toBe(1)
      const args = ['repair', `models:/${lost.modelId}`, '--from', lost.folder, '--yes']
      const report = await examined(args, { env })
      // MLflow signs no download from Azure, so nothing but the size can be looked at without fetching the whole file.
      expect(report.exitCode).toBe(1)
      const step = report.steps?.find(({ path }) => path === 'artifacts/data.bin')
      expect(step).toMatchObject({ route: 'signed-parts', sent: size, state: 'unverified' })
      expect(step?.because).toContain('only the size is known to agree')
      expect(await uncommitted()).toEqual([])
      await expectLoaded(lost, env)
    } finally {
      await server.stop()
      await slow.stop()
    }
  })
})

test('Azure itself killed with -9 in the middle of an upload, ten seconds after it took its first blocks: the same command goes on', async () => {
  const first = await startAzurite()
  await BlobServiceClient.fromConnectionString(first.connectionString).createContainer('models')
  const slow = await startThrottle({ upstream: new URL(first.url).origin, bytesPerSecond: 2 * MB })
  const from = await scratch()
  const size = 48 * 1024 ** 2
  const bytes = randomBytes(size)
  await writeFile(join(from, 'data.bin'), bytes)
  const target = 'wasbs://models@labaccount.blob.core.windows.net/killed'
  const args = ['upload', from, target, '--yes', '--json', '--settle', '0', '--memory', '4MiB']
  const state = await home()
  // What Azurite takes is on its disk only after some seconds.
  const killing = (async () => {
    while (slow.sent() < 4 * MB) await sleep(20)
    await sleep(11_000)
    await first.kill()
  })()
  const broken = await doctor(args, {
    env: { ...state, AZURE_STORAGE_CONNECTION_STRING: first.connectionStringBy(slow.url) },
  })
  await killing
  // Nobody is there to be looked at afterwards.
  expect(broken.code).toBe(3)
  await slow.stop()
  const second = await startAzurite(first)
  try {
    const again = reportOf(
      await doctor(args, { env: { ...state, AZURE_STORAGE_CONNECTION_STRING: second.connectionString } }),
    )
    const step = again.steps?.find(({ path }) => path === 'data.bin')
    expect(step).toMatchObject({ state: 'verified', bytes: size })
    expect(step?.reused).toBeGreaterThanOrEqual(4 * MB)
    const container = BlobServiceClient.fromConnectionString(second.connectionString).getContainerClient('models')
    expect((await container.getBlobClient('killed/data.bin').downloadToBuffer()).equals(bytes)).toBe(true)
  } finally {
    await second.stop()
    await first.stop()
  }
})
