import { defineCheck } from '../../src/check.ts'
import { multipartCanary, route, store, target } from '../../src/needs/declarations.ts'
import { bytes, duration } from '../../src/words.ts'

const MiB = 1024 ** 2
const GiB = 1024 ** 3
/** docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html: all parts but the last have 5 MiB or more, and none more than 5 GiB. */
const [smallestPart, largestPart] = [5 * MiB, 5 * GiB]
const setting = 'MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE'

export default defineCheck({
  id: 'store/limits',
  title: 'The limits of the store on files, parts and signed addresses are known',
  severity: 'info',
  on: ['check'],
  needs: [target, route],
  wants: [store, multipartCanary],
  facts: {},
  explain: {
    measures:
      "Reads how long the addresses stay valid that the server signs, from one of them, and sets the client's part size against what S3 takes: parts of 5 MiB to 5 GiB. On the direct route boto3 fits its parts to the file by itself, and the largest object is what bounds it: 48.8 TiB at Amazon, 5 TiB elsewhere.",
    breaks:
      'All addresses of an upload are signed at its beginning, for an hour, and never again: an upload that takes longer ends with 403 after most of it was sent. Parts below 5 MiB are refused when the upload is completed (EntityTooSmall), after all of it was sent.',
    remedy:
      'Leave MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE at 5 MiB or more; for uploads that take longer than the addresses are valid, log to an experiment whose artifact location is the store itself.',
  },
  async *run({ route, store, multipartCanary: canary }) {
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
    if (!route.proxied || !route.multipart) return
    if (route.multipartChunk < smallestPart) {
      yield {
        kind: 'limit',
        hop: 'store',
        setting,
        scope: 'file',
        max: { bytes: route.multipartChunk },
        basis: 'assumed',
        routes: ['signed-parts'],
        because: `MLflow cuts the file into parts of ${bytes(route.multipartChunk)}, and S3 completes no upload whose parts but the last have less than ${bytes(smallestPart)} (EntityTooSmall)`,
        remedy: () => ({
          text: 'Have the client cut larger parts.',
          commands: [`export ${setting}=${10 * MiB}`],
        }),
      }
    }
    if (route.multipartChunk > largestPart) {
      yield {
        kind: 'limit',
        hop: 'store',
        setting,
        scope: 'file',
        max: { bytes: largestPart },
        basis: 'assumed',
        routes: ['signed-parts'],
        because: `MLflow cuts the file into parts of ${bytes(route.multipartChunk)}, and S3 takes none above ${bytes(largestPart)} (EntityTooLarge)`,
        remedy: () => ({ text: 'Have the client cut smaller parts.', commands: [`export ${setting}=${100 * MiB}`] }),
      }
    }
    const signed = canary?.signed
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
