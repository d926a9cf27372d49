import { defineCheck } from '../../src/check.ts'
import {
  bodyLimit,
  leftovers,
  multipartCanary,
  plannedUpload,
  route,
  server,
  settings,
  store,
  target,
  transfers,
} from '../../src/needs/declarations.ts'
import { bytes } from '../../src/words.ts'

/** MLflow's answer on artifact routes that `--no-serve-artifacts` has turned off (server/handlers.py, 3.17.2). */
const disabled = 503

/** Parts of one multipart upload on S3 (its documentation: "Amazon S3 multipart upload limits"); MLflow's client heeds no such limit. */
const mostParts = 10_000
const MiB = 1024 ** 2

type Server = typeof server extends { readonly is?: infer V } ? NonNullable<V> : never

export default defineCheck({
  id: 'server/artifact-route',
  title: 'Artifacts go where the server expects them, with credentials that are there',
  severity: 'error',
  on: ['check'],
  answers: ['limits'],
  needs: [target, route, settings],
  wants: [server, store, plannedUpload],
  facts: { location: 'text', firstHop: 'text', status: 'count' },
  explain: {
    measures:
      "Resolves the artifact location of the experiment or run to the route that MLflow's client on this machine would take: through the tracking server, to the store itself, or into a folder. Where files go in parts by signed URLs, the client's part size times the 10,000 parts of a multipart upload bounds a file. Asks the server whether it serves artifacts at all, and whether by signed addresses alone, and whether this machine has credentials where it needs its own. MLflow signs parts for S3, Google Cloud Storage and wasbs locations on Azure; abfss, R2, B2, HDFS, SFTP and FTP get one request for each file. On the proxied route the server's credentials open the store, on the direct route those of every client. Where they do not go through the server, it looks whether those of other experiments do.",
    breaks:
      'With a plain path as artifact location every client writes to its own disk: logging succeeds and nobody else ever sees the files. An experiment keeps the location that it was created with, so that a server that proxies artifacts now does not change old experiments.',
    remedy:
      'Log to an experiment whose artifact location is mlflow-artifacts:/ (created after the server began to serve artifacts), or give the client credentials for the store.',
  },
  async *run({ target, route, settings, server, store, plannedUpload: plan, signal }) {
    const { location, firstHop } = route
    if (route.proxied && route.multipart) {
      const chunk = Math.max(1, Math.ceil((plan?.largest ?? 0) / mostParts / MiB)) * MiB
      yield {
        kind: 'limit',
        hop: 'client',
        setting: 'MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE',
        scope: 'file',
        max: { bytes: route.multipartChunk * mostParts },
        basis: 'assumed',
        routes: ['signed-parts'],
        because: `MLflow cuts the file into parts of ${bytes(route.multipartChunk)}, and S3 takes at most ${mostParts} parts`,
        remedy: () => ({
          text: 'Have the client cut larger parts; each is held in memory by every thread that sends.',
          ...(chunk > route.multipartChunk && {
            commands: [`export MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE=${chunk}`],
          }),
        }),
      }
    }
    const facts = { location, firstHop }
    if (route.scheme === 'file' && settings.trackingKind === 'server') {
      const near = isLoopback(settings.trackingUri)
      yield {
        kind: 'finding',
        at: target.name,
        ...(near && { severity: 'info' as const }),
        says: near
          ? `artifacts are written to ${firstHop} by the client itself, not by the server; that is right only if the server at ${settings.trackingUri} runs on this machine and sees the same folder (no container, no tunnel)`
          : `the artifact location ${location} is a path, so the client writes to its own disk (${firstHop} on this machine) and the server at ${settings.trackingUri} never gets the files, unless both share that folder over the network`,
        facts,
        remedy: {
          text: 'Start the server with --artifacts-destination in place of a path as --default-artifact-root, and log to a new experiment: an existing one keeps its location.',
          commands: [
            'mlflow experiments create --experiment-name NEW_NAME --artifact-location mlflow-artifacts:/NEW_NAME',
          ],
        },
      }
    }
    if (route.scheme === 's3' && !route.proxied && store === undefined) {
      yield {
        kind: 'finding',
        at: target.name,
        says: `the client sends artifacts to ${location} itself, and no credentials for that store are found on this machine; those of the server are of no use here`,
        facts,
        remedy: {
          text: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile (AWS_PROFILE), or log to an experiment with an mlflow-artifacts:/ location, where the server uses its own.',
        },
      }
    }
    if (!route.proxied && settings.trackingKind === 'server' && server !== undefined && target.kind !== 'uri') {
      const other = await proxiedExperiment(server, target.experimentId, signal)
      if (other !== undefined) {
        yield {
          kind: 'finding',
          at: target.name,
          severity: 'info',
          says: `this experiment keeps its artifacts at ${location}, where each client needs ${route.scheme === 'file' ? 'that folder' : 'credentials for the store'} of its own, as it was created; other experiments of this server, such as ${other}, send theirs through the server, whose credentials open the store`,
          facts,
          remedy: {
            text: 'Log to one of those, or to a new experiment. An experiment keeps its location, and what was logged to this one stays readable there.',
            commands: [
              'mlflow experiments create --experiment-name NEW_NAME --artifact-location mlflow-artifacts:/NEW_NAME',
            ],
          },
        }
      }
    }
    if (route.scheme === 'mlflow-artifacts' && server !== undefined) {
      const { response, body } = await server.text('GET', '/api/2.0/mlflow-artifacts/artifacts', {
        // A folder that does not exist: an empty list, whatever the store holds.
        query: { path: '.mlflow-doctor' },
        signal,
        retry: false,
      })
      if ((response.status === disabled && body.includes('serve-artifacts')) || server.info.servesArtifacts === false) {
        const remedy = {
          text: 'Start the server without --no-serve-artifacts, or log to an experiment whose artifact location is the store itself.',
        }
        yield {
          kind: 'limit',
          hop: 'server',
          setting: '--no-serve-artifacts',
          scope: 'file',
          max: { bytes: 0 },
          basis: 'measured',
          because: 'the server refuses all artifacts (503)',
          remedy: () => remedy,
        }
        yield {
          kind: 'finding',
          at: target.name,
          says: `the artifact location ${location} leads through the server, which was started with --no-serve-artifacts and refuses all artifacts (503)`,
          facts: { ...facts, status: disabled },
          remedy,
          stops: [bodyLimit, leftovers, multipartCanary, transfers].map(({ name }) => name),
        }
      } else if (server.info.presignedOnly) {
        const remedy = {
          text: 'Use an MLflow client of version 3.18 or later, which sends files by signed addresses, or start the server without MLFLOW_ARTIFACTS_PRESIGNED_ONLY.',
        }
        yield {
          kind: 'limit',
          hop: 'server',
          setting: 'MLFLOW_ARTIFACTS_PRESIGNED_ONLY',
          scope: 'file',
          max: { bytes: 0 },
          // Whether the client knows of it is not seen here.
          basis: 'assumed',
          routes: ['proxied-put'],
          because:
            'the server takes no file through itself, and clients before MLflow 3.18 know no other way for a file of this size',
          remedy: () => remedy,
        }
      }
    }
  },
})

/** The most experiments that are looked at for another kind of location: the newest that the server tells, in one page of its list. */
const mostExperiments = 200

/** An experiment of this server whose artifacts go through it, by name; a name is somebody else's text, cut and on one line. */
const proxiedExperiment = async (
  server: Server,
  own: string | undefined,
  signal: AbortSignal,
): Promise<string | undefined> => {
  let seen = 0
  for await (const { experimentId, name, artifactLocation } of server.experiments(signal)) {
    seen += 1
    if (seen > mostExperiments) return undefined
    if (experimentId !== own && artifactLocation.startsWith('mlflow-artifacts:')) {
      return name.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd').slice(0, 80)
    }
  }
  return undefined
}

const isLoopback = (uri: string): boolean => {
  const host = new URL(uri).hostname
  return host === 'localhost' || host === '[::1]' || /^127\./.test(host)
}
