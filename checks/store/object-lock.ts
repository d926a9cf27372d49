import { defineCheck } from '../../src/check.ts'
import { bucketSettings, target } from '../../src/needs/declarations.ts'
import { count } from '../../src/words.ts'

export default defineCheck({
  id: 'store/object-lock',
  title: 'What is uploaded can be replaced and removed again',
  severity: 'info',
  on: ['check'],
  needs: [target, bucketSettings],
  wants: [],
  facts: { lockMode: 'text', lockDays: 'count' },
  explain: {
    measures:
      'Reads versioning, object lock and default retention of the bucket. Whether it takes parts without a checksum, as MLflow sends them by signed addresses, is store/checksums to say.',
    breaks:
      'Under a default retention every uploaded file is locked for that time. A file that is sent again becomes another version beside the first, mlflow gc only adds delete markers, and the room stays taken. Probes write no object into such a bucket, so that fewer limits are measured.',
    remedy:
      'Keep models in a bucket without a default retention, or give the locked one a lifecycle rule for noncurrent versions that begins after the retention.',
  },
  async *run({ target, bucketSettings: { lock, name, uri } }) {
    if ('untold' in lock) {
      if (lock.untold.kind === 'unsupported') return
      yield {
        kind: 'gap',
        at: target.name,
        cannot: 'see',
        because: `whether the bucket locks its objects cannot be read, which takes s3:GetBucketObjectLockConfiguration: ${lock.untold.why}`,
        unexpected: false,
      }
      return
    }
    const { mode, days } = lock.told ?? {}
    if (mode === undefined) return
    const time = days === undefined ? 'a time' : count(days, 'day')
    yield {
      kind: 'finding',
      at: target.name,
      says: `${name} locks every object for ${time} (${mode}): a file of ${uri} that is sent again becomes another version, and none can be removed before`,
      facts: { lockMode: mode, ...(days !== undefined && { lockDays: days }) },
      remedy: {
        text: 'Keep models in a bucket without a default retention, or plan for the room that every version takes until its retention ends.',
      },
    }
  },
})
