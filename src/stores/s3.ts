import type { IncomingHttpHeaders } from 'node:http'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
} from '@aws-sdk/client-s3'
import { Trouble } from '../errors.ts'
import { firstBytes } from '../first-bytes.ts'
import type { Settings } from '../mlflow/types.ts'
import { keysBelow, safeFolder } from './path.ts'
import { s3Bucket } from './s3-bucket.ts'
import { s3Calls } from './s3-calls.ts'
import type { S3Connection } from './s3-client.ts'
import { listParts, listUploads, plausible } from './s3-lists.ts'
import { listObjects } from './s3-objects.ts'
import { putS3Object } from './s3-put.ts'
import { s3Code } from './s3-trouble.ts'
import { abortS3Upload, beginS3Upload, type Learned, resumeS3Upload } from './s3-upload.ts'
import { earlierVersions, readVersion, restoreVersion } from './s3-versions.ts'
import type { ObjectProof, Store, StoredFile, UploadLimits } from './store.ts'
import { crcFromBase64, unquoted } from './wire-text.ts'

const MiB = 1024 ** 2
const GiB = 1024 ** 3

/** docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html: 48.8 TiB since December 2025, which is 10,000 parts of 5 GiB. */
const amazonLimits: UploadLimits = { minPart: 5 * MiB, maxPart: 5 * GiB, maxParts: 10_000, maxObject: 50_000 * GiB }
/** Other servers state AWS's former limit of 5 TiB. */
const otherLimits: UploadLimits = { ...amazonLimits, maxObject: 5 * 1024 * GiB }

/** Stores that list every upload below a prefix, by what they call themselves (measured with SeaweedFS 4.48 and versitygw 1.8.0). */
const listsAll = /^(?:seaweedfs|versitygw)\b/i

export interface S3Root {
  readonly bucket: string
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string
}

/** `s3://bucket/prefix` (also `s3a:`), as MLflow reads it: one slash after the bucket is no part of the key. Throws `Trouble`. */
export const parseS3Uri = (uri: string): S3Root => {
  const match = /^s3[an]?:\/\/([^/?#]+)(?:\/(.*))?$/su.exec(uri)
  const bucket = match?.[1] ?? ''
  const prefix = (match?.[2] ?? '').replace(/\/+$/, '')
  const refused =
    /[\u0000-\u001f\u007f]/.test(prefix) || prefix.split('/').some((part) => part === '..' || part === '.')
  // Names of buckets and access points: docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, with the room that older buckets and other stores take.
  if (/^[A-Za-z0-9._:-]{1,255}$/.test(bucket) && !refused) return { bucket, prefix }
  throw new Trouble({
    kind: 'usage',
    what: `cannot open ${JSON.stringify(uri.slice(0, 200))}`,
    why: 'it is not of the form s3://bucket/path',
    todo: 'Correct the address',
  })
}

type Head = Pick<HeadObjectCommandOutput, 'ContentLength' | 'LastModified' | 'ETag' | 'ChecksumCRC32' | 'ChecksumType'>

/** As the SDK reads them. */
const headIn = (headers: IncomingHttpHeaders): Head => {
  const text = (name: string): string | undefined => headers[name]?.toString()
  const modified = new Date(text('last-modified') ?? '')
  return {
    ContentLength: Number(text('content-length') ?? 0),
    LastModified: Number.isNaN(modified.getTime()) ? undefined : modified,
    ETag: text('etag'),
    ChecksumCRC32: text('x-amz-checksum-crc32'),
    ChecksumType: text('x-amz-checksum-type') as Head['ChecksumType'],
  }
}

/** CRC32 of the whole object; a checksum of checksums (COMPOSITE, `…-N`) proves nothing that can be compared. */
const wholeCrc32 = (head: Head): number | undefined => {
  const composite =
    head.ChecksumType === 'COMPOSITE' || (head.ChecksumType === undefined && /-\d+"?$/.test(head.ETag ?? ''))
  return composite ? undefined : crcFromBase64(head.ChecksumCRC32)
}

/** `pageSize` is for tests of long lists. */
export const s3Store = (
  connection: S3Connection,
  root: S3Root,
  settings: Settings,
  reached: string,
  pageSize?: number,
): Store => {
  const calls = s3Calls(connection, root.bucket, settings.s3, pageSize)
  const { keyOf, below, relative } = keysBelow(root.prefix)
  const learned: Learned = { crc32: true, conditional: true }

  const head = async (path: string, signal?: AbortSignal): Promise<Head | undefined> => {
    const key = keyOf(path)
    const calling = { what: `cannot look at ${calls.uriOf(key)}`, action: 's3:GetObject', signal }
    try {
      const { short } = calls
      if (short !== undefined) {
        return headIn(await short(calling, { method: 'HEAD', key, headers: { 'x-amz-checksum-mode': 'ENABLED' } }))
      }
      const command = new HeadObjectCommand({ ...calls.object(key), ChecksumMode: 'ENABLED' })
      return await calls.run(calling, (client, how) => client.send(command, how))
    } catch (error) {
      if (error instanceof Trouble && error.kind === 'not-found' && s3Code(error.cause) !== 'NoSuchBucket')
        return undefined
      throw error
    }
  }

  return {
    kind: 's3',
    uri: calls.uriOf(root.prefix),
    reached,
    route: 'store-multipart',
    limits: connection.amazon ? amazonLimits : otherLimits,
    bucket: s3Bucket(calls, connection, root),

    list: ({ prefix = '', signal } = {}) => listObjects(calls, below(safeFolder(prefix)), below('').length, signal),

    async stat(path, signal): Promise<StoredFile | undefined> {
      const found = await head(path, signal)
      if (found === undefined) return undefined
      const etag = unquoted(found.ETag)
      return {
        path,
        size: found.ContentLength ?? 0,
        ...(found.LastModified === undefined ? {} : { modified: found.LastModified.getTime() }),
        ...(etag === undefined ? {} : { etag }),
      }
    },

    async read(path, offset, length, signal) {
      const key = keyOf(path)
      const what = `cannot read ${calls.uriOf(key)}`
      if (length === 0) return new Uint8Array()
      const command = new GetObjectCommand({ ...calls.object(key), Range: `bytes=${offset}-${offset + length - 1}` })
      return calls.run({ what, action: 's3:GetObject', signal }, async (client, how) => {
        try {
          const { Body, ContentRange, ContentLength } = await client.send(command, how)
          if (Body === undefined) return new Uint8Array()
          if (ContentRange === undefined && (offset > 0 || (ContentLength ?? Number.POSITIVE_INFINITY) > length)) {
            if ('destroy' in Body) Body.destroy()
            const why = 'the store ignores the wish for a part of the object'
            throw new Trouble({ kind: 'unsupported', what, why, todo: 'Use a store that answers range requests' })
          }
          return await firstBytes(Body as AsyncIterable<Uint8Array>, length)
        } catch (error) {
          if (s3Code(error) === 'InvalidRange') return new Uint8Array()
          throw error
        }
      })
    },

    async proof(path, signal): Promise<ObjectProof | undefined> {
      const found = await head(path, signal)
      if (found === undefined) return undefined
      const crc32 = wholeCrc32(found)
      const etag = unquoted(found.ETag)
      return {
        size: found.ContentLength ?? 0,
        ...(crc32 === undefined ? {} : { crc32 }),
        ...(etag === undefined ? {} : { etag }),
      }
    },

    async remove(path, signal) {
      const key = keyOf(path)
      const command = new DeleteObjectCommand({ ...calls.bucket, Key: key })
      const calling = { what: `cannot remove ${calls.uriOf(key)}`, action: 's3:DeleteObject', signal }
      await calls.run(calling, (client, how) => client.send(command, how))
    },

    openUpload: async (path, _plan, signal) => beginS3Upload(calls, keyOf(path), path, learned, signal),
    resumeUpload: async (path, id, _plan, signal) => resumeS3Upload(calls, keyOf(path), path, id, learned, signal),

    putOne: async (path, bytes, crc32, how, signal) =>
      putS3Object(calls, keyOf(path), bytes, crc32, how, learned, signal),

    earlier: (path, signal) => earlierVersions(calls, keyOf(path), signal),
    readEarlier: (path, from, offset, length, signal) =>
      readVersion(calls, keyOf(path), from, { offset, length }, signal),
    restore: (path, from, signal) => restoreVersion(calls, keyOf(path), from, signal),

    async *unfinished({ path, signal } = {}) {
      const exact = path === undefined ? undefined : keyOf(path)
      for await (const { key, id, upload } of listUploads(calls, exact ?? below(''), signal)) {
        if (exact !== undefined && key !== exact) continue
        const initiated = plausible(upload.Initiated, calls.now())
        const initiator = upload.Initiator?.DisplayName || upload.Initiator?.ID || undefined
        yield {
          path: relative(key),
          id,
          ...(initiated === undefined ? {} : { initiated }),
          ...(initiator === undefined ? {} : { initiator }),
        }
      }
    },

    listsUploads() {
      if (connection.amazon) return 'all'
      const software = connection.software() ?? ''
      if (/^minio\b/i.test(software)) return 'by-key'
      return listsAll.test(software) ? 'all' : 'unknown'
    },

    abort: (upload, signal) => abortS3Upload(calls, keyOf(upload.path), upload.id, signal),
    partsOf: async (upload, signal) => (await listParts(calls, keyOf(upload.path), upload.id, signal)).parts,

    async now(signal) {
      const calling = { what: `cannot ask ${connection.endpoint} for the time`, action: 's3:ListBucket', signal }
      try {
        await calls.run(calling, (client, how) => client.send(new HeadBucketCommand(calls.bucket), how))
      } catch (error) {
        // A refusal tells the time as well.
        if (!(error instanceof Trouble) || error.status === undefined) throw error
      }
      return connection.clockOffset() === undefined ? undefined : calls.now()
    },

    async close() {
      connection.close()
    },
  }
}
