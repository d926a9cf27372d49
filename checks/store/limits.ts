import { defineCheck } from '../../src/check.ts'
import { route, signedAddresses, store, target } from '../../src/needs/declarations.ts'
import { bytes, duration } from '../../src/words.ts'

export default defineCheck({
  id: 'store/limits',
  title: 'The limits of the store on files and signed addresses are known',
  severity: 'info',
  on: ['check'],
  needs: [target, route],
  wants: [store, signedAddresses],
  facts: {},
  explain: {
    measures:
      'Has the server sign the addresses of one tiny upload, which is aborted at once, and reads from them how long they stay valid. On the direct route boto3 fits its parts to the file by itself, and the largest object is what bounds it: 48.8 TiB at Amazon, 5 TiB elsewhere. What the size of parts allows is told by server/artifact-route and client/settings.',
    breaks:
      'All addresses of an upload are signed at its beginning, for an hour, and never again: an upload that takes longer ends with 403 after most of it was sent.',
    remedy:
      'For uploads that take longer than the addresses are valid, log to an experiment whose artifact location is the store itself, or have whole files go through the server.',
  },
  async *run({ route, store, signedAddresses: signed }) {
    if (store && !route.proxied && route.scheme.startsWith('s3')) {
      yield {
        kind: 'limit',
        hop: 'store',
        setting: 'largest object',
        scope: 'file',
        max: { bytes: store.limits.maxObject },
        basis: 'assumed',
        routes: ['store-multipart'],
        because: `S3 takes no object above ${bytes(store.limits.maxObject)}`,
        remedy: () => ({ text: 'Split the file; no setting raises this limit.' }),
      }
    }
    if (signed === undefined) return
    yield {
      kind: 'limit',
      hop: 'server',
      setting: 'lifetime of signed addresses',
      scope: 'file',
      max: { ms: signed.validMs },
      basis: 'measured',
      routes: ['signed-parts'],
      because: `the server signs all addresses of an upload at its beginning, and each is valid for ${duration(signed.validMs)}${signed.temporary ? ' or until the login that it signs with expires, whichever comes first' : ''}`,
      remedy: () => ({
        text: 'No setting of MLflow makes them last longer: log to an experiment whose artifact location is the store itself, send over a faster line, or have whole files go through the server where every limit on that way allows it.',
        commands: ['export MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=false'],
      }),
    }
  },
})
