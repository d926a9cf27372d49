import { defineCheck, type Gap } from '../../src/check.ts'
import { orphanAge, store, target, unfinishedUploads } from '../../src/needs/declarations.ts'
import { bytes, count, duration, shellWord } from '../../src/words.ts'

/**
 * US dollars a month for a GiB of S3 Standard in us-east-1, first 50 TB (aws.amazon.com/s3/pricing). Parts of unfinished
 * uploads are billed as what they would become (docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html).
 */
const usdPerGiB = 0.023

/** US dollars a month, to a hundredth of a cent: an estimate, since other regions, classes and stores have other prices. */
const monthly = (stored: number): number => Math.round((stored / 1024 ** 3) * usdPerGiB * 10_000) / 10_000

const price = (cost: number): string =>
  `${cost < 0.01 ? 'less than USD 0.01' : `about USD ${cost.toFixed(2)}`} a month at the list price of S3 Standard in us-east-1`

/** The run or logged model that a path below an experiment's root belongs to, by the layout of MLflow 3.17.2. */
const ownerOf = (path: string): string | undefined => {
  const [, model, run] = /(?:^|\/)(?:models\/(m-[0-9a-f]{32})|([0-9a-f]{32}))\/artifacts\//.exec(`/${path}`) ?? []
  if (model !== undefined) return `models:/${model}`
  return run === undefined ? undefined : `runs:/${run}`
}

/** Azure lists uncommitted blocks without times, and only this tool's own block ids tell one. */
const undated = (at: string): Gap => ({
  kind: 'gap',
  at,
  cannot: 'see',
  because:
    'Azure keeps no times of uncommitted blocks, so whether the upload of another client is abandoned cannot be told; what nobody commits goes by itself, seven days after its last block',
  unexpected: false,
  about: 'orphans',
})

/** cloud.google.com/storage/docs/resumable-uploads: a session is known by its address alone, and expires after a week. */
const unlisted = (at: string): Gap => ({
  kind: 'gap',
  at,
  cannot: 'see',
  because:
    'Google Cloud Storage lists no resumable upload sessions, by which its own clients send: one that was abandoned cannot be seen; it costs nothing, and ends by itself a week after it was begun',
  unexpected: false,
  about: 'orphans',
})

export default defineCheck({
  id: 'artifact/unfinished-uploads',
  title: 'No abandoned upload takes up room',
  severity: 'warning',
  on: ['scan'],
  answers: ['orphans'],
  needs: [target, store, unfinishedUploads, orphanAge],
  wants: [],
  facts: {
    parts: 'count',
    stored: 'bytes',
    age: 'ms',
    begun: 'ms',
    initiator: 'text',
    cost: 'usdPerMonth',
    owner: 'text',
  },
  explain: {
    measures:
      'Asks the store for uploads that were begun and neither completed nor aborted, below the artifact root and for every key by name that is expected and not stored whole, with their parts; on Azure, for uncommitted blocks of blobs that are not there and of each stored one. The age counts from the newest part, by the store’s clock; on Azure, from the time in the block ids of this tool’s own uploads, others have none. What they cost is estimated at USD 0.023 per GiB and month, the list price of S3 Standard in us-east-1.',
    breaks:
      'A killed client leaves its multipart upload open. Its parts are paid for, show in no listing, and no command of MLflow finds or removes them. A folder store keeps the staged file.',
    remedy:
      'Run `mlflow-doctor repair` with --from: parts that match the local file are kept and only the rest is sent. Without a source, --abort-orphans gives the room back. A lifecycle rule for incomplete multipart uploads keeps new ones from staying.',
  },
  async *run({ target, store, unfinishedUploads, orphanAge }) {
    for (const gap of unfinishedUploads.gaps) yield { kind: 'gap', ...gap, about: 'orphans' }
    if (store.kind === 'gcs') yield unlisted(target.name)
    const { now } = unfinishedUploads
    const since = (time: number | undefined) => (time === undefined || now === undefined ? undefined : now - time)
    for (const upload of unfinishedUploads.uploads) {
      const { path, id, parts, stored, lastSign, initiated, initiator } = upload
      // An unknown or future time counts as young: an upload in progress must never look like an orphan.
      const age = since(lastSign)
      const begun = since(initiated)
      const old = age !== undefined && age >= orphanAge
      const holds =
        parts === undefined ? 'its parts could not be listed' : `${count(parts, 'part')}, ${bytes(stored ?? 0)}`
      // A folder of this machine has no price.
      const cost = stored === undefined || store.kind !== 's3' ? undefined : monthly(stored)
      const owner = target.kind === 'uri' || target.kind === 'experiment' ? ownerOf(path) : undefined
      const facts = {
        ...(parts === undefined ? {} : { parts }),
        ...(stored === undefined ? {} : { stored }),
        ...(age === undefined ? {} : { age }),
        ...(begun === undefined ? {} : { begun }),
        ...(initiator === undefined ? {} : { initiator }),
        ...(cost === undefined ? {} : { cost }),
        ...(owner === undefined ? {} : { owner }),
      }
      const at = `${target.name}/${path}`
      const of = owner === undefined ? '' : ` of ${owner}`
      if (!old) {
        const touched = age === undefined || age < 0 ? 'at an unknown time' : `${duration(age)} ago`
        yield {
          kind: 'active',
          at,
          says: `an unfinished upload${of} (${holds}), last touched ${touched}: it may be in progress and is left alone`,
          facts: { ...facts, uploadId: id },
        }
        if (store.kind === 'azure' && age === undefined) yield undated(at)
        continue
      }
      const by = initiator === undefined ? '' : ` by ${initiator}`
      const start = begun === undefined ? by && ` (begun${by})` : ` (begun ${duration(begun)} ago${by})`
      yield {
        kind: 'finding',
        at,
        says: `an upload${of} was abandoned ${duration(age)} ago${start} and still holds ${holds} in ${store.uri}${cost === undefined ? '' : `: ${price(cost)}`}`,
        facts,
        remedy: {
          text: 'Repair with the local folder completes it from where it stopped; without a source, repair can give the room back when told to.',
          commands: [`mlflow-doctor repair ${shellWord(owner ?? target.name)} --from DIR`],
        },
        wants: [{ want: 'upload-settled', target: target.name, path, uploadId: id }],
      }
    }
  },
})
