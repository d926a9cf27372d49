import { defineCheck, type Finding, type Severity } from '../../src/check.ts'
import { multipartCanary, route, store, target } from '../../src/needs/declarations.ts'

type Step = 'create' | 'upload-part' | 'list-parts' | 'list-uploads' | 'abort'

interface Meaning {
  readonly doing: string
  /** What its failure costs where the client uploads with the same credentials. */
  readonly costs: string
  /** The same where the server uploads with its own, and these serve repair and scan alone. */
  readonly costsDoctor: string
  readonly severity: Severity
  /** The IAM action that S3 asks for. */
  readonly action: string
}

const steps: Readonly<Record<Step, Meaning>> = {
  create: {
    doing: 'Beginning a multipart upload',
    costs: 'large files cannot be uploaded',
    costsDoctor: 'repair cannot put files back with them',
    severity: 'error',
    action: 's3:PutObject',
  },
  'upload-part': {
    doing: 'Sending a part of a multipart upload',
    costs: 'large files cannot be uploaded',
    costsDoctor: 'repair cannot put files back with them',
    severity: 'error',
    action: 's3:PutObject',
  },
  'list-parts': {
    doing: 'Listing the parts of a multipart upload',
    costs: 'scan cannot size an abandoned upload, and repair cannot go on with it',
    costsDoctor: 'scan cannot size an abandoned upload with them, and repair cannot go on with it',
    severity: 'warning',
    action: 's3:ListMultipartUploadParts',
  },
  'list-uploads': {
    doing: 'Listing the unfinished multipart uploads',
    costs: 'scan cannot find abandoned uploads',
    costsDoctor: 'scan cannot find abandoned uploads with them',
    severity: 'warning',
    action: 's3:ListBucketMultipartUploads',
  },
  abort: {
    doing: 'Aborting a multipart upload',
    costs: 'what a failed upload has sent stays and is paid for; so does the small part that this check sent',
    costsDoctor: 'what a failed repair has sent stays and is paid for; so does the small part that this check sent',
    severity: 'warning',
    action: 's3:AbortMultipartUpload',
  },
}

const facts = { step: 'text', took: 'ms' } as const

/** The server offers parts and fails when it is asked for them; its answer is a page without a reason. */
const unsigned = (at: string, took: number, why: string): Finding<typeof facts> => ({
  kind: 'finding',
  at,
  says: `the server offers to sign addresses for parts, and cannot: ${why}; files that go in parts do not get through`,
  facts: { step: 'create', took },
  remedy: {
    text: 'Read the server\'s log. On Google Cloud Storage, "you need a private key to sign credentials" means that its login has none (Workload Identity, a compute or user login): give it the key of a service account, or have whole files go through the server; every try leaves an unfinished upload without parts in the bucket. Wrong credentials and a missing bucket look the same from outside.',
    commands: ['export MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=false'],
  },
})

export default defineCheck({
  id: 'store/multipart',
  title: 'The store begins, lists and aborts a multipart upload',
  severity: 'error',
  on: ['check'],
  needs: [target, store, multipartCanary],
  wants: [route],
  facts,
  explain: {
    measures:
      'Begins a multipart upload below the artifact root, sends one part of some bytes, lists the parts and the unfinished uploads, and aborts it. It is never completed, so no object is written; canaries that a killed run of the same user left more than an hour ago are aborted first. On a folder the same is done with a staged file, on Azure with one uncommitted block, which is discarded.',
    breaks:
      'Policies often allow PutObject alone: small files pass, and the first large one fails, or fails and leaves its parts behind, because AbortMultipartUpload was forgotten. Where artifacts pass the tracking server and yours open the store behind it, its credentials upload, and a failure with yours only tells what repair and scan cannot do.',
    remedy:
      'The finding names the permission that was missing. All five steps need s3:PutObject, s3:ListMultipartUploadParts, s3:ListBucketMultipartUploads and s3:AbortMultipartUpload; on Azure, the role Storage Blob Data Contributor has all that is needed.',
  },
  async *run({ target, store, multipartCanary: canary, route }) {
    // The client's bytes go through the server there, and it uploads with credentials that this check never saw at work.
    const doctorOnly = route?.proxied === true && store.kind !== 'proxied'
    for (const { step, ms, trouble } of canary.steps) {
      if (trouble === undefined) continue
      const { doing, costs, costsDoctor, severity, action } = steps[step]
      const denied = trouble.kind === 'denied' && (store.kind === 's3' || trouble.action !== undefined)
      if (store.kind === 'proxied' && step === 'create' && (trouble.status ?? 0) >= 500) {
        yield unsigned(target.name, ms, trouble.why)
        continue
      }
      const finding: Finding<typeof facts> = {
        kind: 'finding',
        at: target.name,
        says: doctorOnly
          ? `${doing} with your own credentials in ${store.uri} failed: ${trouble.why}; ${costsDoctor}, while uploads through the server go with the server's`
          : `${doing} in ${store.uri} failed: ${trouble.why}; ${costs}`,
        severity: doctorOnly ? 'info' : severity,
        facts: { step, took: ms },
        remedy: {
          text: denied
            ? `${doctorOnly ? 'For repair and scan from this machine: allow' : 'Allow'} ${trouble.action ?? action} to the credentials in use; ${store.kind === 's3' ? 'store/permissions prints a policy with all that is needed' : 'the role Storage Blob Data Contributor has all that is needed'}.`
            : `${trouble.todo}.`,
        },
      }
      yield finding
    }
    if (canary.listedByPrefix === false) {
      yield {
        kind: 'gap',
        at: target.name,
        cannot: 'see',
        because: canary.listedByKey
          ? 'this store lists an unfinished upload only by its exact key, so abandoned uploads of files that nobody names stay unseen'
          : 'this store does not list unfinished uploads',
        unexpected: false,
        about: 'orphans',
      }
    }
  },
})
