import { createHash } from 'node:crypto'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { requireCrc32 } from './part-check.ts'
import { type S3Calls, unsignedPayload } from './s3-calls.ts'
import {
  type Condition,
  conditionOf,
  firstTaken,
  type Learned,
  type PartProof,
  proofHeaders,
  taken,
} from './s3-upload.ts'
import type { ObjectProof, Store } from './store.ts'
import { crcToBase64, unquoted } from './wire-text.ts'

/** Puts a whole object in one request, proved by CRC32, or by MD5 where the store knows no CRC32. See `Store.putOne`. */
export const putS3Object = async (
  calls: S3Calls,
  key: string,
  bytes: Uint8Array,
  crc32: number,
  how: Parameters<NonNullable<Store['putOne']>>[3],
  learned: Learned,
  signal?: AbortSignal,
): Promise<ObjectProof> => {
  const what = `cannot write ${calls.uriOf(key)}`
  const condition = learned.conditional ? conditionOf(how) : undefined
  const conditions: Condition[] = condition === undefined ? [{}] : [condition, {}]
  const replacing = how.replaces === undefined ? undefined : `cannot replace ${calls.uriOf(key)}`

  const put = async (proof: PartProof, each: Condition) => {
    const calling = { what, action: 's3:PutObject', signal, once: true }
    const { short } = calls
    if (short !== undefined) {
      const { IfNoneMatch, IfMatch } = each
      const asked = {
        ...(IfNoneMatch === undefined ? {} : { 'if-none-match': IfNoneMatch }),
        ...(IfMatch === undefined ? {} : { 'if-match': IfMatch }),
      }
      return taken(
        await short(calling, { method: 'PUT', key, headers: { ...proofHeaders(proof), ...asked }, body: bytes }),
      )
    }
    const command = new PutObjectCommand({ ...calls.extraArgs, ...calls.object(key), ...proof, ...each, Body: bytes })
    unsignedPayload(command)
    return calls.run(calling, (client, options) => client.send(command, options))
  }
  const confirmed = (etag: string | undefined, crc?: number): ObjectProof => ({
    size: bytes.length,
    ...(crc === undefined ? {} : { crc32: crc }),
    ...(etag === undefined ? {} : { etag }),
  })

  if (learned.crc32) {
    const checksum = crcToBase64(crc32)
    const { ETag, ChecksumCRC32 } = await firstTaken(
      conditions,
      (each) => put({ ChecksumCRC32: checksum }, each),
      replacing,
    )
    if (ChecksumCRC32 === checksum) return confirmed(unquoted(ETag), crc32)
    // The store did not confirm the checksum, so it may not have looked at it; its ETag, if it is an MD5, tells.
    learned.crc32 = false
    return confirmed(unquoted(ETag))
  }
  requireCrc32(what, bytes, crc32)
  const ContentMD5 = createHash('md5').update(bytes).digest('base64')
  const { ETag } = await firstTaken(conditions, (each) => put({ ContentMD5 }, each), replacing)
  return confirmed(unquoted(ETag))
}
