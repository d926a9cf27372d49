import { defineCheck, type Limit } from '../../src/check.ts'
import { route, signedAddresses, store, target } from '../../src/needs/declarations.ts'
import { bytes, duration } from '../../src/words.ts'

const MiB = 1024 ** 2

const providers: Readonly<Record<string, string>> = {
  s3: 'S3',
  wasb: 'Azure Blob Storage',
  wasbs: 'Azure Blob Storage',
  abfs: 'Azure Blob Storage',
  abfss: 'Azure Blob Storage',
  gs: 'Google Cloud Storage',
}

/** learn.microsoft.com/rest/api/storageservices/put-block-list: the most blocks of one blob. */
const mostBlocks = 50_000

/** azure-storage-blob does not fit its blocks to the file. */
const blocksOfClient = (chunk: number): Limit => ({
  kind: 'limit',
  hop: 'client',
  setting: 'blocks of a blob',
  scope: 'file',
  max: { bytes: mostBlocks * chunk },
  basis: 'assumed',
  routes: ['store-multipart'],
  because: `azure-storage-blob cuts files into blocks of ${bytes(chunk)}, which no setting of MLflow changes, and Azure puts at most ${mostBlocks} of them together`,
  remedy: () => ({ text: 'Send the file by mlflow-doctor upload, which fits the blocks to it.' }),
})

/** The block names that MLflow's server makes for Azure do not all have one length, and Azure refuses to put such blocks together. */
function* namedBlocks(chunk: number, most: number): Generator<Limit> {
  yield {
    kind: 'limit',
    hop: 'server',
    setting: 'block names of MLflow on Azure',
    scope: 'file',
    max: { bytes: most * chunk },
    basis: 'measured',
    routes: ['signed-parts'],
    because: `the server names the blocks of an upload mlflow_block_1, mlflow_block_2 and so on; Azure wants block ids of one length, and from the ${most + 1}th on they are longer: with parts of ${bytes(chunk)} no file above ${bytes(most * chunk)} passes (400 InvalidBlobOrBlock)`,
    remedy: (needed) => ({
      text: `Have the client cut larger parts, so that ${most} are enough.`,
      ...(needed !== undefined && {
        commands: [`export MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE=${Math.ceil(needed / most / MiB) * MiB}`],
      }),
    }),
  }
}

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
      'Has the server sign the addresses of one tiny upload, which is aborted at once, and reads from them how long they stay valid. On the direct route boto3 fits its parts to the file by itself, and the largest object is what bounds it: 48.8 TiB at Amazon, 5 TiB elsewhere. Azure Blob Storage takes 190.7 TiB, Google Cloud Storage 5 TiB; but azure-storage-blob cuts every large file into blocks of 4 MiB, and 50,000 of them are the most: 195 GiB. Blocks on Azure are named by the server, and by names of one length only as long as they are fewer than 10, or than 100, by what the service counts: one byte is staged as the first and the tenth block of the tiny upload to find out. What the size of parts allows is told by server/artifact-route and client/settings.',
    breaks:
      'All addresses of an upload are signed at its beginning, for an hour, and never again: an upload that takes longer ends with 403 after most of it was sent. On Azure, the tenth or the hundredth block of a file is refused.',
    remedy:
      'For uploads that take longer than the addresses are valid, log to an experiment whose artifact location is the store itself, or have whole files go through the server.',
  },
  async *run({ route, store, signedAddresses: signed }) {
    const provider = providers[route.scheme]
    if (store && !route.proxied && provider !== undefined) {
      yield {
        kind: 'limit',
        hop: 'store',
        setting: 'largest object',
        scope: 'file',
        max: { bytes: store.limits.maxObject },
        basis: 'assumed',
        routes: ['store-multipart'],
        because: `${provider} takes no object above ${bytes(store.limits.maxObject)}`,
        remedy: () => ({ text: 'Split the file; no setting raises this limit.' }),
      }
    }
    if (!route.proxied && /^wasbs?$/.test(route.scheme)) yield blocksOfClient(route.multipartChunk)
    if (signed === undefined) return
    if (signed.maxParts !== undefined) yield* namedBlocks(route.multipartChunk, signed.maxParts)
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
