/** The stories of a killed client on Azure Blob Storage, as far as Azurite is it. */
import { BlobServiceClient } from '@azure/storage-blob'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { examined } from '../doctor.ts'
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
