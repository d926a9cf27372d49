import { defineCheck, type Gap, type Severity } from '../../src/check.ts'
import {
  bucketSettings,
  deleteRight,
  multipartCanary,
  readRights,
  route,
  target,
} from '../../src/needs/declarations.ts'
import { count } from '../../src/words.ts'
import { policyFor } from './data/policy.ts'

interface Meaning {
  /** What is not possible without it, where the client uploads with the same credentials. */
  readonly without: string
  readonly severity: Severity
}

/** In the order in which they are told. */
const meanings: Readonly<Record<string, Meaning>> = {
  's3:PutObject': { without: 'no file can be uploaded', severity: 'error' },
  's3:AbortMultipartUpload': {
    without: 'what a failed upload has sent stays and is paid for',
    severity: 'warning',
  },
  's3:GetObject': { without: 'models cannot be loaded, and sizes cannot be verified', severity: 'warning' },
  's3:ListBucket': {
    without: 'MLflow cannot list artifacts, and scan finds nothing',
    severity: 'warning',
  },
  's3:ListMultipartUploadParts': {
    without: 'repair cannot go on with an upload that broke off',
    severity: 'warning',
  },
  's3:ListBucketMultipartUploads': { without: 'scan cannot find abandoned uploads', severity: 'warning' },
  's3:DeleteObject': { without: 'mlflow gc cannot remove artifacts', severity: 'info' },
}
const other: Meaning = { without: 'what needs it fails', severity: 'error' }

const ranks: readonly Severity[] = ['info', 'warning', 'error']

type Right = NonNullable<typeof deleteRight.is>
type Step = NonNullable<typeof multipartCanary.is>['steps'][number]

/** The right that a step of the canary shows; a step that was not reached shows none. */
const actionOf: Readonly<Record<Step['step'], string>> = {
  create: 's3:PutObject',
  'upload-part': 's3:PutObject',
  'list-parts': 's3:ListMultipartUploadParts',
  'list-uploads': 's3:ListBucketMultipartUploads',
  abort: 's3:AbortMultipartUpload',
}

const shown = ({ step, trouble }: Step): Right => {
  if (trouble === undefined) return { action: actionOf[step], state: 'granted' }
  const state = trouble.kind === 'denied' || trouble.kind === 'unsupported' ? trouble.kind : 'unclear'
  return { action: (state === 'denied' && trouble.action) || actionOf[step], state, why: trouble.why }
}

/** One right for each action: what was tried with a real upload counts for more than what was asked. */
const together = (asked: readonly Right[], tried: readonly Right[]): ReadonlyMap<string, Right> => {
  const rights = new Map<string, Right>()
  for (const right of asked) rights.set(right.action, right)
  for (const right of tried) {
    const before = rights.get(right.action)
    if (before?.state === 'denied' && tried.includes(before)) continue
    rights.set(right.action, right)
  }
  return rights
}

const facts = { missing: 'text' } as const

export default defineCheck({
  id: 'store/permissions',
  title: 'The credentials in use have every permission that uploads, scan and repair need',
  severity: 'error',
  on: ['check'],
  needs: [target, bucketSettings, readRights],
  wants: [multipartCanary, deleteRight, route],
  facts,
  explain: {
    measures:
      'Tries each permission by itself with the credentials in use: reads an object and the parts of an upload that are not there, lists one object and one unfinished upload, begins, feeds and aborts a multipart upload, and deletes an object that is not there (only where the bucket keeps no versions, since a delete marker would stay otherwise). No object is written. With --read-only only what reads can tell.',
    breaks:
      'Policies often allow s3:PutObject alone: the upload passes, and what it leaves when it breaks off can neither be seen nor removed, or the model cannot be loaded again. Where a permission is missing that only large files need, small ones pass and the first large one fails after training.',
    remedy:
      'The finding names each missing action and prints one policy that has them all, for this bucket and prefix and nothing else. Where artifacts pass the tracking server, it uploads with its own credentials, and those that are tried here serve scan and repair alone.',
  },
  async *run({ target, bucketSettings: bucket, readRights: asked, multipartCanary: canary, deleteRight, route }) {
    const rights = together([...asked, ...(deleteRight ? [deleteRight] : [])], (canary?.steps ?? []).map(shown))
    const doctorOnly = route?.proxied === true
    const denied = [...rights.values()].filter(({ state }) => state === 'denied')
    const order = Object.keys(meanings)
    const missing = denied.map(({ action }) => action).toSorted((a, b) => order.indexOf(a) - order.indexOf(b))
    if (missing.length > 0) {
      const worst = missing.map((action) => (meanings[action] ?? other).severity)
      const what = missing.map((action) => `${action} (${(meanings[action] ?? other).without})`).join(', ')
      const whose = doctorOnly
        ? `your own credentials, which scan and repair use while uploads go with the server's, lack`
        : 'the credentials in use lack'
      yield {
        kind: 'finding',
        at: target.name,
        severity: doctorOnly ? 'info' : worst.reduce((a, b) => (ranks.indexOf(b) > ranks.indexOf(a) ? b : a)),
        says: `in ${bucket.uri} ${whose} ${count(missing.length, 'permission')}: ${what}`,
        facts: { missing: missing.join(' ') },
        remedy: {
          text: 'Give them this policy, which allows what uploads, scan and repair need here and nothing else; a Deny in a bucket policy has to go as well, since it wins over every Allow.',
          commands: [policyFor(bucket, missing)],
        },
      }
    }
    for (const { action, state, why } of rights.values()) {
      if (state !== 'unclear' && state !== 'unsupported') continue
      const gap: Gap = {
        kind: 'gap',
        at: target.name,
        cannot: 'see',
        because:
          state === 'unsupported'
            ? `this store does not offer what ${action} is for (${why})`
            : `whether ${action} is allowed cannot be told: ${why}`,
        unexpected: false,
      }
      yield gap
    }
    const untried = order.filter((action) => !rights.has(action))
    if (untried.length > 0) {
      yield {
        kind: 'gap',
        at: target.name,
        cannot: 'see',
        because: `whether ${untried.join(', ')} ${untried.length === 1 ? 'is' : 'are'} allowed was not tried: ${canary?.steps.length === 1 ? 'no upload could be begun' : 'that takes a write'}`,
        unexpected: false,
      }
    }
  },
})
