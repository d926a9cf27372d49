import { createHash } from 'node:crypto'
import { Trouble } from '../errors.ts'
import type { TrackingServer } from '../mlflow/server.ts'
import { requireCrc32 } from './part-check.ts'
import { baseOf } from './path.ts'
import type { ProxiedPaths } from './proxied-location.ts'
import type { Answer, SignedUrls } from './signed-url.ts'
import type { OpenUpload, Part, SignedFor, UploadPlan } from './store.ts'

/** What uploads of a proxied store share. */
export interface ProxiedAccess {
  readonly server: TrackingServer
  readonly paths: ProxiedPaths
  readonly signed: SignedUrls
  /** Throws `Trouble` (`conflict`) when the file is there. The server has no conditional write, so this look is all there is. */
  refuseIfPresent(path: string, signal: AbortSignal | undefined): Promise<void>
  remove(path: string, signal: AbortSignal | undefined): Promise<void>
  /** Told once the signed addresses have shown that an upload may have no more parts than this. */
  learnMaxParts(most: number): void
}

interface SignedPart {
  readonly number: number
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

/** What `mpu/create` answers, read as what it may be: anything. */
const signedParts = (answer: unknown, wanted: number): { id: string; parts: Map<number, SignedPart> } | undefined => {
  if (typeof answer !== 'object' || answer === null || !('credentials' in answer)) return undefined
  const id = 'upload_id' in answer && typeof answer.upload_id === 'string' ? answer.upload_id : ''
  const list = Array.isArray(answer.credentials) ? answer.credentials : []
  const parts = new Map<number, SignedPart>()
  for (const each of list) {
    if (typeof each !== 'object' || each === null) continue
    const { part_number: number, url, headers } = each as Record<string, unknown>
    if (typeof number !== 'number' || typeof url !== 'string') continue
    const pairs = Object.entries(headers ?? {}).filter((pair): pair is [string, string] => typeof pair[1] === 'string')
    parts.set(number, { number, url, headers: Object.fromEntries(pairs) })
  }
  return parts.size === wanted ? { id, parts } : undefined
}

/**
 * Azure demands one length for all block ids of a blob, and MLflow counts them `mlflow_block_1`, `mlflow_block_2`, … as base64
 * (azure_blob_artifact_repo.py, 3.17.2). Before it is encoded, the tenth is longer than the first; encoded, the hundredth is,
 * 24 characters in place of 20. The documents of Put Block speak of both lengths, so the service is asked.
 */
const mostNamed = { byText: 9, byEncoded: 99 } as const

/** By the query: AWS's Signature Version 4, Google's V4 signature, or a shared access signature of Azure's, which tells when it ends. */
const signedFor = (url: string | undefined, now: number): SignedFor | undefined => {
  if (url === undefined || !URL.canParse(url)) return undefined
  const query = new URL(url).searchParams
  const seconds = Number(query.get('X-Amz-Expires') ?? query.get('X-Goog-Expires') ?? Number.NaN)
  if (seconds > 0) return { validMs: seconds * 1000, temporary: query.has('X-Amz-Security-Token') }
  const end = Date.parse(query.get('se') ?? '')
  if (query.get('comp') !== 'block' || Number.isNaN(end)) return undefined
  return { validMs: Math.max(0, end - now), temporary: false }
}

const isNamedBlock = (url: string | undefined): boolean =>
  url !== undefined &&
  URL.canParse(url) &&
  Buffer.from(new URL(url).searchParams.get('blockid') ?? '', 'base64').toString() === 'mlflow_block_1'

/** Nothing that is sent beyond that could be put together. Throws `too-large`. */
const refuseIfTooMany = (path: string, count: number, most: number | undefined): void => {
  if (most === undefined || count <= most) return
  throw new Trouble({
    kind: 'too-large',
    what: `cannot send ${path} by signed addresses`,
    why: `it has ${count} parts, and of the blocks that the tracking server names on Azure no more than ${most} can be put together`,
    todo: 'Use credentials for the store behind the server (--artifacts-destination), which need no signed addresses',
  })
}

/** Where a customer's key encrypts, an ETag is no MD5 (docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html). */
const etagIsMd5 = (answer: Answer): boolean =>
  !(answer.header('x-amz-server-side-encryption') ?? '').startsWith('aws:kms') &&
  answer.header('x-amz-server-side-encryption-customer-algorithm') === undefined

/** An upload by addresses that the tracking server signs: all at once, for one hour (S3), and never again for the same upload. */
export const beginSignedUpload = async (
  { server, paths, signed, refuseIfPresent, learnMaxParts, remove }: ProxiedAccess,
  path: string,
  plan: UploadPlan,
  signal?: AbortSignal,
): Promise<OpenUpload> => {
  const name = baseOf(path)
  const count = Math.max(1, Math.ceil(plan.sourceSize / plan.partSize))
  const what = `begin the upload of ${path}`
  const answer = await server.call('POST', paths.multipart('create', path), {
    json: { path: name, num_parts: count },
    what,
    ...(signal && { signal }),
  })
  const begun = signedParts(answer, count)
  if (begun === undefined) {
    const why = `the server did not sign the ${count} parts that were asked for`
    throw new Trouble({
      kind: 'unexpected-answer',
      what: `cannot ${what}`,
      why,
      todo: 'Look into the log of the server',
    })
  }
  const { id, parts: slots } = begun
  let aborted = false
  /** Whether the store has taken anything, as far as it has said so. */
  let staged = false
  const discardBlocks = async (own: string, callSignal: AbortSignal | undefined): Promise<void> => {
    // Who may not remove writes nothing: this answers as well where nothing is there.
    await remove(own, callSignal)
    await server.call('POST', paths.multipart('complete', own), {
      json: { path: name, upload_id: id, parts: [] },
      what: `discard the blocks of ${own}`,
      ...(callSignal && { signal: callSignal }),
    })
    await remove(own, undefined)
  }
  /** Sends one byte as the first block, and one as the tenth; the parts themselves take their places later. */
  const mostBlocks = async (): Promise<number> => {
    const [first, tenth] = [slots.get(1), slots.get(mostNamed.byText + 1)]
    if (first === undefined || tenth === undefined) return mostNamed.byEncoded
    const how = { what: `cannot send a block of ${path}`, signal }
    await signed.put(first.url, first.headers, Buffer.alloc(1), how)
    staged = true
    try {
      await signed.put(tenth.url, tenth.headers, Buffer.alloc(1), how)
      return mostNamed.byEncoded
    } catch (error) {
      if (error instanceof Trouble && error.status === 400) return mostNamed.byText
      throw error
    }
  }
  const onAzure = isNamedBlock(slots.get(1)?.url)
  const maxParts = onAzure ? await mostBlocks() : undefined
  const addresses = signedFor(slots.get(1)?.url, Date.now())
  const validFor = addresses && { ...addresses, ...(maxParts === undefined ? {} : { maxParts }) }
  if (maxParts !== undefined) learnMaxParts(maxParts)
  // What is given up need not be put together.
  if (plan.disposable !== true) refuseIfTooMany(path, count, maxParts)

  return {
    id,
    path,
    ...(validFor && { signed: validFor }),
    parts: () => undefined,

    async send(number, bytes, crc32, callSignal): Promise<Part> {
      const calling = { what: `cannot send part ${number} of ${path}`, signal: callSignal }
      requireCrc32(calling.what, bytes, crc32)
      callSignal?.throwIfAborted()
      const slot = slots.get(number)
      if (slot === undefined) throw new RangeError(`part ${number} of ${count}`)
      const md5 = createHash('md5').update(bytes).digest()
      const got = await signed.put(slot.url, { ...slot.headers, 'content-md5': md5.toString('base64') }, bytes, calling)
      staged = true
      const etag = got.header('etag')?.replace(/^"|"$/g, '')
      if (etag !== undefined && /^[0-9a-f]{32}$/.test(etag) && etagIsMd5(got) && etag !== md5.toString('hex')) {
        const why = 'the store holds other bytes than were sent'
        throw new Trouble({
          kind: 'unavailable',
          what: calling.what,
          why,
          todo: 'Send it again; it was damaged on the way',
        })
      }
      return { number, size: bytes.length, crc32, ...(etag === undefined ? {} : { etag }) }
    },

    async complete(parts, whole, callSignal) {
      if (whole.ifAbsent) await refuseIfPresent(path, callSignal)
      const list = parts
        .toSorted((a, b) => a.number - b.number)
        .map(({ number, etag }) => ({
          part_number: number,
          etag: etag === undefined ? '' : `"${etag}"`,
          url: slots.get(number)?.url ?? '',
        }))
      await server.call('POST', paths.multipart('complete', path), {
        json: { path: name, upload_id: id, parts: list },
        what: `complete the upload of ${path}`,
        ...(callSignal && { signal: callSignal }),
      })
    },

    async abort(callSignal) {
      if (aborted) return
      // MLflow cannot give up blocks on Azure, and does nothing. A commit without any discards them, and makes an empty blob.
      if (onAzure && staged && plan.disposable === true) await discardBlocks(path, callSignal)
      else await abortSigned({ server, paths }, path, id, callSignal)
      aborted = true
    },
  }
}

/** Throws `Trouble` (`unavailable`, a 500) also for an upload that is gone: the server does not tell the two apart. */
export const abortSigned = async (
  { server, paths }: Pick<ProxiedAccess, 'server' | 'paths'>,
  path: string,
  id: string,
  signal?: AbortSignal,
): Promise<void> => {
  await server.call('POST', paths.multipart('abort', path), {
    json: { path: baseOf(path), upload_id: id },
    what: `abort the upload of ${path}`,
    ...(signal && { signal }),
  })
}
