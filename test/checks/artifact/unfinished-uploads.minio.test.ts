/** MinIO itself, which takes six minutes to build: `npm run test:minio`. The lab's keys-only proxy stands in for it in `npm test`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ListMultipartUploadsCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { examined } from '../../doctor.ts'
import { findings } from '../../e2e/story.ts'
import { s3Sdk } from '../../lab/index.ts'
import { startMinio } from '../../lab/minio.ts'
import { beginAll } from '../../stores/begun.ts'

let minio: Awaited<ReturnType<typeof startMinio>>
beforeAll(async () => {
  minio = await startMinio()
})
afterAll(() => minio?.stop())

const modelFile = 'flavors:\n  python_function:\n    artifacts:\n      data:\n        path: artifacts/data.bin\n'

test('an upload of an expected key is found, also after a restart; one that nobody expects is not, and that is told', async () => {
  const sdk = s3Sdk(minio)
  const Bucket = await minio.bucket()
  const root = '1/models/m-0123456789abcdef0123456789abcdef/artifacts'
  await sdk.send(new PutObjectCommand({ Bucket, Key: `${root}/MLmodel`, Body: modelFile }))
  await beginAll(sdk, Bucket, [`${root}/artifacts/data.bin`, `${root}/other.bin`], () => 'part')
  const look = async () => {
    // Its clock shows whole seconds.
    await sleep(1000)
    // What the facts about MinIO rest on: a folder as the prefix shows nothing.
    const { Uploads = [] } = await sdk.send(new ListMultipartUploadsCommand({ Bucket, Prefix: `${root}/` }))
    expect(Uploads).toEqual([])
    const report = await examined(['scan', `s3://${Bucket}/${root}`, '--older-than', '0s'], { env: minio.env })
    expect(findings(report, 'artifact/unfinished-uploads')).toMatchObject([
      { at: expect.stringMatching(/artifacts\/data\.bin$/), facts: { parts: 1, stored: 4 } },
    ])
    expect(report.covered.gaps.filter(({ about }) => about === 'orphans')).toMatchObject([
      {
        because: expect.stringMatching(/^this store lists an unfinished upload only by its exact key/),
        unexpected: false,
      },
    ])
    expect(
      (await examined(['scan', `s3://${Bucket}/${root}`, '--require', 'orphans'], { env: minio.env })).exitCode,
    ).toBe(3)
  }
  await look()
  await minio.restart()
  await look()
})
