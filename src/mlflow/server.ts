import { Trouble, unlessMissing } from '../errors.ts'
import { experimentOf, listIn, modelOf, objectIn, readEach, recordOf, runOf, textIn, versionOf } from './answers.ts'
import { type Http, type Method, openHttp, type Sleep } from './http.ts'
import { isHtml, notJson, redirectTrouble, statusTrouble } from './http-trouble.ts'
import { checkedId, checkedName } from './ids.ts'
import { modelLogging } from './logging.ts'
import type { Leniency, LoggedModel, Run, ServerInfo, Settings, Tracking } from './types.ts'

/** A tracking server, spoken to over its REST API. */
export interface TrackingServer extends Tracking, Pick<Http, 'text' | 'bytes'> {
  readonly kind: 'server'
  readonly settings: Settings
  readonly info: ServerInfo
  /** Headers that every request to this server must carry: authorization, workspace. */
  readonly headers: Readonly<Record<string, string>>
  /** One REST call with retry and back-off; throws `Trouble`. `path` begins with `/api/`. */
  call<T>(method: Method, path: string, options?: CallOptions): Promise<T>
  close(): void
}

export interface CallOptions {
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly json?: unknown
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** False for calls that must not be sent twice; where absent, reads and searches are repeated and other POST and PATCH calls are not. */
  readonly retry?: boolean
  /** Milliseconds that the answer may take; MLFLOW_HTTP_REQUEST_TIMEOUT where absent. */
  readonly timeoutMs?: number
  /** Completes "cannot …" when it fails: `read run 123`. */
  readonly what?: string
}

const api = '/api/2.0/mlflow'
/** Runs carry all their metrics, parameters and tags: small pages keep an answer far below the size cap. */
const runsPerPage = 200
const perPage = 1000
/** Experiments that one search for runs names. */
const experimentsPerSearch = 100
/** Milliseconds: GET /version is the first call, costs a server nothing, and tells a dead one from a slow one. */
const firstAnswerMs = 12_000

/** A thousand entries a page, as asked for: more than ten million belong to no deployment. */
const mostPages = 10_000

/** All entries of a paged call. Stops on a token that comes twice, which would go round for ever. */
const pages = async function* (
  ask: (token: string | undefined) => Promise<unknown>,
  key: string,
): AsyncGenerator<unknown> {
  const seen = new Set<string>()
  let token: string | undefined
  do {
    const page = await ask(token)
    yield* listIn(page, key)
    token = textIn(page, 'next_page_token')
    if (token !== undefined && seen.has(token))
      throw new Trouble({
        kind: 'unexpected-answer',
        what: `cannot list all ${key}`,
        why: 'the server gave the same page token twice',
        todo: 'Look for a cache before the server that ignores the body of a request',
      })
    if (token !== undefined) seen.add(token)
    if (seen.size > mostPages)
      throw new Trouble({
        kind: 'unexpected-answer',
        what: `cannot list all ${key}`,
        why: `the server gave more than ${mostPages} pages`,
        todo: 'Look at one experiment or run at a time',
      })
  } while (token !== undefined)
}

/** True where the server has no such call at all, in contrast to "no such run". */
const noSuchCall = (error: unknown): boolean =>
  error instanceof Trouble && error.kind === 'unsupported' && (error.status === 404 || error.status === 405)

type RecordedRun = Run & Required<Pick<Run, 'record'>>

const recordedRun = (run: unknown): RecordedRun => ({ ...runOf(objectIn(run, 'info')), record: recordOf(run) })

const viewOf = ({ deleted }: Leniency = {}) => (deleted ? 'ALL' : 'ACTIVE_ONLY')

const trackingOf = (http: Http): Omit<Tracking, 'kind' | 'uri'> => {
  const versions = async function* (filter: string | undefined, what: string, signal?: AbortSignal) {
    const ask = (token: string | undefined) =>
      http.json('GET', `${api}/model-versions/search`, {
        query: { max_results: String(perPage), filter, page_token: token },
        what,
        ...(signal && { signal }),
      })
    try {
      for await (const one of pages(ask, 'model_versions')) yield versionOf(one)
    } catch (error) {
      if (!noSuchCall(error)) throw error
    }
  }
  const model = async (modelId: string, signal?: AbortSignal): Promise<LoggedModel> => {
    const path = `${api}/logged-models/${encodeURIComponent(checkedId('model id', modelId))}`
    const answer = await http.json('GET', path, { what: `read logged model ${modelId}`, ...(signal && { signal }) })
    return modelOf(objectIn(objectIn(answer, 'model'), 'info'))
  }
  const readRun = async (runId: string, signal?: AbortSignal): Promise<RecordedRun> => {
    const query = { run_id: checkedId('run id', runId) }
    const answer = await http.json('GET', `${api}/runs/get`, {
      query,
      what: `read run ${runId}`,
      ...(signal && { signal }),
    })
    return recordedRun(objectIn(answer, 'run'))
  }
  const searchRuns = async function* (
    experimentIds: readonly string[],
    filter: string | undefined,
    signal?: AbortSignal,
    leniency?: Leniency,
  ) {
    const ids = experimentIds.map((id) => checkedId('experiment id', id))
    const ask = (token: string | undefined) =>
      http.json('POST', `${api}/runs/search`, {
        json: {
          experiment_ids: ids,
          max_results: runsPerPage,
          run_view_type: viewOf(leniency),
          ...(filter && { filter }),
          ...(token && { page_token: token }),
        },
        what: `list the runs of ${ids.length === 1 ? `experiment ${ids[0]}` : `${ids.length} experiments`}`,
        ...(signal && { signal }),
      })
    for await (const one of pages(ask, 'runs')) yield* readEach(() => recordedRun(one), leniency)
  }
  const experiments = async function* (signal?: AbortSignal, leniency?: Leniency) {
    const ask = (token: string | undefined) =>
      http.json('POST', `${api}/experiments/search`, {
        json: { max_results: perPage, view_type: viewOf(leniency), ...(token && { page_token: token }) },
        what: 'list experiments',
        ...(signal && { signal }),
      })
    for await (const one of pages(ask, 'experiments')) yield* readEach(() => experimentOf(one), leniency)
  }
  return {
    experiment: async (by, signal) => {
      const [path, query, what] =
        'id' in by
          ? [`${api}/experiments/get`, { experiment_id: checkedId('experiment id', by.id) }, `experiment ${by.id}`]
          : [`${api}/experiments/get-by-name`, { experiment_name: by.name }, 'the experiment of that name']
      const answer = await http.json('GET', path, { query, what: `read ${what}`, ...(signal && { signal }) })
      return experimentOf(objectIn(answer, 'experiment'))
    },
    experiments,
    tagged: async function* (tag, value, signal) {
      let ids: string[] = []
      const filter = `tags.\`${tag}\` = '${value}'`
      for await (const { experimentId } of experiments(signal)) {
        ids.push(experimentId)
        if (ids.length < experimentsPerSearch) continue
        yield* searchRuns(ids, filter, signal)
        ids = []
      }
      if (ids.length > 0) yield* searchRuns(ids, filter, signal)
    },
    run: readRun,
    runs: (experimentId, signal, leniency) => searchRuns([experimentId], undefined, signal, leniency),
    record: async (run, signal) => run.record ?? (await readRun(run.runId, signal)).record,
    children: ({ experimentId, runId }, signal) =>
      searchRuns([experimentId], `tags.\`mlflow.parentRunId\` = '${checkedId('run id', runId)}'`, signal),
    model,
    models: async function* (of, signal, leniency) {
      const ids = [checkedId('experiment id', of.experimentId)]
      const filter = of.runId === undefined ? undefined : `source_run_id = '${checkedId('run id', of.runId)}'`
      const ask = (token: string | undefined) =>
        http.json('POST', `${api}/logged-models/search`, {
          json: {
            experiment_ids: ids,
            max_results: perPage,
            ...(filter && { filter }),
            ...(token && { page_token: token }),
          },
          what: `list the logged models of experiment ${of.experimentId}`,
          ...(signal && { signal }),
        })
      const seen = new Set<string>()
      try {
        for await (const one of pages(ask, 'models')) {
          for (const found of readEach(() => modelOf(objectIn(one, 'info')), leniency)) {
            // What more links a run to is asked for below; of a whole experiment nothing is.
            if (of.runId !== undefined) seen.add(found.modelId)
            yield found
          }
        }
      } catch (error) {
        // Servers older than 3.0 have no logged models.
        if (noSuchCall(error)) return
        throw error
      }
      if (of.runId === undefined) return
      // A model may be linked to a run that did not create it.
      for (const id of (await readRun(of.runId, signal)).record.outputs) {
        if (seen.has(id)) continue
        // One that was deleted since is still linked.
        const found = await model(id, signal).catch(unlessMissing)
        if (found !== undefined) yield found
      }
    },
    knows: async (id, signal) => {
      checkedId('run id', id)
      // A model of that id may be a deleted one, which only this call tells (server/handlers.py, 3.17.2).
      const [path, query] = id.startsWith('m-')
        ? [`${api}/logged-models/${encodeURIComponent(id)}`, { allow_deleted: 'true' }]
        : [`${api}/runs/get`, { run_id: id }]
      try {
        await http.json('GET', path, { query, what: `ask for ${id}`, ...(signal && { signal }) })
        return true
      } catch (error) {
        if (noSuchCall(error) || (error instanceof Trouble && error.kind === 'not-found')) return false
        throw error
      }
    },
    version: async (name, version, signal) => {
      const query = { name: checkedName(name) }
      const options = { what: `read version ${version} of model ${name}`, ...(signal && { signal }) }
      let found: unknown
      if (version.startsWith('@')) {
        const aliased = { ...query, alias: version.slice(1) }
        found = objectIn(
          await http.json('GET', `${api}/registered-models/alias`, { query: aliased, ...options }),
          'model_version',
        )
      } else if (/^\d+$/.test(version)) {
        const numbered = { ...query, version }
        found = objectIn(
          await http.json('GET', `${api}/model-versions/get`, { query: numbered, ...options }),
          'model_version',
        )
      } else {
        const json = { name, ...(version.toLowerCase() === 'latest' ? {} : { stages: [version] }) }
        const answer = await http.json('POST', `${api}/registered-models/get-latest-versions`, { json, ...options })
        found = listIn(answer, 'model_versions').toSorted(
          (a, b) => Number(textIn(b, 'version')) - Number(textIn(a, 'version')),
        )[0]
        if (found === undefined)
          throw new Trouble({
            kind: 'not-found',
            what: `cannot ${options.what}`,
            why: 'the model has no such version',
            todo: 'Name a version by its number, as in models:/name/3',
          })
      }
      const number = textIn(found, 'version')
      const where = await http.json('GET', `${api}/model-versions/get-download-uri`, {
        query: { ...query, version: number },
        ...options,
      })
      return versionOf(found, textIn(where, 'artifact_uri'))
    },
    versions: (signal) => versions(undefined, 'list the registered versions', signal),
    versionsOf: (source, signal) =>
      'runId' in source
        ? versions(
            `run_id = '${checkedId('run id', source.runId)}'`,
            `list the versions registered from run ${source.runId}`,
            signal,
          )
        : versions(
            `source_path = 'models:/${checkedId('model id', source.modelId)}'`,
            `list the versions registered from logged model ${source.modelId}`,
            signal,
          ),
    logging: modelLogging(http),
    setModelReady: async (modelId, signal) => {
      await http.json('PATCH', `${api}/logged-models/${encodeURIComponent(checkedId('model id', modelId))}`, {
        // MLflow 3.17.2 wants the id in the body, too.
        json: { model_id: modelId, status: 'LOGGED_MODEL_READY' },
        what: `set logged model ${modelId} to READY`,
        retry: true,
        ...(signal && { signal }),
      })
    },
  }
}

/** What GET /version answers: `3.17.2`. */
const versionIn = (body: string): string | undefined => /^\d+\.\d+[\w.+-]{0,40}$/.exec(body.trim())?.[0]

/** Milliseconds for each look at another path of a host that answers. */
const glanceMs = 3000

/**
 * Another path of the same host at which an MLflow server answers: above the one in the tracking URI, as after copying an
 * address out of a browser, or below it at /mlflow, the usual --static-prefix.
 */
const elsewhere = async (settings: Settings, signal?: AbortSignal): Promise<string | undefined> => {
  const { origin, pathname } = new URL(settings.trackingUri)
  const parts = pathname.split('/').filter((part) => part !== '')
  const above = parts.map((_, index) => `${origin}${['', ...parts.slice(0, index)].join('/')}`)
  for (const trackingUri of [...above.reverse().slice(0, 4), `${settings.trackingUri}/mlflow`]) {
    const http = openHttp({ ...settings, trackingUri })
    try {
      const options = { retry: false, timeoutMs: glanceMs, ...(signal && { signal }) }
      const { response, body } = await http.text('GET', '/version', options)
      if (response.ok && versionIn(body) !== undefined) return trackingUri
    } catch (error) {
      if (!(error instanceof Trouble)) throw error
    } finally {
      http.close()
    }
  }
  return undefined
}

/** Something answers there, and no MLflow server does: a wrong path is the usual reason. */
const withRightPath = async (error: unknown, settings: Settings, signal?: AbortSignal): Promise<unknown> => {
  if (!(error instanceof Trouble) || !['unsupported', 'unexpected-answer'].includes(error.kind)) return error
  const right = await elsewhere(settings, signal)
  if (right === undefined) return error
  const { kind, what, why, status } = error
  const todo = `Set MLFLOW_TRACKING_URI to ${right}: an MLflow server answers there`
  return new Trouble({ kind, what, why, todo, ...(status !== undefined && { status }), cause: error })
}

/** What the server says of itself. Throws where something else answers in its place. */
const infoOf = async (http: Http, settings: Settings, signal?: AbortSignal): Promise<ServerInfo> => {
  const host = new URL(settings.trackingUri)
  const reach = `reach the tracking server at ${settings.trackingUri}`
  const what = `cannot ${reach}`
  const timeoutMs = Math.min(settings.requestTimeoutMs, firstAnswerMs)
  const answer = await http.text('GET', '/version', { timeoutMs, what: reach, ...(signal && { signal }) })
  const { response } = answer
  const body = answer.body.trim()
  if (response.status >= 300 && response.status < 400)
    throw redirectTrouble(what, host, response.status, response.headers.get('location'))
  // Very old servers have no /version; whether MLflow is there at all, the first API call tells.
  if (!response.ok && response.status !== 404) throw statusTrouble(what, host.host, response.status, body)
  if (response.ok && isHtml(body)) throw notJson(what, host.host, body)
  const version = response.ok ? versionIn(body) : undefined
  const software = /^[\x20-\x7e]{1,80}$/.exec(response.headers.get('server') ?? '')?.[0]

  // The host check spares /version, and server-info asks for no login: only a real call shows both.
  const first = await http.json('POST', `${api}/experiments/search`, {
    json: { max_results: 1 },
    what: reach,
    ...(signal && { signal }),
  })
  // Without any experiment the answer is {}; anything else that lacks them comes from another service.
  if (Object.keys(first as object).length > 0 && !Array.isArray(objectIn(first, 'experiments')))
    throw notJson(what, host.host, JSON.stringify(first))
  let flags: unknown
  try {
    flags = await http.json('GET', '/api/3.0/mlflow/server-info', { ...(signal && { signal }) })
  } catch (error) {
    // MLflow before 3.9 has no such call.
    if (!noSuchCall(error)) throw error
  }
  const uploads = objectIn(flags, 'multipart_uploads_enabled')
  const downloads = objectIn(flags, 'multipart_downloads_enabled')
  const presignedOnly = objectIn(flags, 'artifacts_presigned_only')
  const serving = objectIn(flags, 'artifact_serving_enabled')
  return {
    ...(version === undefined ? {} : { version }),
    ...(software === undefined ? {} : { software }),
    ...(typeof uploads === 'boolean' ? { multipartUploads: uploads } : {}),
    ...(typeof downloads === 'boolean' ? { multipartDownloads: downloads } : {}),
    ...(typeof presignedOnly === 'boolean' ? { presignedOnly } : {}),
    ...(typeof serving === 'boolean' ? { servesArtifacts: serving } : {}),
  }
}

/** @throws Trouble when no MLflow server answers there, or when it refuses this login. */
export const openServer = async (
  settings: Settings,
  options: { readonly signal?: AbortSignal | undefined; readonly sleep?: Sleep | undefined } = {},
): Promise<TrackingServer> => {
  const http = openHttp(settings, options.sleep)
  try {
    const info = await infoOf(http, settings, options.signal)
    return {
      kind: 'server',
      uri: settings.trackingUri,
      settings,
      info,
      headers: http.headers,
      call: <T>(method: Method, path: string, callOptions?: CallOptions) =>
        http.json(method, path, callOptions) as Promise<T>,
      text: http.text,
      bytes: http.bytes,
      close: http.close,
      ...trackingOf(http),
    }
  } catch (error) {
    http.close()
    throw await withRightPath(error, settings, options.signal)
  }
}
