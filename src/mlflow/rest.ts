import { Trouble, unlessMissing } from '../errors.ts'
import { experimentOf, listIn, modelOf, objectIn, recordOf, runOf, textIn, versionOf } from './answers.ts'
import type { Http } from './http.ts'
import { checkedId, checkedName } from './ids.ts'
import type { LoggedModel, Run, Tracking } from './types.ts'

const api = '/api/2.0/mlflow'
/** Runs carry all their metrics, parameters and tags: small pages keep an answer far below the size cap. */
const runsPerPage = 200
const perPage = 1000
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
export const noSuchCall = (error: unknown): boolean =>
  error instanceof Trouble && error.kind === 'unsupported' && (error.status === 404 || error.status === 405)

type RecordedRun = Run & Required<Pick<Run, 'record'>>

const recordedRun = (run: unknown): RecordedRun => ({ ...runOf(objectIn(run, 'info')), record: recordOf(run) })

/** MLflow's entities over its REST API. */
export const trackingOf = (http: Http): Omit<Tracking, 'kind' | 'uri'> => {
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
  const searchRuns = async function* (experimentId: string, filter: string | undefined, signal?: AbortSignal) {
    const ids = [checkedId('experiment id', experimentId)]
    const ask = (token: string | undefined) =>
      http.json('POST', `${api}/runs/search`, {
        json: {
          experiment_ids: ids,
          max_results: runsPerPage,
          run_view_type: 'ACTIVE_ONLY',
          ...(filter && { filter }),
          ...(token && { page_token: token }),
        },
        what: `list the runs of experiment ${experimentId}`,
        ...(signal && { signal }),
      })
    for await (const one of pages(ask, 'runs')) yield recordedRun(one)
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
    experiments: async function* (signal) {
      const ask = (token: string | undefined) =>
        http.json('POST', `${api}/experiments/search`, {
          json: { max_results: perPage, view_type: 'ACTIVE_ONLY', ...(token && { page_token: token }) },
          what: 'list experiments',
          ...(signal && { signal }),
        })
      for await (const one of pages(ask, 'experiments')) yield experimentOf(one)
    },
    run: readRun,
    runs: (experimentId, signal) => searchRuns(experimentId, undefined, signal),
    record: async (run, signal) => run.record ?? (await readRun(run.runId, signal)).record,
    children: ({ experimentId, runId }, signal) =>
      searchRuns(experimentId, `tags.\`mlflow.parentRunId\` = '${checkedId('run id', runId)}'`, signal),
    model,
    models: async function* (of, signal) {
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
          const found = modelOf(objectIn(one, 'info'))
          seen.add(found.modelId)
          yield found
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
