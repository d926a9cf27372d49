import { Trouble } from '../errors.ts'
import { type Patience, withRetry } from '../retry.ts'
import type { OpenUpload, Part, Store } from '../stores/store.ts'
import { type Budget, type ChunkPlan, inferPartSize, partAt, planChunks, planWith } from './chunk-plan.ts'
import { digestRange, md5In, scratch } from './digest.ts'
import type { Source } from './identity.ts'
import { sameIdentity } from './identity.ts'
import type { JournalContent, JournalPart } from './journal.ts'
import { type Candidate, type Sightings, settled } from './settle.ts'

/** A part that was compared with the local file, or sent from it: its sum is known. */
export type ProvedPart = Part & { readonly crc32: number }

/** The upload to go on with, and which of its parts need not be sent. */
export interface Found {
  readonly upload: OpenUpload
  readonly plan: ChunkPlan
  /** By part number, each with its CRC32: held by the store and equal to the local file. */
  readonly held: ReadonlyMap<number, ProvedPart>
  readonly from: 'journal' | 'adopted' | 'new'
}

export interface Search {
  readonly store: Store
  readonly path: string
  readonly source: Source
  readonly left: JournalContent | undefined
  readonly budget: Budget
  /** Whether uploads that this machine's journal does not know may be taken up. */
  readonly adopt: boolean
  readonly settleMs: number
  readonly sightings: Sightings
  readonly patience: Patience
  readonly signal: AbortSignal | undefined
}

const confirmedBy = (part: Part, noted: JournalPart | undefined): number | undefined => {
  if (noted === undefined || noted.size !== part.size) return undefined
  if (part.crc32 !== undefined) return part.crc32 === noted.crc32 ? noted.crc32 : undefined
  return part.etag !== undefined && part.etag === noted.etag ? noted.crc32 : undefined
}

/** The CRC32 of a listed part if it is what the local file holds there; reads the file only where the journal cannot tell. */
const provenCrc32 = async (
  search: Search,
  plan: ChunkPlan,
  part: Part,
  buffer: Uint8Array,
): Promise<number | undefined> => {
  const range = partAt(plan, part.number)
  if (part.number > plan.parts || part.size !== range.length) return undefined
  const { left, source, signal } = search
  const noted =
    left !== undefined && sameIdentity(left.source, source.identity) ? left.parts.get(part.number) : undefined
  const confirmed = confirmedBy(part, noted)
  if (confirmed !== undefined) return confirmed
  const md5 = md5In(part.etag)
  if (part.crc32 === undefined && md5 === undefined) return undefined
  const local = await digestRange(source, range, { md5: part.crc32 === undefined, buffer, signal })
  const equal = part.crc32 === undefined ? local.md5 === md5 : local.crc32 === part.crc32
  return equal ? local.crc32 : undefined
}

/** Whether the store tells enough of a part to hold it against the local file. */
const isComparable = (part: Part, plan: ChunkPlan): boolean =>
  part.number <= plan.parts &&
  part.size === partAt(plan, part.number).length &&
  (part.crc32 !== undefined || md5In(part.etag) !== undefined)

type Sums = Pick<ProvedPart, 'crc32' | 'crc32c'>
type Prove = (search: Search, plan: ChunkPlan, part: Part, buffer: Uint8Array) => Promise<Sums | undefined>

/** Of an upload of our own whose store tells no more than how far it has the file: what was sent of a file that has not changed. The whole is compared at the end. */
const inOrder: Prove = async ({ source, signal }, plan, { number }, buffer) => {
  const { md5: _, ...sums } = await digestRange(source, partAt(plan, number), {
    md5: false,
    crc32c: true,
    buffer,
    signal,
  })
  return sums
}

const compared: Prove = async (search, plan, part, buffer) => {
  const crc32 = await provenCrc32(search, plan, part, buffer)
  return crc32 === undefined ? undefined : { crc32 }
}

const heldParts = async (
  search: Search,
  plan: ChunkPlan,
  listed: readonly Part[],
  prove: Prove = compared,
): Promise<Map<number, ProvedPart>> => {
  const held = new Map<number, ProvedPart>()
  const buffer = scratch()
  for (const part of listed) {
    const sums = await prove(search, plan, part, buffer)
    if (sums !== undefined) held.set(part.number, { ...part, ...sums })
  }
  return held
}

/** A plan with that part size, or undefined where this file, store or memory does not allow it. */
const planIfPossible = ({ source, store, budget }: Search, partSize: number): ChunkPlan | undefined => {
  try {
    return planWith(source.size, partSize, store.limits, budget)
  } catch (error) {
    if (error instanceof Trouble) return undefined
    throw error
  }
}

const cutOf = (plan: ChunkPlan) => ({ sourceSize: plan.size, partSize: plan.partSize })

/** An upload of our own that cannot serve this file any more: its parts belong to bytes that are gone. */
const giveUp = async ({ store, path, signal }: Search, left: JournalContent, own: ChunkPlan): Promise<undefined> => {
  const upload = await store.resumeUpload(path, left.uploadId, cutOf(own), signal)
  await upload?.abort(signal)
  return undefined
}

const fromJournal = async (search: Search, own: ChunkPlan): Promise<Found | undefined> => {
  const { left, source, store, path, budget, signal } = search
  if (left === undefined) return undefined
  if (store.route === 'folder-copy' && left.source.size > source.size) return giveUp(search, left, own)
  const tooMany = Math.ceil(source.size / left.partSize) > store.limits.maxParts
  if (tooMany) return giveUp(search, left, own)
  const plan = planWith(source.size, left.partSize, store.limits, budget)
  const upload = await store.resumeUpload(path, left.uploadId, cutOf(plan), signal)
  if (upload === undefined) return undefined
  if (upload.ordered === true && !sameIdentity(left.source, source.identity)) {
    await upload.abort(signal)
    return undefined
  }
  const listed = (await upload.parts(signal)) ?? []
  const held = await heldParts(search, plan, listed, upload.ordered === true ? inOrder : compared)
  return { upload, plan, held, from: 'journal' }
}

/** The part size that an upload dictates. Without parts, or in a folder, where any cut will do, it is our own. */
const dictated = ({ source, store }: Search, { parts }: Candidate, own: ChunkPlan): number | undefined =>
  parts.length === 0 || store.route === 'folder-copy' ? own.partSize : inferPartSize(source.size, parts)

const adopted = async (search: Search, own: ChunkPlan): Promise<Found | undefined> => {
  const { store, path, signal } = search
  let best: Found | undefined
  for (const candidate of await settled(store, path, search)) {
    // A staged file cannot be shortened by sending parts; it is listed as one.
    if (store.route === 'folder-copy' && candidate.parts.some((part) => part.size > search.source.size)) continue
    const partSize = dictated(search, candidate, own)
    const plan = partSize === undefined ? undefined : planIfPossible(search, partSize)
    if (plan === undefined) continue
    const upload = await store.resumeUpload(path, candidate.found.id, cutOf(plan), signal)
    const listed = await upload?.parts(signal)
    if (upload === undefined || listed === undefined) continue
    const held = await heldParts(search, plan, listed)
    // A part that is another one than the local file has: this file has changed since, or another one was being sent.
    if (listed.some((part) => !held.has(part.number) && isComparable(part, plan))) continue
    if (listed.length > 0 && held.size === 0) continue
    if (best === undefined || heldBytes(best.held) < heldBytes(held)) best = { upload, plan, held, from: 'adopted' }
  }
  return best
}

/** Bytes of all parts together. */
export const heldBytes = (held: ReadonlyMap<number, Part>): number => {
  let sum = 0
  for (const part of held.values()) sum += part.size
  return sum
}

/** The own journal's upload, else the unfinished upload of this key that holds most of the file. */
export const takeUp = async (search: Search): Promise<Found | undefined> => {
  const own = planChunks(search.source.size, search.store.limits, search.budget)
  return (await fromJournal(search, own)) ?? (search.adopt ? adopted(search, own) : undefined)
}

export const begin = async ({ source, store, path, budget, signal, patience }: Search): Promise<Found> => {
  const cut = () => planChunks(source.size, store.limits, budget)
  const open = (plan: ChunkPlan) => withRetry(() => store.openUpload(path, cutOf(plan), signal), patience, signal)
  const from = 'new'
  const plan = cut()
  try {
    return { upload: await open(plan), plan, held: new Map(), from }
  } catch (error) {
    // Some learn how many parts they may have only when they ask for them.
    if (plan.parts <= store.limits.maxParts) throw error
    const fewer = cut()
    return { upload: await open(fewer), plan: fewer, held: new Map(), from }
  }
}
