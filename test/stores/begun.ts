import { CreateMultipartUploadCommand, type S3Client, UploadPartCommand } from '@aws-sdk/client-s3'

/** Begins an upload of each key, as another client would, and sends `part` to those that have one. Gives the ids, in order. */
export const beginAll = async (
  sdk: S3Client,
  Bucket: string,
  keys: readonly string[],
  part?: (key: string, n: number) => string | undefined,
): Promise<string[]> => {
  const ids: string[] = []
  const waiting = keys.entries()
  const work = async () => {
    for (const [n, Key] of waiting) {
      const { UploadId = '' } = await sdk.send(new CreateMultipartUploadCommand({ Bucket, Key }))
      const Body = part?.(Key, n)
      if (Body !== undefined) await sdk.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body }))
      ids[n] = UploadId
    }
  }
  await Promise.all(Array.from({ length: 16 }, work))
  return ids
}
