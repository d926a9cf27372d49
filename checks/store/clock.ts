import { defineCheck } from '../../src/check.ts'
import { bucketSettings, route, target } from '../../src/needs/declarations.ts'
import { duration } from '../../src/words.ts'

const minute = 60_000
/** S3 refuses requests that are signed further away from its own time: RequestTimeTooSkewed (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). */
const tooFar = 15 * minute
/** A clock that has run this far off runs on. */
const doubtful = 5 * minute

export default defineCheck({
  id: 'store/clock',
  title: "This machine's clock agrees with the store's",
  severity: 'error',
  on: ['check'],
  needs: [target, bucketSettings],
  wants: [route],
  facts: { skew: 'ms' },
  explain: {
    measures: "Compares the Date header of the store's answers with this machine's clock, to about a second.",
    breaks:
      'Every request to S3 is signed with its time, and one that is more than 15 minutes off is refused (RequestTimeTooSkewed, 403); boto3 does not follow the store. Containers and virtual machines that slept wake up with such clocks.',
    remedy: 'Have the clock of this machine set by NTP.',
  },
  async *run({ target, bucketSettings: { clockOffset }, route }) {
    if (clockOffset === undefined) {
      const because = 'the store does not tell its time, so the clocks cannot be compared'
      yield { kind: 'gap', at: target.name, cannot: 'see', because, unexpected: false }
      return
    }
    const skew = Math.abs(clockOffset)
    if (skew <= doubtful) return
    const by = route?.proxied === true
    const apart = `the store's clock is ${duration(skew)} ${clockOffset > 0 ? 'ahead of' : 'behind'} this machine's, and S3 refuses requests that are ${duration(tooFar)} off`
    const remedy = {
      text: 'Have the clock of this machine set by NTP; on a machine with systemd this does it.',
      commands: ['sudo timedatectl set-ntp true'],
    }
    // Canaries follow the store's clock once it refuses them, and boto3 does not.
    if (skew > tooFar) {
      yield {
        kind: 'limit',
        hop: 'client',
        setting: 'clock of this machine',
        scope: 'file',
        max: { bytes: 0 },
        basis: 'measured',
        routes: ['store-multipart'],
        because: apart,
        remedy: () => remedy,
      }
    }
    yield {
      kind: 'finding',
      at: target.name,
      ...(by ? { severity: 'info' as const } : skew <= tooFar && { severity: 'warning' as const }),
      says: by ? `${apart}; uploads through the server are signed by its clock` : apart,
      facts: { skew },
      remedy,
    }
  },
})
