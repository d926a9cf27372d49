import { CopyObjectCommand, GetObjectCommand, ListObjectVersionsCommand } from '@aws-sdk/client-s3'
import { Trouble } from '../errors.ts'
import { firstBytes } from '../first-bytes.ts'
import type { S3Calls } from './s3-calls.ts'
import { encodedKey, queryOf } from './s3-sign.ts'
import type { Earlier } from './store.ts'

/** Earlier versions of one object, in a bucket that keeps them. */

/** Bytes; CopyObject takes no more (docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html). */
const mostCopied = 5 * 1024 ** 3

/** Newest first; empty where the bucket keeps none, or does not tell. */
export const earlierVersions = async (
  calls: S3Calls,
  key: string,
  signal?: AbortSignal,
): Promise<readonly Earlier[]> => {
  const calling = { what: `cannot list the versions of ${calls.uriOf(key)}`, action: 's3:ListBucketVersions', signal }
  const command = new ListObjectVersionsCommand({ ...calls.bucket, Prefix: key })
  try {
    const { Versions = [] } = await calls.run(calling, (client, how) => client.send(command, how))
    return Versions.filter(
      ({ Key, VersionId, Size = 0 }) => Key === key && VersionId !== undefined && Size <= mostCopied,
    )
      .map(({ VersionId = '', Size = 0, LastModified }): Earlier => {
        const modified = LastModified === undefined ? {} : { modified: LastModified.getTime() }
        return { kind: 'version', id: VersionId, size: Size, ...modified }
      })
      .toSorted((a, b) => (b.modified ?? 0) - (a.modified ?? 0))
  } catch (error) {
    // A source like any other that is not to be had.
    if (error instanceof Trouble) return []
    throw error
  }
}

export const readVersion = async (
  calls: S3Calls,
  key: string,
  { id }: Earlier,
  range: { readonly offset: number; readonly length: number },
  signal?: AbortSignal,
): Promise<Uint8Array> => {
  const { offset, length } = range
  const command = new GetObjectCommand({
    ...calls.object(key),
    VersionId: id,
    Range: `bytes=${offset}-${offset + length - 1}`,
  })
  const calling = { what: `cannot read a version of ${calls.uriOf(key)}`, action: 's3:GetObjectVersion', signal }
  return calls.run(calling, async (client, how) => {
    const { Body } = await client.send(command, how)
    return Body === undefined ? new Uint8Array() : firstBytes(Body as AsyncIterable<Uint8Array>, length)
  })
}

/** Copies a version over the delete marker, or whatever else hides it; the version itself stays. */
export const restoreVersion = async (
  calls: S3Calls,
  key: string,
  { id }: Earlier,
  signal?: AbortSignal,
): Promise<void> => {
  const { Bucket } = calls.bucket
  const CopySource = `${Bucket}/${encodedKey(key)}?${queryOf({ versionId: id })}`
  const command = new CopyObjectCommand({ ...calls.extraArgs, ...calls.object(key), CopySource })
  const calling = { what: `cannot restore ${calls.uriOf(key)}`, action: 's3:PutObject', signal, once: true }
  await calls.run(calling, (client, how) => client.send(command, how))
}
