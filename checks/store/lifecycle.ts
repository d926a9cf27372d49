import { defineCheck } from '../../src/check.ts'
import { bucketSettings, target } from '../../src/needs/declarations.ts'
import { abortAfterDays, abortRule, sharedFolder } from '../../src/stores/abort-rule.ts'
import { count, shellWord } from '../../src/words.ts'

type Bucket = NonNullable<typeof bucketSettings.is>
type Lifecycle = Extract<Bucket['lifecycle'], { told: unknown }>['told']

/** All rules that are there, as they are, and one more: the call replaces them all. */
const command = ({ name, endpoint }: Bucket, root: string, { rules, minimumSize }: Lifecycle): string => {
  const rule = abortRule(rules, root)
  return [
    'aws s3api put-bucket-lifecycle-configuration',
    ...(endpoint === undefined ? [] : ['--endpoint-url', shellWord(endpoint)]),
    '--bucket',
    shellWord(name),
    ...(minimumSize === undefined ? [] : ['--transition-default-minimum-object-size', shellWord(minimumSize)]),
    '--lifecycle-configuration',
    shellWord(JSON.stringify({ Rules: [...rules, rule] })),
  ].join(' ')
}

export default defineCheck({
  id: 'store/lifecycle',
  title: 'The bucket aborts uploads that were abandoned',
  severity: 'warning',
  on: ['check', 'scan'],
  needs: [target, bucketSettings],
  wants: [],
  facts: { rules: 'count' },
  explain: {
    measures:
      'Reads the lifecycle rules of the bucket and looks for an enabled one with AbortIncompleteMultipartUpload whose prefix covers the artifact root and that no tag or size narrows. A scan looks for one where it saw an unfinished upload.',
    breaks:
      'A client that is killed in the middle of an upload leaves its parts in the store. No listing shows them, mlflow gc does not know them, and they are paid for until somebody aborts the upload.',
    remedy:
      'Add a rule that aborts uploads after some days. put-bucket-lifecycle-configuration replaces all rules, so the line that is printed holds those that are there as well; whoever changes rules at the same time has to be asked first.',
  },
  async *run({ target, bucketSettings: bucket }) {
    const { lifecycle } = bucket
    if ('untold' in lifecycle) {
      const { kind, why } = lifecycle.untold
      yield {
        kind: 'gap',
        at: target.name,
        cannot: 'see',
        because:
          kind === 'unsupported'
            ? `this store has no lifecycle rules (${why}), so nothing aborts abandoned uploads unless it does so by itself`
            : `the lifecycle rules of the bucket cannot be read, which takes s3:GetLifecycleConfiguration: ${why}`,
        unexpected: false,
      }
      return
    }
    const { rules, abortAfterDays: covered } = lifecycle.told
    if (covered !== undefined) return
    const root = sharedFolder(bucket.prefix)
    const address = `s3://${bucket.name}${root === '' ? '' : `/${root}`}`
    yield {
      kind: 'finding',
      // Of many runs there, each has the same to say.
      at: address,
      // What other stores do by themselves cannot be seen from here.
      ...(!bucket.amazon && { severity: 'info' as const }),
      says: `no rule aborts abandoned uploads below ${address} (${count(rules.length, 'lifecycle rule')} in all), so the parts that a killed upload leaves stay, unseen and paid for`,
      facts: { rules: rules.length },
      remedy: {
        text: `Have uploads aborted after ${abortAfterDays} days; the line keeps the rules that are there now, and needs s3:PutLifecycleConfiguration. mlflow-doctor repair --add-lifecycle-rule does the same and reads them once more just before.${bucket.amazon ? '' : ' MinIO refuses such a rule and removes what is older than 24 hours by itself (stale_uploads_expiry).'}`,
        commands: [command(bucket, root, lifecycle.told)],
      },
    }
  },
})
