import { defineCheck } from '../../src/check.ts'
import { bucketSettings, route, settings, target } from '../../src/needs/declarations.ts'

export default defineCheck({
  id: 'store/address',
  title: 'The bucket is addressed in its own region, by a name that its certificate covers',
  severity: 'error',
  on: ['check'],
  needs: [target, bucketSettings, settings],
  wants: [route],
  facts: { region: 'text' },
  explain: {
    measures:
      'Compares the region that requests are signed for with the one that the bucket names in its answers, and looks whether MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE puts a name with dots in front of the host of an https address.',
    breaks:
      'Requests for another region are answered by a redirect or refused (AuthorizationHeaderMalformed); boto3 follows, each time anew. The wildcard of a certificate stands for one label, so a bucket name with dots in the host name fails as CERTIFICATE_VERIFY_FAILED.',
    remedy: 'Set AWS_DEFAULT_REGION to the region of the bucket, and the addressing style to path for names with dots.',
  },
  async *run({ target, bucketSettings: bucket, settings, route }) {
    const doctorOnly = route?.proxied === true
    const { name, region, bucketRegion, endpoint } = bucket
    if (bucketRegion !== undefined && bucketRegion !== region) {
      // Amazon redirects, and boto3 follows; other stores take nothing but their own region.
      const refused = 'untold' in bucket.versioning && bucket.versioning.untold.kind === 'unexpected-answer'
      yield {
        kind: 'finding',
        at: target.name,
        severity: doctorOnly ? 'info' : refused ? 'error' : 'warning',
        says: `${name} lies in ${bucketRegion}, and requests are signed for ${region}: ${refused ? 'they are refused' : 'each client is redirected first'}`,
        facts: { region },
        remedy: { text: 'Name the region of the bucket.', commands: [`export AWS_DEFAULT_REGION=${bucketRegion}`] },
      }
    }
    const secure = endpoint === undefined || endpoint.startsWith('https:')
    if (settings.s3.addressing === 'virtual' && name.includes('.') && secure) {
      yield {
        kind: 'finding',
        at: target.name,
        ...(doctorOnly && { severity: 'info' as const }),
        says: `MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE=virtual makes the dots of ${name} part of the host name, which the wildcard of the store's certificate does not cover`,
        facts: { region },
        remedy: {
          text: 'Put the name into the path.',
          commands: ['export MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE=path'],
        },
      }
    }
  },
})
