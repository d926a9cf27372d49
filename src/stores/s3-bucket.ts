/** Asking a bucket about itself, and about what the credentials in use may do there. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  HeadBucketCommand,
  type LifecycleRule,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutBucketLifecycleConfigurationCommand,
  type S3Client,
  S3ServiceException,
  type TransitionDefaultMinimumObjectSize,
  UploadPartCommand,
  type UploadPartCommandInput,
  type UploadPartCommandOutput,
} from '@aws-sdk/client-s3'
import { Trouble } from '../errors.ts'
import type { Bucket, BucketSettings, ChecksumMode, ChecksumTry, Right, Told } from './bucket.ts'
import { join, safePath } from './path.ts'
import { type S3Calls, unsignedPayload } from './s3-calls.ts'
import type { S3Connection } from './s3-client.ts'
import { demandedEncryption } from './s3-policy.ts'
import { regionTold, s3Code } from './s3-trouble.ts'
import { abortS3Upload } from './s3-upload.ts'

const daysInYear = 365

/** What stores answer where nothing is set (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). */
const nothingSet: readonly string[] = [
  'NoSuchLifecycleConfiguration',
  'ServerSideEncryptionConfigurationNotFoundError',
  'ObjectLockConfigurationNotFoundError',
  'NoSuchBucketPolicy',
]

const codeOf = (error: Trouble): string => s3Code(error.cause)

/** No question to this bucket has an answer. */
const hopeless = (error: Trouble): boolean =>
  error.kind === 'unauthenticated' || error.kind === 'unreachable' || codeOf(error) === 'NoSuchBucket'

type Send<T> = (client: S3Client, how: { abortSignal?: AbortSignal }) => Promise<T>

export const s3Bucket = (
  calls: S3Calls,
  connection: S3Connection,
  root: { readonly bucket: string; readonly prefix: string },
): Bucket => {
  const keyOf = (name: string): string => join(root.prefix, safePath(name))
  const prefix = root.prefix === '' ? '' : `${root.prefix}/`
  const here = { ...calls.bucket }

  /** What the bucket says of one of its settings; `none` where it says that there is none. */
  const ask = async <T>(
    setting: string,
    action: string,
    none: T,
    send: Send<T>,
    signal: AbortSignal | undefined,
  ): Promise<Told<T>> => {
    try {
      return { told: await calls.run({ what: `cannot read the ${setting} of ${root.bucket}`, action, signal }, send) }
    } catch (error) {
      if (!(error instanceof Trouble) || hopeless(error)) throw error
      return nothingSet.includes(codeOf(error)) ? { told: none } : { untold: error }
    }
  }

  /** Whether a call is allowed; `absent` is what the store answers to those who may ask for what is not there. */
  const right = async (
    action: string,
    absent: readonly string[],
    send: Send<unknown>,
    signal: AbortSignal | undefined,
  ): Promise<Right> => {
    try {
      await calls.run({ what: `cannot tell whether ${action} is allowed`, action, signal, once: true }, send)
      return { action, state: 'granted' }
    } catch (error) {
      if (!(error instanceof Trouble) || hopeless(error)) throw error
      if (absent.includes(codeOf(error))) return { action, state: 'granted' }
      const state = error.kind === 'denied' || error.kind === 'unsupported' ? error.kind : 'unclear'
      return { action, state, why: error.why }
    }
  }

  return {
    async settings(signal): Promise<BucketSettings> {
      const named = await regionOf(calls, root.bucket, signal)
      const [versioning, lock, lifecycle, encryption, policy] = await Promise.all([
        ask<'enabled' | 'suspended' | 'off'>(
          'versioning',
          's3:GetBucketVersioning',
          'off',
          async (client, how) => {
            const { Status } = await client.send(new GetBucketVersioningCommand(here), how)
            return Status === 'Enabled' ? 'enabled' : Status === 'Suspended' ? 'suspended' : 'off'
          },
          signal,
        ),
        ask(
          'object lock',
          's3:GetBucketObjectLockConfiguration',
          undefined,
          async (client, how) => {
            const { ObjectLockConfiguration: lock } = await client.send(
              new GetObjectLockConfigurationCommand(here),
              how,
            )
            if (lock?.ObjectLockEnabled !== 'Enabled') return undefined
            const { Mode, Days, Years } = lock.Rule?.DefaultRetention ?? {}
            const days = Days ?? (Years === undefined ? undefined : Years * daysInYear)
            return { ...(Mode === undefined ? {} : { mode: Mode }), ...(days === undefined ? {} : { days }) }
          },
          signal,
        ),
        ask(
          'lifecycle rules',
          's3:GetLifecycleConfiguration',
          { rules: [] },
          async (client, how) => {
            const got = await client.send(new GetBucketLifecycleConfigurationCommand(here), how)
            const days = abortAfterDays(got.Rules ?? [], prefix)
            return {
              rules: (got.Rules ?? []).map((rule) => ({ ...rule })),
              ...(got.TransitionDefaultMinimumObjectSize === undefined
                ? {}
                : { minimumSize: got.TransitionDefaultMinimumObjectSize }),
              ...(days === undefined ? {} : { abortAfterDays: days }),
            }
          },
          signal,
        ),
        ask(
          'default encryption',
          's3:GetEncryptionConfiguration',
          undefined,
          async (client, how) => {
            const got = await client.send(new GetBucketEncryptionCommand(here), how)
            const rule = got.ServerSideEncryptionConfiguration?.Rules?.[0]
            const { SSEAlgorithm: algorithm, KMSMasterKeyID: key } = rule?.ApplyServerSideEncryptionByDefault ?? {}
            if (algorithm === undefined) return undefined
            return { algorithm, bucketKey: rule?.BucketKeyEnabled === true, ...(key === undefined ? {} : { key }) }
          },
          signal,
        ),
        ask(
          'policy',
          's3:GetBucketPolicy',
          undefined,
          async (client, how) => {
            const { Policy = '' } = await client.send(new GetBucketPolicyCommand(here), how)
            return demandedEncryption(Policy, root.bucket, `${prefix}x`)
          },
          signal,
        ),
      ])
      // Where HEAD does not name the region, a refusal of what was signed for another one does.
      const bucketRegion = named ?? ('untold' in versioning ? regionTold(versioning.untold.cause) : undefined)
      const clockOffset = connection.clockOffset()
      return {
        uri: calls.uriOf(root.prefix),
        name: root.bucket,
        prefix: root.prefix,
        amazon: connection.amazon,
        ...(connection.endpoint === 'AWS' ? {} : { endpoint: connection.endpoint }),
        region: connection.region,
        ...(bucketRegion === undefined ? {} : { bucketRegion }),
        ...(clockOffset === undefined ? {} : { clockOffset }),
        versioning,
        lock,
        lifecycle,
        encryption,
        demandedEncryption: policy,
      }
    },

    async readRights(name, signal): Promise<readonly Right[]> {
      const object = calls.object(keyOf(name))
      const listing = new ListObjectsV2Command({ ...here, Prefix: prefix, MaxKeys: 1 })
      const reading = new GetObjectCommand({ ...object, Range: 'bytes=0-0' })
      const uploads = new ListMultipartUploadsCommand({ ...here, Prefix: prefix, MaxUploads: 1 })
      const parts = new ListPartsCommand({ ...object, UploadId: 'mlflow-doctor-asks-for-an-upload-that-is-not-there' })
      const [list, get, listUploads, listParts] = await Promise.all([
        right('s3:ListBucket', [], (client, how) => client.send(listing, how), signal),
        right('s3:GetObject', ['NoSuchKey', 'InvalidRange'], (client, how) => client.send(reading, how), signal),
        right('s3:ListBucketMultipartUploads', [], (client, how) => client.send(uploads, how), signal),
        right('s3:ListMultipartUploadParts', ['NoSuchUpload'], (client, how) => client.send(parts, how), signal),
      ])
      // docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html: without s3:ListBucket a missing key is answered 403 as well.
      const hidden = get.state === 'denied' && list.state !== 'granted'
      const why = 'without s3:ListBucket, S3 answers 403 for an object that is not there, too'
      return [list, hidden ? { ...get, state: 'unclear', why } : get, listUploads, listParts]
    },

    deleteRight: (name, signal) =>
      right(
        's3:DeleteObject',
        ['NoSuchKey'],
        (client, how) => client.send(new DeleteObjectCommand({ ...here, Key: keyOf(name) }), how),
        signal,
      ),

    async replaceLifecycle({ rules, minimumSize }, signal) {
      const command = new PutBucketLifecycleConfigurationCommand({
        ...here,
        ...(minimumSize === undefined
          ? {}
          : { TransitionDefaultMinimumObjectSize: minimumSize as TransitionDefaultMinimumObjectSize }),
        LifecycleConfiguration: { Rules: rules as unknown as LifecycleRule[] },
      })
      const calling = {
        what: 'cannot change the lifecycle rules',
        action: 's3:PutLifecycleConfiguration',
        signal,
        once: true,
      }
      await calls.run(calling, (client, how) => client.send(command, how))
    },

    async openProbe(name, mode, signal) {
      const key = keyOf(name)
      const what = `cannot begin the upload of ${calls.uriOf(key)}`
      const algorithm = proofs[mode].algorithm
      const begin = new CreateMultipartUploadCommand({
        ...calls.extraArgs,
        ...calls.object(key),
        ...(algorithm === undefined ? {} : { ChecksumAlgorithm: algorithm }),
      })
      const calling = { what, action: 's3:PutObject', signal, once: true }
      const { UploadId: id = '' } = await calls.run(calling, (client, how) => client.send(begin, how))
      return {
        id,
        path: name,
        tryPart: (how, partSignal) => tryPart(calls, key, id, how, partSignal),
        abort: (abortSignal) => abortS3Upload(calls, key, id, abortSignal),
      }
    },
  }
}

/** The region that the bucket names in its answers, refusals included; undefined where it names none. */
const regionOf = async (calls: S3Calls, bucket: string, signal?: AbortSignal): Promise<string | undefined> => {
  const calling = { what: `cannot look at the bucket ${bucket}`, action: 's3:ListBucket', signal }
  try {
    const { BucketRegion } = await calls.run(calling, (client, how) =>
      client.send(new HeadBucketCommand(calls.bucket), how),
    )
    return BucketRegion || undefined
  } catch (error) {
    if (!(error instanceof Trouble) || hopeless(error) || error.kind === 'not-found') throw error
    const headers = error.cause instanceof S3ServiceException ? error.cause.$response?.headers : undefined
    return headers?.['x-amz-bucket-region']
  }
}

/** The fewest days after which an enabled rule aborts uploads below `prefix`. */
const abortAfterDays = (rules: readonly LifecycleRule[], prefix: string): number | undefined => {
  const days = rules.flatMap((rule): number[] => {
    const after = rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation
    const { Filter: filter } = rule
    // Such rules cannot abort uploads: an upload has no tags, and no size (docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-filters.html).
    const narrowed = filter?.And ?? filter?.Tag ?? filter?.ObjectSizeGreaterThan ?? filter?.ObjectSizeLessThan
    const covers = prefix.startsWith(filter?.Prefix ?? rule.Prefix ?? '')
    return rule.Status === 'Enabled' && after !== undefined && narrowed === undefined && covers ? [after] : []
  })
  return days.length > 0 ? Math.min(...days) : undefined
}

/** The check value of CRC catalogues, whose sums under each algorithm are published; what these bytes are does not matter. */
const content = Buffer.from('123456789')
const crc32 = 'y/Q5Jg=='

type Proof = Partial<
  Pick<UploadPartCommandInput, 'ContentMD5' | 'ChecksumCRC32' | 'ChecksumCRC64NVME' | 'ChecksumSHA256'>
>

const sha256 = createHash('sha256').update(content).digest('base64')

interface Proving {
  /** What the upload is begun with. */
  readonly algorithm?: 'CRC32' | 'CRC64NVME' | 'SHA256'
  readonly part: Proof
  /** The checksum that comes back where the store has looked at it; undefined for what no store confirms. */
  readonly confirms?: (answer: UploadPartCommandOutput) => boolean
}

const proofs: Readonly<Record<ChecksumMode, Proving>> = {
  none: { part: {} },
  'content-md5': { part: { ContentMD5: createHash('md5').update(content).digest('base64') } },
  'crc32-header': {
    algorithm: 'CRC32',
    part: { ChecksumCRC32: crc32 },
    confirms: ({ ChecksumCRC32 }) => ChecksumCRC32 === crc32,
  },
  'crc32-trailer': { algorithm: 'CRC32', part: {}, confirms: ({ ChecksumCRC32 }) => ChecksumCRC32 === crc32 },
  'crc64nvme-header': {
    algorithm: 'CRC64NVME',
    part: { ChecksumCRC64NVME: 'rosUhgp5mIg=' },
    confirms: ({ ChecksumCRC64NVME }) => ChecksumCRC64NVME === 'rosUhgp5mIg=',
  },
  'sha256-header': {
    algorithm: 'SHA256',
    part: { ChecksumSHA256: sha256 },
    confirms: ({ ChecksumSHA256 }) => ChecksumSHA256 === sha256,
  },
}

/** Busy stores answer so; another try may tell. */
const busy: readonly (number | undefined)[] = [429, 500, 503]
const busyTries = 3
const busyWaitMs = 500

/** What says nothing about how a part is proved, although an upload could be begun just before. */
const besides: readonly string[] = [
  'ExpiredToken',
  'ExpiredTokenException',
  'TokenRefreshRequired',
  'NoSuchUpload',
  'NoSuchBucket',
]

/**
 * Sends one part of nine bytes. A refusal is a result, and a signature that does not match or a 403 is one, too: a proxy or
 * a store that does not know a checksum's header gives just these. Only what answers no question at all is thrown.
 */
const tryPart = async (
  calls: S3Calls,
  key: string,
  id: string,
  mode: ChecksumMode,
  signal: AbortSignal | undefined,
): Promise<ChecksumTry> => {
  const { part, confirms } = proofs[mode]
  const common = { ...calls.object(key), UploadId: id, PartNumber: 1 }
  const trailing = mode === 'crc32-trailer'
  const calling = { what: `cannot send a part with ${mode}`, action: 's3:PutObject', signal, once: true }
  for (let tried = 1; ; tried += 1) {
    // The SDK puts the checksum behind a body that it cannot read ahead.
    const command = trailing
      ? new UploadPartCommand({
          ...common,
          Body: Readable.from([content]),
          ContentLength: content.length,
          ChecksumAlgorithm: 'CRC32',
        })
      : new UploadPartCommand({ ...common, ...part, Body: content })
    if (!trailing) unsignedPayload(command)
    try {
      const answer = await calls.run(calling, (client, how) => client.send(command, how))
      return { mode, accepted: true, ...(confirms === undefined ? {} : { confirmed: confirms(answer) }) }
    } catch (error) {
      if (!(error instanceof Trouble) || error.kind === 'unreachable' || besides.includes(codeOf(error))) throw error
      if (!busy.includes(error.status)) return { mode, accepted: false, why: error.why }
      // Some stores answer 500 to what they do not know, each time.
      if (tried === busyTries && error.status === 500) return { mode, accepted: false, why: error.why }
      if (tried === busyTries) throw error
      await pause(busyWaitMs, undefined, signal === undefined ? {} : { signal })
    }
  }
}
