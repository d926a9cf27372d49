import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompleteMultipartUploadCommandInput,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { Trouble } from '../errors.ts'
import { requireCrc32 } from './part-check.ts'
import { changedSincePlan } from './replaced.ts'
import { type S3Calls, unsignedPayload } from './s3-calls.ts'
import { listParts } from './s3-lists.ts'
import { s3Code, s3Status } from './s3-trouble.ts'
import type { OpenUpload, Part, StoredFile } from './store.ts'
import { crcToBase64, unquoted } from './wire-text.ts'

/**
 * How the parts of one upload are proved, as it was begun; every part and the completion must keep to it.
 * `whole`: CRC32 per part and one of the whole object. `each`: CRC32 per part alone, the default of boto3 1.36 and later.
 * `none`: begun without (older clients, older stores); a part is then proved by Content-MD5.
 */
type Proving = 'whole' | 'each' | 'none'

/** What a store turned out to offer; learned on the first upload and kept for the next ones. */
export interface Learned {
  /** False once the store refused or ignored CRC32. */
  crc32: boolean
  /** False where the store is known to refuse `If-None-Match` and `If-Match` at completion. */
  conditional: boolean
}

export type PartProof = { readonly ChecksumCRC32: string } | { readonly ContentMD5: string }

export const proofHeaders = (proof: PartProof): Readonly<Record<string, string>> =>
  'ChecksumCRC32' in proof ? { 'x-amz-checksum-crc32': proof.ChecksumCRC32 } : { 'content-md5': proof.ContentMD5 }

/** What stores answer to a header or parameter that they do not know. */
const unknownToStore = (error: unknown): boolean =>
  ['NotImplemented', 'InvalidArgument', 'InvalidRequest', 'MethodNotAllowed'].includes(s3Code(causeOf(error))) ||
  s3Status(causeOf(error)) === 501

export type Condition = Pick<CompleteMultipartUploadCommandInput, 'IfNoneMatch' | 'IfMatch'>

/** What the store is asked to compare before it puts the object in its place; undefined when there is nothing to ask. */
export const conditionOf = ({
  ifAbsent,
  replaces,
}: {
  readonly ifAbsent: boolean
  readonly replaces?: StoredFile
}): Condition | undefined =>
  ifAbsent ? { IfNoneMatch: '*' } : replaces?.etag === undefined ? undefined : { IfMatch: `"${replaces.etag}"` }

const causeOf = (error: unknown): unknown => (error instanceof Trouble ? error.cause : error)

/** Begins an upload, with CRC32 of the whole object where the store takes it. */
export const beginS3Upload = async (
  calls: S3Calls,
  key: string,
  path: string,
  learned: Learned,
  signal?: AbortSignal,
): Promise<OpenUpload> => {
  const begin = async (proving: Proving): Promise<string> => {
    const what = `cannot begin the upload of ${calls.uriOf(key)}`
    const command = new CreateMultipartUploadCommand({
      ...calls.extraArgs,
      ...calls.object(key),
      ...(proving === 'whole' ? { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' } : {}),
    })
    const calling = { what, action: 's3:PutObject', signal, once: true }
    const { UploadId } = await calls.run(calling, (client, how) => client.send(command, how))
    if (UploadId !== undefined && UploadId !== '') return UploadId
    const why = 'the store gave no upload id'
    throw new Trouble({ kind: 'unexpected-answer', what, why, todo: 'Check that the endpoint is an S3 API' })
  }
  if (learned.crc32) {
    try {
      return s3Upload(calls, key, path, await begin('whole'), 'whole', learned)
    } catch (error) {
      if (!unknownToStore(error)) throw error
    }
  }
  const id = await begin('none')
  learned.crc32 = false
  return s3Upload(calls, key, path, id, 'none', learned)
}

/** Takes up an upload, also one of another client. Undefined when it is gone, or was begun with a checksum that is not CRC32. */
export const resumeS3Upload = async (
  calls: S3Calls,
  key: string,
  path: string,
  id: string,
  learned: Learned,
  signal?: AbortSignal,
): Promise<OpenUpload | undefined> => {
  try {
    const { algorithm, type } = await listParts(calls, key, id, signal)
    // SeaweedFS does not tell; a part with an MD5 alone fits every upload there, and completion tries both ways.
    if (algorithm === undefined) return s3Upload(calls, key, path, id, 'none', learned)
    if (algorithm !== 'CRC32') return undefined
    return s3Upload(calls, key, path, id, type === 'FULL_OBJECT' ? 'whole' : 'each', learned)
  } catch (error) {
    if (error instanceof Trouble && error.kind === 'not-found' && s3Code(error.cause) !== 'NoSuchBucket')
      return undefined
    throw error
  }
}

/** What the answer to a PUT by the short way confirms, as the SDK has it. */
export const taken = (headers: IncomingHttpHeaders): { ETag: string | undefined; ChecksumCRC32: string } => ({
  ETag: headers.etag,
  ChecksumCRC32: String(headers['x-amz-checksum-crc32'] ?? ''),
})

/** Needs no more than the id: which checksum an upload was begun with does not matter. */
export const abortS3Upload = async (calls: S3Calls, key: string, id: string, signal?: AbortSignal): Promise<void> => {
  const calling = { what: `cannot abort the upload of ${calls.uriOf(key)}`, action: 's3:AbortMultipartUpload', signal }
  const command = new AbortMultipartUploadCommand({ ...calls.object(key), UploadId: id })
  try {
    await calls.run(calling, (client, how) => client.send(command, how))
  } catch (error) {
    if (s3Code(causeOf(error)) !== 'NoSuchUpload') throw error
  }
}

const s3Upload = (
  calls: S3Calls,
  key: string,
  path: string,
  id: string,
  begunWith: Proving,
  learned: Learned,
): OpenUpload => {
  const uri = calls.uriOf(key)
  const upload = { ...calls.object(key), UploadId: id }
  let proving = begunWith

  const sendPart = async (number: number, bytes: Uint8Array, proof: PartProof, signal: AbortSignal | undefined) => {
    const calling = { what: `cannot send part ${number} of ${uri}`, action: 's3:PutObject', signal, once: true }
    const { short } = calls
    if (short !== undefined) {
      const query = { partNumber: String(number), uploadId: id }
      return taken(await short(calling, { method: 'PUT', key, query, headers: proofHeaders(proof), body: bytes }))
    }
    const command = new UploadPartCommand({ ...upload, ...proof, PartNumber: number, Body: bytes })
    // The checksum travels in a signed header, so a SHA-256 over the payload as well would be work for nothing.
    unsignedPayload(command)
    return calls.run(calling, (client, how) => client.send(command, how))
  }

  const send = async (number: number, bytes: Uint8Array, crc32: number, signal?: AbortSignal): Promise<Part> => {
    const done = (tag: string | undefined): Part => {
      const etag = unquoted(tag)
      return { number, size: bytes.length, crc32, ...(etag === undefined ? {} : { etag }) }
    }
    if (proving !== 'none') {
      const checksum = crcToBase64(crc32)
      const { ETag, ChecksumCRC32 } = await sendPart(number, bytes, { ChecksumCRC32: checksum }, signal)
      if (ChecksumCRC32 === checksum) return done(ETag)
      // The store did not confirm the checksum, so it may not have looked at it; an MD5 is checked by all.
      proving = 'none'
      learned.crc32 = false
    }
    requireCrc32(`cannot send part ${number} of ${uri}`, bytes, crc32)
    const md5 = createHash('md5').update(bytes).digest('base64')
    const { ETag } = await sendPart(number, bytes, { ContentMD5: md5 }, signal)
    return done(ETag)
  }

  const finish = async (
    parts: readonly Part[],
    how: Proving,
    whole: { readonly size: number; readonly crc32: number },
    condition: Condition,
    signal: AbortSignal | undefined,
  ) => {
    const input: CompleteMultipartUploadCommandInput = {
      ...upload,
      MultipartUpload: {
        Parts: parts.map(({ number, etag, crc32 }) => ({
          PartNumber: number,
          ETag: etag === undefined ? undefined : `"${etag}"`,
          ...(how === 'none' || crc32 === undefined ? {} : { ChecksumCRC32: crcToBase64(crc32) }),
        })),
      },
      ...(how === 'none' ? {} : { MpuObjectSize: whole.size }),
      ...(how === 'whole' ? { ChecksumCRC32: crcToBase64(whole.crc32), ChecksumType: 'FULL_OBJECT' } : {}),
      ...condition,
    }
    const calling = { what: `cannot complete the upload of ${uri}`, action: 's3:PutObject', signal, once: true }
    await calls.run(calling, (client, options) => client.send(new CompleteMultipartUploadCommand(input), options))
  }

  const abort = (signal?: AbortSignal): Promise<void> => abortS3Upload(calls, key, id, signal)

  return {
    id,
    path,
    parts: async (signal) => (await listParts(calls, key, id, signal)).parts,
    send,
    abort,

    async complete(parts, whole, signal) {
      if (whole.ifAbsent) await refuseIfPresent(calls, key, signal)
      const replacing = whole.replaces === undefined ? undefined : `cannot replace ${uri}`
      const condition = learned.conditional ? conditionOf(whole) : undefined
      const conditions: Condition[] = condition === undefined ? [{}] : [condition, {}]
      // An upload of no parts cannot be completed (S3 answers MalformedXML), so an empty object is put instead.
      if (parts.length === 0 && whole.size === 0) {
        await firstTaken(conditions, (each) => putEmpty(calls, key, each, signal), replacing)
        return abort(signal)
      }
      const sorted = parts.toSorted((a, b) => a.number - b.number)
      const known = sorted.every((part) => part.crc32 !== undefined)
      const ways: Proving[] = proving === 'none' && known ? ['none', 'each'] : [proving]
      const tries = ways.flatMap((way) => conditions.map((each) => ({ way, condition: each })))
      await firstTaken(tries, (each) => finish(sorted, each.way, whole, each.condition, signal), replacing)
    },
  }
}

/** Tries one way after the other while the store does not know what it is asked. `replacing` says what a refused `If-Match` prevented. */
export const firstTaken = async <T, R>(
  ways: readonly T[],
  go: (way: T) => Promise<R>,
  replacing: string | undefined,
): Promise<R> => {
  for (const [n, way] of ways.entries()) {
    try {
      return await go(way)
    } catch (error) {
      if (replacing !== undefined && s3Status(causeOf(error)) === 412) throw changedSincePlan(replacing, error)
      if (n === ways.length - 1 || !unknownToStore(error)) throw error
    }
  }
  throw new RangeError('no way was given')
}

/** Stores that ignore `If-None-Match` would replace the object without a word; this look leaves them only a short gap. */
const refuseIfPresent = async (calls: S3Calls, key: string, signal: AbortSignal | undefined): Promise<void> => {
  const what = `cannot add ${calls.uriOf(key)}`
  try {
    const command = new HeadObjectCommand(calls.object(key))
    await calls.run({ what, action: 's3:GetObject', signal }, (client, how) => client.send(command, how))
  } catch (error) {
    // Those who may only write learn nothing here, and leave it to the condition at completion.
    if (error instanceof Trouble && (error.kind === 'not-found' || error.kind === 'denied')) return
    throw error
  }
  throw new Trouble({
    kind: 'conflict',
    what,
    why: 'an object of that name has appeared meanwhile',
    todo: 'Look at that object before sending again',
  })
}

const putEmpty = async (calls: S3Calls, key: string, condition: Condition, signal: AbortSignal | undefined) => {
  const command = new PutObjectCommand({
    ...calls.extraArgs,
    ...calls.object(key),
    Body: new Uint8Array(),
    ...condition,
  })
  const calling = { what: `cannot write ${calls.uriOf(key)}`, action: 's3:PutObject', signal, once: true }
  await calls.run(calling, (client, how) => client.send(command, how))
}
