import { combineAll } from '../crc32.ts'
import { ifTrouble, Trouble } from '../errors.ts'
import { isPassing, type Patience, patience as usualPatience } from '../retry.ts'
import { changedSincePlan, sameObject } from '../stores/replaced.ts'
import type { SignedFor, Store, StoredFile } from '../stores/store.ts'
import { bytes, duration } from '../words.ts'
import { type Budget, planChunks } from './chunk-plan.ts'
import { compositeEtag } from './digest.ts'
import { begin, type Found, heldBytes, type Search, takeUp } from './find-upload.ts'
import { completeUpload, otherThanSent, verify } from './finish.ts'
import { type FileIdentity, openSource, type Source, sameIdentity } from './identity.ts'
import { hasJournal, type Journal, type JournalContent, journalKey, openJournal, prepareJournalDir } from './journal.ts'
import { takeLock } from './process-lock.ts'
import { openMeter, type Progress } from './progress.ts'
import { compareWithLocal, type Expected, type Verdict } from './proof.ts'
import { readBack, type Verification } from './read-back.ts'
import { sendOne } from './send-one.ts'
import { sendParts } from './send-parts.ts'
import { sendWhole } from './send-whole.ts'
import { openSender, type Sender } from './sender.ts'
import type { Sightings } from './settle.ts'

export interface Transfer extends Budget {
  /** Path of the local file. */
  readonly source: string
  /** The state of it that was planned with; another one stops the transfer (`source-changed`). */
  readonly expect?: FileIdentity
  readonly store: Store
  /** Below the store's root. */
  readonly path: string
  readonly journalDir: string
  /** Whether unfinished uploads of this key that the journal does not know may be taken up. */
  readonly adopt: boolean
  /** Milliseconds during which no part of such an upload may appear. */
  readonly settleMs: number
  /** What an earlier look saw of them; the waiting counts from there. */
  readonly sightings?: Sightings
  /** Refuse to replace an object. False only with consent to overwrite. */
  readonly ifAbsent: boolean
  /** The object that the consent to overwrite was given for; any other one is left alone (`conflict`). */
  readonly replaces?: StoredFile
  /** How the stored file is proved where the store keeps no checksum of it; `full` unless told. */
  readonly verification?: Verification
  readonly patience?: Patience
  /** Shared with other transfers; one of its own, with the memory and concurrency given here, where there is none. */
  readonly sender?: Sender
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
}

export interface Transferred {
  /** Bytes acknowledged in this run. */
  readonly sent: number
  /** Bytes that the store held already. */
  readonly reused: number
  /** Bytes of the file. */
  readonly size: number
  /** Of the whole file; undefined only when nothing was sent because the object was there, and the store keeps another proof. */
  readonly crc32: number | undefined
  readonly verified: boolean
  /** By what it was verified, or why it could not be; without a full stop. */
  readonly how: string
  readonly from: Found['from'] | 'there' | 'whole'
}

interface Job {
  readonly transfer: Transfer
  readonly source: Source
  readonly sender: Sender
  readonly patience: Patience
}

/** A file of several parts, which is remembered from run to run. */
interface Journaled extends Job {
  readonly journal: Journal
}

/** Looks before sending: an error that a client saw is no proof that the object is missing. */
const alreadyThere = async ({ transfer, source }: Job): Promise<Transferred | undefined> => {
  const { store, path, ifAbsent, replaces, signal } = transfer
  const is = await store.stat(path, signal)
  const changed = replaces !== undefined && !sameObject(replaces, is)
  if (is === undefined) {
    if (changed) throw changedSincePlan(`cannot replace ${path}`)
    return undefined
  }
  const proof = await store.proof(path, signal)
  if (proof === undefined) return undefined
  const told = proof.size === source.size ? await compareWithLocal(source, proof, signal) : undefined
  const how = transfer.verification ?? 'full'
  const verdict = told?.is === 'unknown' ? await readBack(how, { store, path, source, why: told.why }, signal) : told
  const there = { sent: 0, reused: source.size, size: source.size, crc32: proof.crc32, from: 'there' } as const
  if (verdict?.is === 'equal') return { ...there, verified: true, how: `it was there already: ${verdict.how}` }
  if (changed) throw changedSincePlan(`cannot replace ${path}`)
  if (!ifAbsent) return undefined
  if (verdict?.is === 'unknown') return { ...there, verified: false, how: `it was there already, and ${verdict.why}` }
  throw new Trouble({
    kind: 'conflict',
    what: `cannot add ${path}`,
    why: verdict?.why ?? `an object of ${proof.size} bytes has that name, and the local file has ${source.size}`,
    todo: `Look at both; --overwrite ${path} replaces the stored one`,
  })
}

/** Adds what is kept to a failure, so that nobody starts from the beginning out of fear. */
const withWhatIsLeft = (error: unknown, held: number, size: number): unknown => {
  if (!(error instanceof Trouble) || held === 0) return error
  const { kind, what, why, todo, action, status, retryAfterMs } = error
  return new Trouble({
    kind,
    what,
    why,
    todo: `${todo}; ${bytes(held)} of ${bytes(size)} are in the store and will not be sent twice`,
    ...(action === undefined ? {} : { action }),
    ...(status === undefined ? {} : { status }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    cause: error,
  })
}

/** By signed URLs an upload ends with the process that asked for them; anywhere else it can be taken up again. */
const canBeResumed = (store: Store): boolean => store.route !== 'signed-parts'

/** Of the parts that are not to be sent, those that the journal does not hold as they are: it must not grow with each run. */
const noteHeld = (journal: Journal, noted: JournalContent['parts'], { held }: Found): Promise<unknown> => {
  const fresh = [...held.values()].filter(({ number, size, crc32, etag }) => {
    const line = noted.get(number)
    return line?.size !== size || line.crc32 !== crc32 || line.etag !== etag
  })
  return Promise.all(
    fresh.map(({ number, size, crc32, etag }) =>
      journal.add({ part: number, size, crc32, ...(etag === undefined ? {} : { etag }) }),
    ),
  )
}

/** Milliseconds after which the rate so far tells something. */
const rateTold = 20_000

/** Signed addresses of one upload are made once, all together: a file that will not have gone before they expire is not sent for an hour in vain. Throws `too-large`. */
const refuseIfTooSlow = (path: string, { validMs }: SignedFor, { elapsedMs, sent, reused, total }: Progress): void => {
  if (elapsedMs < rateTold || sent === 0) return
  const wholeMs = (elapsedMs / sent) * (total - reused)
  if (wholeMs <= validMs) return
  throw new Trouble({
    kind: 'too-large',
    what: `cannot send ${path} by signed addresses`,
    why: `they are valid for ${duration(validMs)}, and at the rate of this line the file takes ${duration(wholeMs)}`,
    todo: 'Use credentials for the store behind the server (--artifacts-destination), which need no signed addresses',
  })
}

/** By the CRC-32C that the store keeps of what it has, for a read of the local file; else by reading the stored one back. Throws `conflict` where the bytes are others. */
const readingBack = async ({ transfer, source }: Job, why: string): Promise<Exclude<Verdict, { is: 'different' }>> => {
  const { store, path, signal } = transfer
  const proof = await store.proof(path, signal)
  const told = proof?.crc32c === undefined ? undefined : await compareWithLocal(source, proof, signal)
  const verdict =
    told === undefined || told.is === 'unknown'
      ? await readBack(transfer.verification ?? 'full', { store, path, source, why }, signal)
      : told
  if (verdict.is !== 'different') return verdict
  throw otherThanSent(path, verdict.why)
}

const sendInParts = async (
  job: Journaled,
  found: Found,
  onPart: (size: number) => void = () => undefined,
): Promise<Transferred> => {
  const { transfer, source, journal, sender, patience } = job
  const { store, path, signal } = transfer
  const { upload, plan, held, from } = found
  const noted = await journal.begin({ source: source.identity, uploadId: upload.id, partSize: plan.partSize })
  await noteHeld(journal, noted, found)
  const meter = openMeter(path, source.size, transfer.onProgress)
  meter.reused(heldBytes(held))
  try {
    const parts = await sendParts({
      ...{ source, upload, plan, held, journal, sender, patience, signal },
      onPart: (part) => {
        meter.sent(part.size)
        onPart(part.size)
        if (upload.signed !== undefined) refuseIfTooSlow(path, upload.signed, meter.now())
      },
    })
    await source.confirm()
    const expected: Expected = {
      size: source.size,
      crc32: combineAll(parts),
      etag: compositeEtag(parts.map((part) => part.etag)),
    }
    const finishing = { store, path, expected, patience, signal }
    await completeUpload(upload, parts, transfer, finishing)
    const told = await verify(finishing)
    const verdict = told.is === 'unknown' ? await readingBack(job, told.why) : told
    await journal.erase()
    const { sent, reused } = meter.now()
    const verified = verdict.is === 'equal'
    const how = verified ? verdict.how : verdict.why
    return { sent, reused, size: source.size, crc32: expected.crc32, verified, how, from }
  } catch (error) {
    if (!canBeResumed(store)) await upload.abort().catch(() => undefined)
    const { sent, reused } = meter.now()
    throw canBeResumed(store) ? withWhatIsLeft(error, sent + reused, source.size) : error
  }
}

/** Bytes: parts are not cut below what the store takes, nor below 1 MiB, which every proxy lets through by default. */
const smallest = ({ limits }: Store): number => Math.max(limits.minPart, 1024 ** 2)

/** Whether smaller parts may get through where these did not: something on the way refuses their size, or cuts each of them before its end. */
const isForSmaller = (error: unknown): boolean =>
  error instanceof Trouble && (error.kind === 'too-large' || isPassing(error))

/** Whether a session of bytes in order is over: it has expired, or what it held was damaged. All of it is to be sent again. */
const isOver = ({ upload }: Found, error: unknown): boolean =>
  upload.ordered === true && error instanceof Trouble && error.kind === 'not-found'

/** Goes on with an upload; from the beginning where that is over, once. */
const sendOrAnew = async (job: Journaled, search: Search, found: Found): Promise<Transferred> => {
  try {
    return await sendOrSmaller(job, search, found)
  } catch (error) {
    if (!isOver(found, error)) throw error
    return sendOrSmaller(job, search, await begin(search))
  }
}

/** Goes on with an upload; once more from the beginning, with the smallest parts that the store takes, where not one whole part has ever got through. */
const sendOrSmaller = async (job: Journaled, search: Search, found: Found): Promise<Transferred> => {
  const { store, source, signal } = search
  const { upload, plan, held, from } = found
  let through = [...held.values()].some(({ size }) => size === plan.partSize)
  try {
    return await sendInParts(job, found, (size) => {
      through ||= size === plan.partSize
    })
  } catch (error) {
    const budget = { ...search.budget, mostPart: smallest(store) }
    if (through || !isForSmaller(error)) throw error
    const least = planChunks(source.size, store.limits, budget)
    if (least.partSize >= plan.partSize) throw error
    if (from !== 'adopted') await upload.abort(signal).catch(ifTrouble)
    job.sender.mostPart = least.partSize
    return sendOrSmaller(job, search, await begin({ ...search, budget }))
  }
}

/** The object is there, so an upload of our own that was not completed serves nothing any more. */
const settleOwn = async ({ transfer, source, journal }: Journaled): Promise<void> => {
  const { store, path, signal } = transfer
  if (journal.left !== undefined) {
    const { uploadId, partSize } = journal.left
    const upload = await store.resumeUpload(path, uploadId, { sourceSize: source.size, partSize }, signal)
    await upload?.abort(signal)
  }
  await journal.erase()
}

const run = async (job: Journaled): Promise<Transferred> => {
  const { transfer, source, journal, patience } = job
  const { store, path, memoryBytes, concurrency, adopt, settleMs, signal } = transfer
  const there = await alreadyThere(job)
  if (there !== undefined) {
    if (there.verified) await settleOwn(job)
    return there
  }
  if (store.route === 'proxied-put' && store.putWhole !== undefined) {
    return sendWhole({
      ...transfer,
      verification: transfer.verification ?? 'full',
      source,
      patience,
      putWhole: store.putWhole,
    })
  }
  const budget = { memoryBytes, concurrency, mostPart: job.sender.mostPart }
  const search = {
    ...{ store, path, source, left: journal.left, budget, adopt, settleMs, signal },
    ...{ sightings: transfer.sightings ?? new Map(), patience },
  }
  const found = await takeUp(search)
  if (found !== undefined) return sendOrAnew(job, search, found)
  // Whoever began an upload may have completed it while this one waited.
  return (adopt ? await alreadyThere(job) : undefined) ?? sendOrAnew(job, search, await begin(search))
}

/** Bytes. Up to here, what is saved by one request in place of four is worth more than what must be sent again after a cut. */
const mostInOne = 16 * 1024 ** 2

/** The way for a file that fits into one request, where the store has one and nothing of an earlier try is to be gone on with. */
const inOneRequest = async ({ transfer, source, sender }: Job): Promise<Store['putOne']> => {
  const { store, path, journalDir, adopt, sightings } = transfer
  if (store.putOne === undefined) return undefined
  const { partSize } = planChunks(source.size, store.limits, transfer)
  const most = Math.max(partSize, Math.min(mostInOne, transfer.memoryBytes / 2))
  if (source.size > Math.min(most, sender.mostPart)) return undefined
  if (adopt && [...(sightings?.keys() ?? [])].some((key) => key.startsWith(`${path}\0`))) return undefined
  return (await hasJournal(journalDir, journalKey(store.uri, path))) ? undefined : store.putOne
}

/** Undefined where it does not get through in one request, and may in parts. */
const runOne = async (job: Job, putOne: NonNullable<Store['putOne']>): Promise<Transferred | undefined> => {
  const { transfer, source, sender, patience } = job
  const { store, path, ifAbsent, replaces, signal } = transfer
  const there = await alreadyThere(job)
  if (there !== undefined) return there
  const meter = openMeter(path, source.size, transfer.onProgress)
  const how = { ifAbsent, ...(replaces === undefined ? {} : { replaces }) }
  const sent = await sendOne({ source, store, putOne, path, ...how, sender, patience, signal }).catch(
    (error: unknown) => {
      if (!isForSmaller(error) || source.size <= smallest(store)) throw error
      sender.mostPart = smallest(store)
      return undefined
    },
  )
  if (sent === undefined) return undefined
  meter.sent(source.size)
  const { crc32 } = sent
  const verdict = sent.verdict.is === 'unknown' ? await readingBack(job, sent.verdict.why) : sent.verdict
  const verified = verdict.is === 'equal'
  const { size } = source
  return { sent: size, reused: 0, size, crc32, verified, how: verified ? verdict.how : verdict.why, from: 'whole' }
}

/**
 * Brings one local file to the store, going on from whatever an earlier attempt left there. Every part and the whole are
 * proved; what cannot be proved is sent again. Throws `Trouble`: `source-changed`, `conflict` (somebody else is at it, or
 * an object is in the way), or what the store answered.
 */
export const transferFile = async (transfer: Transfer): Promise<Transferred> => {
  const { store, path, journalDir, expect } = transfer
  const source = await openSource(transfer.source)
  try {
    if (expect !== undefined && !sameIdentity(expect, source.identity)) {
      throw new Trouble({
        kind: 'source-changed',
        what: `cannot send ${path}`,
        why: `${transfer.source} is not the file any more that was planned with`,
        todo: 'Run the same command again to plan with the file as it is now',
      })
    }
    const sender = transfer.sender ?? openSender(transfer)
    const common = { transfer, source, sender, patience: transfer.patience ?? usualPatience }
    const putOne = await inOneRequest(common)
    const one = putOne && (await runOne(common, putOne))
    if (one !== undefined) return one
    await prepareJournalDir(journalDir)
    const key = journalKey(store.uri, path)
    const lock = await takeLock(journalDir, key, `cannot send ${path}`)
    try {
      const journal = await openJournal(journalDir, key)
      try {
        return await run({ ...common, journal })
      } finally {
        await journal.close()
      }
    } finally {
      await lock.release()
    }
  } finally {
    await source.close()
  }
}
