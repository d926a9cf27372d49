/** Needs that the bucket behind an S3 store answers. */
import { ifTrouble, NotApplicable, Trouble, type TroubleKind } from '../errors.ts'
import type { Bucket, BucketSettings, ChecksumTry, Right, Told } from '../stores/bucket.ts'
import { checksumModes } from '../stores/bucket.ts'
import type { Store } from '../stores/store.ts'
import { keeper } from './canaries.ts'
import {
  bucketSettings,
  checksumTries,
  cloudRights,
  deleteRight,
  keeping,
  multipartCanary,
  readRights,
  store,
  target,
  unfinishedUploads,
} from './declarations.ts'
import type { Needed } from './needed.ts'
import { type Opening, opener } from './opener.ts'

const bucketOf = async (open: Opening<Needed>['open']): Promise<{ of: Store; bucket: Bucket }> => {
  await open(target)
  const of = await open(store)
  if (of.bucket) return { of, bucket: of.bucket }
  throw new NotApplicable(
    of.kind === 'folder'
      ? 'the store is a folder'
      : 'the store is reached through the tracking server, which does not tell its settings',
  )
}

const told = <T>(answer: Told<T>): T | undefined => ('told' in answer ? answer.told : undefined)

export const bucketSettingsOpener = opener(bucketSettings, async ({ context, open, signal }: Opening<Needed>) => {
  const { bucket } = await bucketOf(open)
  // After a failure the settings matter where something was left behind; a check asks for them before anything is sent.
  const left = context.occasion === 'scan' ? await open(unfinishedUploads).catch(ifTrouble) : undefined
  if (context.occasion === 'scan' && (left?.uploads.length ?? 0) === 0) {
    throw new NotApplicable('no unfinished upload was seen here')
  }
  const value = await bucket.settings(signal)
  const versioning = told(value.versioning)
  const encryption = told(value.encryption)?.algorithm
  return {
    value,
    facts: {
      ...(value.bucketRegion !== undefined && { bucketRegion: value.bucketRegion }),
      ...(value.clockOffset !== undefined && { clockOffset: value.clockOffset }),
      ...(versioning !== undefined && { versioning }),
      ...(encryption !== undefined && { encryption }),
    },
  }
})

export const readRightsOpener = opener(readRights, async (opening: Opening<Needed>) => {
  const { bucket } = await bucketOf(opening.open)
  return { value: await bucket.readRights(keeper(opening).name(Date.now()), opening.signal) }
})

/** True only where nothing speaks for versions: a DELETE there removes, or finds nothing, and leaves no marker. */
const keepsNothing = ({ versioning }: BucketSettings): boolean =>
  'told' in versioning ? versioning.told === 'off' : versioning.untold.kind === 'unsupported'

export const deleteRightOpener = opener(deleteRight, async (opening: Opening<Needed>) => {
  const { open, signal } = opening
  const { bucket } = await bucketOf(open)
  if (!keepsNothing(await open(bucketSettings))) {
    const why = 'the bucket keeps versions, or does not tell, and a DELETE there would leave a marker'
    const value: Right = { action: 's3:DeleteObject', state: 'unclear', why }
    return { value }
  }
  return { value: await bucket.deleteRight(keeper(opening).name(Date.now()), signal) }
})

/** Of the stores that have such a call, and that this machine speaks to itself. */
const cloudOf = async (open: Opening<Needed>['open']): Promise<Store> => {
  await open(target)
  const of = await open(store)
  if (of.keeping !== undefined) return of
  throw new NotApplicable('the store is neither Azure Blob Storage nor Google Cloud Storage')
}

export const keepingOpener = opener(keeping, async ({ open, signal }: Opening<Needed>) => {
  const value = (await (await cloudOf(open)).keeping?.(signal)) ?? { unread: [] }
  const { removedDays, versions } = value
  return {
    value,
    facts: {
      ...(removedDays !== undefined && { removedDays }),
      ...(versions !== undefined && { keepsVersions: versions }),
    },
  }
})

export const cloudRightsOpener = opener(cloudRights, async ({ open, signal }: Opening<Needed>) => {
  const { rights } = await cloudOf(open)
  if (rights === undefined) throw new NotApplicable('the store does not tell what this login may do')
  return { value: await rights(signal) }
})

const refusals: readonly TroubleKind[] = ['unsupported', 'unexpected-answer', 'unauthenticated', 'denied']

export const checksumTriesOpener = opener(checksumTries, async (opening: Opening<Needed>) => {
  const { open, signal } = opening
  const { of, bucket } = await bucketOf(open)
  // What cannot be begun shows nothing here, and what cannot be aborted must not be begun again.
  const { steps } = await open(multipartCanary)
  const stops = ({ step, trouble }: (typeof steps)[number]) =>
    trouble !== undefined &&
    (step === 'create' || step === 'abort' || (step === 'upload-part' && trouble.kind === 'denied'))
  if (steps.some(stops)) throw new NotApplicable('no upload can be begun, fed and aborted')
  const { upload } = keeper(opening)
  const time = (await of.now(signal)) ?? Date.now()
  const value: ChecksumTry[] = []
  for (const mode of checksumModes) {
    signal.throwIfAborted()
    const from = { uri: of.uri, openUpload: (name: string) => bucket.openProbe(name, mode) }
    try {
      const { upload: probe, end } = await upload(from, { sourceSize: 1, partSize: 1 }, time)
      try {
        value.push(await probe.tryPart(mode, signal))
      } finally {
        await end()
      }
    } catch (error) {
      // A store may refuse the mode as early as here; that an upload can be begun without it was seen before.
      if (!(error instanceof Trouble) || !refusals.includes(error.kind)) throw error
      value.push({ mode, accepted: false, why: error.why })
    }
  }
  const strongest = value.findLast(({ accepted, confirmed }) => accepted && confirmed !== false)?.mode
  return { value, facts: strongest === undefined ? {} : { strongestChecksum: strongest } }
})
