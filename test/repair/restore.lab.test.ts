import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeleteObjectCommand, GetObjectCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { examined } from '../doctor.ts'
import { home } from '../e2e/story.ts'
import { orSkip, s3Sdk, scratch, shared, startVersitygw } from '../lab/index.ts'
import { freshBucket } from '../stores/s3-settings.ts'

const content = randomBytes(300_000)

const folder = async (): Promise<string> => {
  const from = join(await scratch(), 'from')
  await mkdir(join(from, 'sub'), { recursive: true })
  await writeFile(join(from, 'sub', 'data.bin'), content)
  await writeFile(join(from, 'other.txt'), 'other')
  return from
}

describe.each(['SeaweedFS', 'versitygw'] as const)(
  'a file that was deleted from a bucket that keeps versions, on %s',
  (name) => {
    test('is restored within the store, proved by the manifest', async (context) => {
      const server =
        name === 'SeaweedFS'
          ? { ...shared().seaweed, stop: async () => undefined }
          : await orSkip(context, startVersitygw())
      const sdk = s3Sdk(server)
      try {
        const bucket = await freshBucket(sdk)
        const VersioningConfiguration = { Status: 'Enabled' } as const
        await sdk.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }))
        const env = { ...server.env, ...(await home()) }
        const target = `s3://${bucket}/root`
        expect((await examined(['upload', await folder(), target, '--yes'], { env })).exitCode).toBe(0)
        const Key = 'root/sub/data.bin'
        await sdk.send(new DeleteObjectCommand({ Bucket: bucket, Key }))
        const report = await examined(['repair', target, '--yes'], { env })
        expect(report.steps).toMatchObject([
          {
            ...{ path: 'sub/data.bin', action: 'copy', state: 'verified', sent: 0, reused: content.length },
            source: expect.stringMatching(/^version /),
            because: expect.stringContaining('the one in the manifest'),
          },
        ])
        expect(report.exitCode).toBe(0)
        const { Body } = await sdk.send(new GetObjectCommand({ Bucket: bucket, Key }))
        expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(content)).toBe(true)
      } finally {
        sdk.destroy()
        await server.stop()
      }
    })
  },
)

test('a file that a folder store staged whole and never named gets its name; another staged one does not', async () => {
  const env = await home()
  const target = join(await scratch(), 'store')
  expect((await examined(['upload', await folder(), target, '--yes'], { env })).exitCode).toBe(0)
  const stored = join(target, 'sub', 'data.bin')
  await rename(stored, join(target, 'sub', '.artifact.uploading.ab12'))
  await writeFile(join(target, 'sub', '.artifact.uploading.cd34'), randomBytes(content.length))
  const report = await examined(['repair', target, '--yes'], { env })
  expect(report.steps?.find(({ path }) => path === 'sub/data.bin')).toMatchObject({
    ...{ action: 'copy', state: 'verified', sent: 0 },
    source: expect.stringContaining('.artifact.uploading.ab12'),
  })
  expect((await readFile(stored)).equals(content)).toBe(true)
})
