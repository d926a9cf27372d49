import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Part } from '../../src/stores/store.ts'
import { LabMissing, s3Sdk, shared, startVersitygw } from '../lab/index.ts'
import { freshBucket, openS3, type S3Place } from './s3-settings.ts'
import { namesIn, pieces, sendAll } from './sending.ts'

const partSize = 5 * 1024 ** 2
const { seaweed } = shared()
const gateway = await startVersitygw().catch((error: unknown) => {
  if (error instanceof LabMissing) return error
  throw error
})
afterAll(async () => {
  if (!(gateway instanceof LabMissing)) await gateway.stop()
})
const places: [name: string, place: S3Place | LabMissing][] = [
  ['SeaweedFS', seaweed],
  ['versitygw', gateway],
]

const triedOn = (name: string, at: S3Place): void => {
  let bucket = ''
  const sdk = s3Sdk(at)
  beforeAll(async () => {
    bucket = await freshBucket(sdk)
  })
  const begin = async (Key: string, how: Partial<CreateMultipartUploadCommandInput>): Promise<string> => {
    const { UploadId = '' } = await sdk.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key, ...how }))
    return UploadId
  }

  // `upload_file` of boto3 1.36 and later begins with CRC32 (COMPOSITE), older ones and rclone with nothing.
  test.each([
    ['CRC32 for each part, as boto3 begins it', { ChecksumAlgorithm: 'CRC32' }],
    ['CRC32 of the whole', { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' }],
    ['no checksum', {}],
  ] as const)('an upload that another client began with %s is taken up and completed', async (_, how) => {
    const bytes = randomBytes(2 * partSize + 5)
    const [one = bytes, two = bytes, three = bytes] = pieces(bytes, partSize)
    const key = `adopt/${randomBytes(3).toString('hex')}`
    const id = await begin(key, how)
    const Checksum = 'ChecksumAlgorithm' in how ? { ChecksumAlgorithm: 'CRC32' as const } : {}
    await sdk.send(
      new UploadPartCommand({ Bucket: bucket, Key: key, UploadId: id, PartNumber: 2, Body: two, ...Checksum }),
    )

    const store = await openS3(at.env, `s3://${bucket}/adopt`)
    const plan = { sourceSize: bytes.length, partSize }
    const upload = await store.resumeUpload(key.slice(6), id, plan)
    const held = await upload?.parts()
    expect(held).toMatchObject([{ number: 2, size: partSize }])
    const parts: Part[] = [{ ...held?.[0], number: 2, size: partSize, crc32: crc32(two) }]
    for (const [number, piece] of [
      [3, three],
      [1, one],
    ] as const) {
      const sent = await upload?.send(number, piece, crc32(piece))
      if (sent) parts.push(sent)
    }
    await upload?.complete(parts, { size: bytes.length, crc32: crc32(bytes), ifAbsent: true })
    const proof = await store.proof(key.slice(6))
    expect(proof?.size).toBe(bytes.length)
    if ('ChecksumType' in how) expect(proof?.crc32).toBe(crc32(bytes))
    for (const offset of [0, partSize - 3, 2 * partSize - 1]) {
      expect(Buffer.from(await store.read(key.slice(6), offset, 6))).toEqual(bytes.subarray(offset, offset + 6))
    }
    await store.close()
  })

  test('an upload with a checksum that cannot be made here is not taken up where the store tells', async (context) => {
    if (name === 'SeaweedFS') context.skip('ListParts of SeaweedFS does not tell the algorithm')
    const id = await begin('other/algorithm', { ChecksumAlgorithm: 'CRC64NVME' })
    const store = await openS3(at.env, `s3://${bucket}/other`)
    expect(await store.resumeUpload('algorithm', id, { sourceSize: 1, partSize: 1 })).toBeUndefined()
    expect(await store.resumeUpload('algorithm', 'no-such-upload', { sourceSize: 1, partSize: 1 })).toBeUndefined()
    // It can be given up all the same, and once more when it is gone.
    for (let n = 0; n < 2; n += 1) await store.abort({ path: 'algorithm', id })
    expect(await Array.fromAsync(store.unfinished({ path: 'algorithm' }))).toEqual([])
    await store.close()
  })

  test('many unfinished uploads come page by page, each once, several of one key included', async () => {
    const keys = ['a', 'b', 'b', 'b', 'c/d', 'c/e', 'z']
    const ids = await Promise.all(keys.map((key) => begin(`pages/${key}`, {})))
    await begin('pagesbutnot', {})
    for (const pageSize of [1, 2, 3, 1000]) {
      const store = await openS3(at.env, `s3://${bucket}/pages`, pageSize)
      const found = await Array.fromAsync(store.unfinished(), ({ id }) => id)
      expect([...found].sort(), `by ${pageSize}`).toEqual([...ids].sort())
      const exact = await Array.fromAsync(store.unfinished({ path: 'c/d' }), ({ id }) => id)
      expect(exact).toEqual([ids[4]])
      await store.close()
    }
  })

  test('many parts come page by page', async () => {
    const store = await openS3(at.env, `s3://${bucket}/parts`, 2)
    const upload = await store.openUpload('five', { sourceSize: 50, partSize: 10 })
    for (const number of [5, 1, 4, 2, 3])
      await upload.send(number, Buffer.from(`part ${number}`), crc32(`part ${number}`))
    expect((await upload.parts())?.map((part) => part.number)).toEqual([1, 2, 3, 4, 5])
    await upload.abort()
    await store.close()
  })

  test('keys that are no safe paths are told, and refused when they are used', async () => {
    // Both servers clean `..` out of a key before they store it; control codes they keep.
    for (const Key of ['evil/bell\u0007', 'evil/fine'])
      await sdk.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' }))
    const store = await openS3(at.env, `s3://${bucket}/evil`)
    // versitygw lists every control code as U+FFFD.
    const odd = name === 'versitygw' ? 'bell\uFFFD' : 'bell\u0007'
    expect(await namesIn(store.list())).toEqual([odd, 'fine'])
    await expect(store.read('bell\u0007', 0, 1)).rejects.toMatchObject({ kind: 'unsupported' })
    await store.close()
  })

  test('the checksum of checksums of another client is not taken for that of the object', async () => {
    const id = await begin('composite', { ChecksumAlgorithm: 'CRC32' })
    const part = { Bucket: bucket, Key: 'composite', UploadId: id, PartNumber: 1, Body: 'only part' }
    const { ETag, ChecksumCRC32 } = await sdk.send(new UploadPartCommand({ ...part, ChecksumAlgorithm: 'CRC32' }))
    const Parts = [{ PartNumber: 1, ETag, ChecksumCRC32 }]
    await sdk.send(
      new CompleteMultipartUploadCommand({
        Bucket: bucket,
        Key: 'composite',
        UploadId: id,
        MultipartUpload: { Parts },
      }),
    )
    const store = await openS3(at.env, `s3://${bucket}`)
    expect(await store.proof('composite')).toMatchObject({ size: 9 })
    expect((await store.proof('composite'))?.crc32).toBeUndefined()
    await store.close()
  })

  const refused: [string, Record<string, string>, string, RegExp][] = [
    ['an unknown access key', { AWS_ACCESS_KEY_ID: 'nobodyknows' }, 'unauthenticated', /AWS_ACCESS_KEY_ID/],
    ['a wrong secret', { AWS_SECRET_ACCESS_KEY: 'planted-wrong-secret' }, 'unauthenticated', /AWS_SECRET_ACCESS_KEY/],
  ]
  test.each(refused)('%s is told as such', async (_, env, kind, todo) => {
    const store = await openS3({ ...at.env, ...env }, `s3://${bucket}/x`)
    const error = await namesIn(store.list()).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ kind, todo: expect.stringMatching(todo) })
    expect(String(error)).not.toMatch(/planted|Signature=|Credential=/)
    await expect(store.openUpload('f', { sourceSize: 1, partSize: 1 })).rejects.toMatchObject({ kind })
    await store.close()
  })

  test('a bucket that is not there is not-found; a host that does not answer is unreachable', async () => {
    const store = await openS3(at.env, 's3://no-such-bucket-here/x')
    await expect(namesIn(store.list())).rejects.toMatchObject({
      kind: 'not-found',
      why: expect.stringMatching(/NoSuchBucket/),
    })
    await store.close()
    const away = await openS3({ ...at.env, MLFLOW_S3_ENDPOINT_URL: 'http://127.0.0.1:9' }, `s3://${bucket}/x`)
    await expect(namesIn(away.list())).rejects.toMatchObject({
      kind: 'unreachable',
      why: expect.stringMatching(/127\.0\.0\.1:9/),
    })
    await away.close()
  })

  test('an upload aborted by someone else is not-found when it goes on', async () => {
    const store = await openS3(at.env, `s3://${bucket}/gone`)
    const upload = await store.openUpload('f', { sourceSize: 1, partSize: 1 })
    await upload.abort()
    await expect(upload.send(1, Buffer.from('x'), crc32('x'))).rejects.toMatchObject({ kind: 'not-found' })
    await store.close()
  })
}

for (const [name, place] of places) {
  describe(name, () => {
    if (place instanceof LabMissing) test('is tried', (context) => context.skip(place.message))
    else triedOn(name, place)
  })
}

test('a file arrives with what MLFLOW_S3_UPLOAD_EXTRA_ARGS asks for', async () => {
  const bucket = await freshBucket(s3Sdk(seaweed))
  const extra = { MLFLOW_S3_UPLOAD_EXTRA_ARGS: '{"ContentType":"application/x-planted"}' }
  const store = await openS3({ ...seaweed.env, ...extra }, `s3://${bucket}/m`)
  await sendAll(store, 'MLmodel', Buffer.from('x'), { partSize, ifAbsent: true })
  const { GetObjectCommand } = await import('@aws-sdk/client-s3')
  const { ContentType } = await s3Sdk(seaweed).send(new GetObjectCommand({ Bucket: bucket, Key: 'm/MLmodel' }))
  expect(ContentType).toBe('application/x-planted')
  await store.close()
})
