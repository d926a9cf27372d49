import { defineCheck, type Finding, type Limit, type RouteKind } from '../../src/check.ts'
import { client, environment, plannedUpload, route, settings } from '../../src/needs/declarations.ts'
import { bytes, duration, exactBytes, isBefore } from '../../src/words.ts'
import { meantBy } from './data/misspelt.ts'
import { expected, takes, type Variable, variables } from './data/variables.ts'

const MiB = 1024 ** 2
const GiB = 1024 ** 3
/** The smallest part but the last, and the largest, of S3 ("Amazon S3 multipart upload limits") and of Google's XML API. */
const smallestPart = 5 * MiB
const largestPart = 5 * GiB
/** What the TLS module of Python before 3.10 takes in one call; MLflow hands it a whole part (bugs.python.org/issue42854). */
const largestWrite = 2 ** 31 - 1
/** MLFLOW_HTTP_REQUEST_TIMEOUT is in seconds; a day is more than any request takes, and what a value meant in milliseconds looks like. */
const oneDayMs = 86_400_000
/** Milliseconds: MLFLOW_HTTP_REQUEST_TIMEOUT where it is not set, in every version from 1.30 to 3.17. */
const usualTimeoutMs = 120_000
const timeoutName = 'MLFLOW_HTTP_REQUEST_TIMEOUT'
const chunkName = 'MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE'
const minimumName = 'MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE'

const facts = { variable: 'text', value: 'text', limit: 'bytes', largest: 'bytes', meant: 'text' } as const
type Found = Finding<typeof facts>

const readerOf: Readonly<Record<string, Variable['reader']>> = {
  s3: 's3',
  gs: 'gs',
  wasb: 'azure',
  wasbs: 'azure',
  abfs: 'azure',
  abfss: 'azure',
}

export default defineCheck({
  id: 'client/settings',
  title: 'The environment variables of the MLflow client are understood, and do not work against each other',
  severity: 'error',
  on: ['check'],
  answers: ['limits'],
  needs: [environment, settings],
  wants: [route, plannedUpload, client],
  facts,
  explain: {
    measures:
      "Reads the variables that decide how MLflow's client uploads, as the client itself would: wrong spellings of numbers, values out of the range that it takes, names that no version knows and that come close to one that it does, part sizes that stores refuse, parts that are asked for but that no planned file is large enough for, and logins for Azure that abfss locations do not read. Its own patience, MLFLOW_HTTP_REQUEST_TIMEOUT, goes into the forecast: it counts how long the connection does not move, in the body or until the answer, not the whole request. Part uploads by signed URLs have no time-out at all. The training must see the same environment as this check.",
    breaks:
      'A number that cannot be read fails the first call, after hours of training where it is set in the script. A misspelt name is ignored without a word. When the client loses patience after its last byte, it sends the whole file again, up to 8 times, while the server often stores the first one all the same.',
    remedy:
      'Set the variable to the value that is printed, in the environment of the training process. A longer time-out mends only what waits; where the server signs parts, these go round the proxy and the wait.',
  },
  async *run({ environment: env, settings, route: by, plannedUpload: plan, client }) {
    for (const variable of variables) {
      const value = env[variable.name]
      if (value === undefined || takes(variable, value)) continue
      const read =
        variable.reader === 'server'
          ? settings.trackingKind === 'server'
          : readerOf[by?.scheme ?? ''] === variable.reader
      if (read) yield wrong(variable)
    }
    for (const name of Object.keys(env).sort()) {
      const meant = name.startsWith('MLFLOW_') ? meantBy(name, client?.variables) : undefined
      if (meant === undefined) continue
      yield {
        kind: 'finding',
        at: name,
        severity: 'warning',
        says: `MLflow knows no ${name} and does not read it; ${meant} comes closest`,
        facts: { variable: name, meant },
        remedy: {
          text: `Set ${meant} in its place, or unset ${name}.`,
          commands: [`export ${meant}="$${name}"`, `unset ${name}`],
        },
      } satisfies Found
    }
    if (/^abfss?$/.test(by?.scheme ?? '') && settings.azure.login !== 'identity' && !settings.azure.signature) {
      yield unreadByLake(
        settings.azure.login === 'access-key' ? 'AZURE_STORAGE_ACCESS_KEY' : 'AZURE_STORAGE_CONNECTION_STRING',
      )
    }
    if (settings.trackingKind === 'server')
      yield* patience(env[timeoutName] !== undefined, settings.requestTimeoutMs, client)
    if (env.MLFLOW_HTTP_REQUEST_MAX_RETRIES?.trim() === '0' && by?.proxied === true) {
      yield {
        kind: 'finding',
        at: 'MLFLOW_HTTP_REQUEST_MAX_RETRIES',
        severity: 'warning',
        says: 'MLFLOW_HTTP_REQUEST_MAX_RETRIES is 0, so that one lost connection or one 503 ends the upload',
        facts: { variable: 'MLFLOW_HTTP_REQUEST_MAX_RETRIES', value: '0' },
        remedy: {
          text: 'Unset it, or set it to a few: each retry sends the whole file again.',
          commands: ['unset MLFLOW_HTTP_REQUEST_MAX_RETRIES'],
        },
      }
    }
    if (by?.proxied !== true) return
    if (settings.proxyMultipart === true && by.multipart && plan !== undefined) {
      if (plan.largest >= smallestPart && plan.largest < by.multipartMinimum) {
        yield {
          kind: 'finding',
          at: minimumName,
          severity: 'warning',
          says: `MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD is on, and no planned file goes in parts: the largest has ${exactBytes(plan.largest)}, and parts begin at ${exactBytes(by.multipartMinimum)}`,
          facts: { variable: minimumName, limit: by.multipartMinimum, largest: plan.largest },
          remedy: {
            text: 'Lower the size from which files go in parts.',
            commands: [`export ${minimumName}=${plan.largest}`],
          },
        } satisfies Found
      }
    }
    if (settings.proxyMultipart === true && !by.multipart) {
      yield {
        kind: 'finding',
        at: 'MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD',
        severity: 'info',
        says: 'MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD is on, and every file goes in one request all the same: this server signs no parts, or this client is too old to ask for them',
        facts: { variable: 'MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD', value: 'true' },
        remedy: {
          text: 'Parts need a server that keeps its artifacts in S3, Google Cloud Storage or Azure Blob Storage, and an MLflow client from 2.9.0 on.',
        },
      } satisfies Found
    }
    if (Object.keys(settings.s3.extraArgs).length > 0) {
      yield {
        kind: 'finding',
        at: 'MLFLOW_S3_UPLOAD_EXTRA_ARGS',
        severity: 'info',
        says: 'MLFLOW_S3_UPLOAD_EXTRA_ARGS has no effect in the client here: the artifacts go through the tracking server, which reads its own',
        facts: { variable: 'MLFLOW_S3_UPLOAD_EXTRA_ARGS' },
        remedy: { text: 'Set it where `mlflow server` runs.' },
      } satisfies Found
    }
    if (by.multipart) yield* parts(by.multipartChunk, client?.pythonVersion)
  },
})

const wrong = (variable: Variable): Found => ({
  kind: 'finding',
  at: variable.name,
  says: `${variable.name} is not ${expected(variable)}, and ${variable.breaks}`,
  facts: { variable: variable.name },
  remedy: { text: `Set ${variable.name} to ${expected(variable)}, or unset it.`, commands: [`unset ${variable.name}`] },
})

type Known = { readonly version: string } | undefined

/** azure_data_lake_artifact_repo.py, 3.17.2: a signature in a variable of its own, or the default identity, and nothing else. */
const unreadByLake = (name: string): Found => ({
  kind: 'finding',
  at: name,
  severity: 'warning',
  says: `${name} is set, and MLflow does not read it for abfss locations: it takes AZURE_STORAGE_SAS_TOKEN, or the default Azure identity`,
  facts: { variable: name },
  remedy: {
    text: 'Set AZURE_STORAGE_SAS_TOKEN or sign in with az login, or log to a wasbs location of the same account, which reads it, and which has uploads in parts through a tracking server as well; abfss has none.',
  },
})

/**
 * requests hands its time-out to the socket: it bounds each wait for the connection to take or to give bytes, so that a
 * slow body that moves passes, however long it takes (urllib3 2, connectionpool.py `_make_request`; tried with 3.17.2).
 */
function* patience(isSet: boolean, ms: number, client: Known): Generator<Limit | Found> {
  const source = isSet ? 'set in this environment' : `the default${client ? ` of MLflow ${client.version}` : ''}`
  const shared = {
    kind: 'limit' as const,
    hop: 'client' as const,
    setting: timeoutName,
    max: { ms },
    basis: isSet || client !== undefined ? ('measured' as const) : ('assumed' as const),
    routes: ['proxied-put'] as RouteKind[],
    remedy: longer,
  }
  yield {
    ...shared,
    scope: 'answer',
    because: `the client waits ${duration(ms)} for the answer after its last byte (${source}), then it sends the whole file again`,
  }
  yield {
    ...shared,
    scope: 'idle',
    because: `the client gives up when the connection takes nothing of the body for ${duration(ms)} (${source})`,
  }
  if (ms >= oneDayMs) {
    yield {
      kind: 'finding',
      at: timeoutName,
      severity: 'warning',
      says: `${timeoutName} is in seconds, and ${duration(ms)} is what it says: a server that hangs is waited for that long`,
      facts: { variable: timeoutName, value: String(ms / 1000) },
      remedy: { text: 'Set it in seconds; unset, it is 120.', commands: [`export ${timeoutName}=600`] },
    }
  }
}

const longer = (needed: number | undefined) => {
  const seconds = needed === undefined ? undefined : Math.max(usualTimeoutMs / 1000, Math.ceil(needed / 1000))
  return {
    text: 'Give the client more patience where the training runs. Each retry after a time-out sends the whole file again, so look for the file before you do.',
    ...(seconds !== undefined && { commands: [`export ${timeoutName}=${seconds}`] }),
  }
}

function* parts(chunk: number, python: string | undefined): Generator<Limit | Found> {
  if (chunk < smallestPart) {
    yield {
      kind: 'limit',
      hop: 'client',
      setting: chunkName,
      scope: 'file',
      max: { bytes: chunk },
      basis: 'assumed',
      routes: ['signed-parts'],
      because: `the client cuts files into parts of ${bytes(chunk)}, and S3 and Google Cloud Storage refuse to put together parts below ${bytes(smallestPart)}; a file of one part passes`,
      remedy: () => ({ text: 'Have the client cut larger parts.', commands: [`export ${chunkName}=${10 * MiB}`] }),
    }
    yield {
      kind: 'finding',
      at: chunkName,
      severity: 'warning',
      says: `${chunkName} is ${exactBytes(chunk)}: S3 and Google Cloud Storage refuse an upload with parts below ${bytes(smallestPart)} when its last part is in (EntityTooSmall)`,
      facts: { variable: chunkName, limit: smallestPart, value: String(chunk) },
      remedy: { text: `Set it to ${bytes(smallestPart)} or more.`, commands: [`export ${chunkName}=${10 * MiB}`] },
    }
  }
  const tooLarge = python !== undefined && isBefore(python, '3.10') ? largestWrite : largestPart
  if (chunk > tooLarge) {
    const why =
      tooLarge === largestWrite
        ? `Python ${python} cannot send more than ${bytes(largestWrite)} in one piece over TLS, and MLflow sends each part in one piece`
        : `S3 takes no part above ${bytes(largestPart)}`
    yield {
      kind: 'limit',
      hop: 'client',
      setting: chunkName,
      scope: 'request',
      max: { bytes: tooLarge },
      basis: 'assumed',
      routes: ['signed-parts'],
      because: `the client cuts files into parts of ${bytes(chunk)}, and ${why}`,
      remedy: () => ({ text: 'Have the client cut smaller parts.', commands: [`export ${chunkName}=${100 * MiB}`] }),
    }
  }
}
