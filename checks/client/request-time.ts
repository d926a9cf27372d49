import { defineCheck, type Finding, type Limit } from '../../src/check.ts'
import { route, settings, transfers } from '../../src/needs/declarations.ts'
import { bytes, duration } from '../../src/words.ts'

const MiB = 1024 ** 2

/** How a store's client library sends, and how long it gives one request for its body. */
interface Library {
  readonly name: string
  /** The setting that bounds it, in the library's words. */
  readonly setting: string
  /** Milliseconds. */
  readonly ms: number
  /** Where the figure is from. */
  readonly source: string
  /** What raises it or needs less of it; `rate` in bytes a second. */
  remedy(rate: number): Limit['remedy']
}

type Known = typeof settings extends { readonly is?: infer S } ? NonNullable<S> : never

/** CONNECTION_TIMEOUT of azure-storage-blob 12.31 (_shared/constants.py): Python's socket counts the sending of one block, which goes in one piece, against it. MLflow's own 600 seconds are for the server's side alone. */
const azureSocketMs = 20_000
/** _DEFAULT_TIMEOUT of google-cloud-storage 3.17 (constants.py), for connecting, sending a chunk, and waiting for the answer. */
const googleMs = 60_000
/** google-cloud-storage, blob.py: chunks are multiples of 256 KiB. */
const chunkStep = 256 * 1024
/** Of what the line gives in the time, so that a slow minute does not end the upload. */
const share = 0.5

const throughDoctor = (what: string) => ({
  text: `${what} mlflow-doctor upload sends the files in smaller blocks, which wait as long as bytes flow; through a tracking server that signs parts, no such time-out counts either.`,
})

const azure: Omit<Library, 'name'> = {
  setting: 'connection_timeout of the Azure client',
  ms: azureSocketMs,
  source: 'which no setting of MLflow raises',
  remedy: () => () =>
    throughDoctor('Log to an experiment with an mlflow-artifacts:/ location, or use a faster line for the upload:'),
}

const google = (transferTimeoutMs: number | undefined): Library => ({
  name: 'google-cloud-storage',
  setting: 'MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT',
  ms: transferTimeoutMs ?? googleMs,
  source: transferTimeoutMs === undefined ? 'the default' : 'set in this environment',
  remedy: (rate) => (needed) => {
    const fitting = Math.floor((rate * ((transferTimeoutMs ?? googleMs) / 1000) * share) / chunkStep) * chunkStep
    const seconds = Math.ceil((needed ?? 0) / 1000)
    return {
      text: 'Have the client cut smaller chunks, which is enough by itself, or give each of them more time.',
      commands: [
        `export MLFLOW_GCS_UPLOAD_CHUNK_SIZE=${Math.max(chunkStep, fitting)}`,
        ...(seconds > 0 ? [`export MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT=${seconds}`] : []),
      ],
    }
  },
})

const libraryFor = (scheme: string, { transferTimeoutMs }: Known): Library | undefined => {
  if (['wasb', 'wasbs'].includes(scheme)) return { name: 'azure-storage-blob', ...azure }
  if (['abfs', 'abfss'].includes(scheme)) return { name: 'azure-storage-file-datalake', ...azure }
  return scheme === 'gs' ? google(transferTimeoutMs) : undefined
}

const facts = { largest: 'bytes', takes: 'ms', allowed: 'ms', uplink: 'bytesPerSecond' } as const

export default defineCheck({
  id: 'client/request-time',
  title: 'The client library of the store gives each request the time that this line needs to send it',
  severity: 'error',
  on: ['check'],
  needs: [route, settings, transfers],
  wants: [],
  facts,
  explain: {
    measures:
      'Where the client itself speaks to Azure or Google: divides the largest request that the library sends by the measured uplink, and holds it against the time that the library gives it. azure-storage-blob sends files up to 64 MiB in one request and larger ones in blocks of 4 MiB, the data lake client pieces of 100 MiB, google-cloud-storage chunks of 100 MiB unless MLFLOW_GCS_UPLOAD_CHUNK_SIZE is set. Each goes to the socket in one piece, whose sending may take as long as the connection time-out: 20 s on Azure, 60 s or MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT on Google.',
    breaks:
      'The upload ends with "The write operation timed out" or "Connection aborted, timed out" after several tries, always at the same file: 100 MiB in 60 s need 14 Mbit/s, 64 MiB in 20 s need 27 Mbit/s. On Azure, MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT goes to the service alone, and raising it does not help.',
    remedy:
      'For Google, set MLFLOW_GCS_UPLOAD_CHUNK_SIZE to the value that is printed. For Azure, MLflow has no setting: send the files by mlflow-doctor upload, or through a tracking server.',
  },
  async *run({ route, settings, transfers }) {
    const library = libraryFor(route.scheme, settings)
    const uplink = transfers.get('store-multipart')?.uplink
    if (library === undefined || route.proxied || !Number.isFinite(library.ms)) return
    const allowed = library.ms
    const rate = uplink?.bytesPerSecond
    yield {
      kind: 'limit',
      hop: 'client',
      setting: library.setting,
      scope: 'request',
      max: { ms: allowed },
      basis: 'measured',
      routes: ['store-multipart'],
      because: `${library.name} gives each request ${duration(allowed)} to be sent (${library.source})`,
      remedy: library.remedy(rate ?? MiB),
    }
    if (rate === undefined || rate <= 0) return
    const largest = route.multipartMinimum > route.multipartChunk ? route.multipartMinimum - 1 : route.multipartChunk
    const takes = (largest / rate) * 1000
    if (takes <= allowed) return
    const finding: Finding<typeof facts> = {
      kind: 'finding',
      at: route.firstHop,
      // A limit that no planned file meets is no error; the forecast says which files do.
      severity: 'warning',
      says: `${library.name} sends up to ${bytes(largest)} in one request, which takes ${duration(takes)} on this line, and gives it ${duration(allowed)}`,
      facts: { largest, takes: Math.round(takes), allowed, uplink: Math.round(rate) },
      remedy: library.remedy(rate)(takes * 1.25),
    }
    yield finding
  },
})
