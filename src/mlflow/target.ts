import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Trouble, unlessMissing } from '../errors.ts'
import { checkedId, checkedName, isId, isModelId } from './ids.ts'
import { below, localPath, schemeOf } from './location.ts'
import type { Experiment, LoggedModel, ModelVersion, Run, Settings, Target, TargetSpec, Tracking } from './types.ts'

const storeSchemes = [
  ...['s3', 'gs', 'wasb', 'wasbs', 'abfs', 'abfss', 'r2', 'b2', 'mlflow-artifacts', 'file', 'http', 'https'],
  // MLflow writes to these, and this tool does not reach them: opening one says so.
  ...['dbfs', 'hdfs', 'viewfs', 'sftp', 'ftp'],
]

const forms =
  'Write a run id, runs:/<run id>, models:/m-<id>, models:/<name>/<version>, models:/<name>@<alias>, a store URI such as s3://bucket/path, or a folder such as ./model'

const usage = (why: string): Trouble => new Trouble({ kind: 'usage', what: 'cannot use this target', why, todo: forms })

/** A path inside a run's artifacts: refused where it could leave them. */
const checkedPath = (path: string): string => {
  if (
    /[\\\u0000-\u001f\u007f]/.test(path) ||
    path.split('/').some((part) => part === '' || part === '.' || part === '..')
  )
    throw usage(
      'the path inside the run is empty in one place, leaves the run, or holds a backslash or control character',
    )
  return path
}

const modelSpec = (rest: string): TargetSpec => {
  const parts = rest.split('/')
  const [name = '', suffix] = parts
  // The rules of `_parse_model_uri` (store/artifact/utils/models.py, 3.17.2).
  if (parts.length === 2 && suffix) return { kind: 'version', name: checkedName(name), version: suffix }
  if (parts.length > 1)
    throw usage('a models:/ target is models:/m-<id>, models:/<name>/<version> or models:/<name>@<alias>')
  const at = name.lastIndexOf('@')
  if (at > 0 && at < name.length - 1)
    return { kind: 'version', name: checkedName(name.slice(0, at)), version: name.slice(at) }
  if (at >= 0) throw usage('a models:/ target with @ needs a name before it and an alias after it')
  if (!name.startsWith('m-')) throw usage('a registered model is looked at by its version or alias, and none is named')
  return { kind: 'model', modelId: checkedId('model id', name) }
}

/** @throws Trouble `usage` for what is none of the forms. Asks nobody; folders become absolute. */
export const parseTarget = (text: string, cwd: string = process.cwd()): TargetSpec => {
  if (text === '' || /[\u0000-\u001f\u007f]/.test(text)) throw usage('it is empty or holds control characters')
  const run = /^runs:\/+([^/]+)(?:\/(.*))?$/.exec(text)
  if (run) {
    const path = run[2]?.replace(/\/+$/, '')
    return { kind: 'run', runId: checkedId('run id', run[1] ?? ''), ...(path ? { path: checkedPath(path) } : {}) }
  }
  const model = /^models:\/+(.+)$/.exec(text)?.[1]
  if (model !== undefined) return modelSpec(model.replace(/\/+$/, ''))
  if (isModelId(text)) return { kind: 'model', modelId: text }
  const scheme = schemeOf(text)
  if (scheme === 'file') return { kind: 'uri', uri: localPath(text, cwd) }
  if (storeSchemes.includes(scheme)) return { kind: 'uri', uri: text.replace(/(.)\/+$/, '$1') }
  if (scheme !== '') throw usage(`the scheme ${scheme.slice(0, 40)}: is none that is known here`)
  if (text.startsWith('~/')) return { kind: 'uri', uri: resolve(homedir(), text.slice(2)) }
  if (/[/\\]/.test(text) || text.startsWith('.')) return { kind: 'uri', uri: resolve(cwd, text) }
  if (!isId(text)) throw usage('it has none of the known forms')
  return { kind: 'run', runId: text }
}

/** `--experiment`: digits are an id, everything else is a name. */
export const experimentBy = (text: string): { readonly id: string } | { readonly name: string } =>
  /^\d+$/.test(text) ? { id: text } : { name: text }

const uriTarget = (uri: string, name = uri): Target => ({ name, kind: 'uri', artifactUri: uri })

export const runTarget = (run: Run): Target => ({
  name: `runs:/${run.runId}`,
  kind: 'run',
  artifactUri: run.artifactUri,
  experimentId: run.experimentId,
  run,
})

export const modelTarget = (model: LoggedModel): Target => ({
  name: `models:/${model.modelId}`,
  kind: 'model',
  artifactUri: model.artifactUri,
  experimentId: model.experimentId,
  model,
})

/** A path in a run is, as in MLflow 3, the name of a model that the run logged, or else a folder of its artifacts. */
const runTargets = async function* (
  tracking: Tracking,
  run: Run,
  path: string | undefined,
  signal?: AbortSignal,
): AsyncGenerator<Target> {
  const { runId } = run
  const models = tracking.models({ experimentId: run.experimentId, runId }, signal)
  if (path === undefined) {
    yield runTarget(run)
    for await (const model of models) yield modelTarget(model)
    return
  }
  let named = false
  for await (const model of models) {
    if (model.name !== path) continue
    named = true
    yield modelTarget(model)
  }
  if (!named) yield { ...runTarget(run), name: `runs:/${runId}/${path}`, artifactUri: below(run.artifactUri, path) }
}

const versionTargets = async function* (
  tracking: Tracking,
  spec: { readonly name: string; readonly version: string },
  signal?: AbortSignal,
): AsyncGenerator<Target> {
  const version = await tracking.version(spec.name, spec.version, signal)
  const source = /^(?:runs|models):\//.test(version.source) ? parseTarget(version.source) : undefined
  const name = `models:/${version.name}/${version.version}`
  const uri = version.artifactUri ?? version.source
  if (source?.kind === 'model') {
    const model = await tracking.model(source.modelId, signal).catch(unlessMissing)
    const sourceGone = `logged model ${source.modelId} is deleted or unknown`
    yield model === undefined || model.deleted
      ? { ...uriTarget(uri, name), version, sourceGone }
      : { ...modelTarget(model), version }
  } else if (source?.kind === 'run') {
    const run = await tracking.run(source.runId, signal).catch(unlessMissing)
    if (run === undefined)
      yield {
        ...uriTarget(uri, name),
        version,
        sourceGone: `run ${source.runId} is unknown, as one is after mlflow gc`,
      }
    else for await (const one of runTargets(tracking, run, source.path, signal)) yield { ...one, version }
  } else {
    if (/^models:/.test(uri))
      throw new Trouble({
        kind: 'unsupported',
        what: `cannot find the files of ${name}`,
        why: 'its source is a version of another model',
        todo: 'Name that version as the target',
      })
    yield { ...uriTarget(uri, name), version }
  }
}

/** What a version was registered from, by its id: MLflow 3 names the logged model, MLflow 2 the run. */
const originOf = ({ source, runId }: ModelVersion): { modelId: string } | { runId: string } | undefined => {
  const modelId = /^models:\/+(m-[0-9a-f]{32})$/.exec(source)?.[1]
  return modelId !== undefined ? { modelId } : runId === undefined ? undefined : { runId }
}

/** Every registered version whose run or logged model is deleted or unknown, as the target that its name means. */
export const orphanedVersions = async function* (tracking: Tracking, signal?: AbortSignal): AsyncGenerator<Target> {
  // Versions of one model, and models of one run, are many: each origin is asked for once.
  const there = new Map<string, boolean>()
  const isThere = async (origin: { modelId: string } | { runId: string }): Promise<boolean> => {
    const key = JSON.stringify(origin)
    const known = there.get(key)
    if (known !== undefined) return known
    let found: boolean
    if ('modelId' in origin) {
      const model = await tracking.model(origin.modelId, signal).catch(unlessMissing)
      found = model !== undefined && model.deleted !== true
    } else found = (await tracking.run(origin.runId, signal).catch(unlessMissing))?.lifecycle === 'active'
    there.set(key, found)
    return found
  }
  for await (const version of tracking.versions(signal)) {
    const origin = originOf(version)
    if (origin !== undefined && !(await isThere(origin))) yield* versionTargets(tracking, version, signal)
  }
}

const experimentTargets = async function* (
  tracking: Tracking,
  by: { id: string } | { name: string },
  signal?: AbortSignal,
): AsyncGenerator<Target> {
  const { experimentId } = await tracking.experiment(by, signal)
  for await (const run of tracking.runs(experimentId, signal)) yield runTarget(run)
  for await (const model of tracking.models({ experimentId }, signal)) yield modelTarget(model)
}

/**
 * The artifact roots that a target means: a run and then each model that it logged; the model or folder behind a registered
 * version; every run and every model of an experiment, each once.
 * @throws Trouble `not-found`, `usage`, or whatever keeps the tracking store from answering.
 */
export const resolveTargets = async function* (
  spec: TargetSpec,
  tracking: Tracking | undefined,
  signal?: AbortSignal,
): AsyncGenerator<Target> {
  if (spec.kind === 'uri') {
    // A folder that was typed is meant as it is written; only what MLflow tracks is percent-encoded.
    const typed = schemeOf(spec.uri) === '' ? pathToFileURL(spec.uri).href : spec.uri
    yield uriTarget(typed, spec.uri)
    return
  }
  if (!tracking)
    throw new Trouble({
      kind: 'usage',
      what: 'cannot look up this target',
      why: 'no tracking server or tracking database is at hand',
      todo: 'Set MLFLOW_TRACKING_URI, or name the store URI or folder itself',
    })
  if (spec.kind === 'run') yield* runTargets(tracking, await tracking.run(spec.runId, signal), spec.path, signal)
  else if (spec.kind === 'model') yield modelTarget(await tracking.model(spec.modelId, signal))
  else if (spec.kind === 'version') yield* versionTargets(tracking, spec, signal)
  else yield* experimentTargets(tracking, spec.by, signal)
}

export const experimentTarget = (experiment: Experiment, assumed?: string): Target => ({
  name: `experiments:/${experiment.experimentId}`,
  kind: 'experiment',
  artifactUri: experiment.artifactLocation,
  experimentId: experiment.experimentId,
  ...(assumed === undefined ? {} : { assumed }),
})

const missing = (error: unknown): boolean => error instanceof Trouble && error.kind === 'not-found'

/** The experiment that shows where a new one would be put: the one with id 0, else the first that there is. */
const anyExperiment = async (tracking: Tracking, signal?: AbortSignal): Promise<Experiment | undefined> => {
  try {
    return await tracking.experiment({ id: '0' }, signal)
  } catch (error) {
    if (!missing(error)) throw error
  }
  for await (const one of tracking.experiments(signal)) return one
  return undefined
}

/**
 * Where a new upload would go: the experiment that the settings name, or that of the run that MLFLOW_RUN_ID names. For an
 * experiment that does not exist yet, MLflow would make it at the first run; until then another experiment of the same server
 * shows the location, and `assumed` says so.
 */
export const destination = async (settings: Settings, tracking: Tracking, signal?: AbortSignal): Promise<Target> => {
  const explicit = settings.sources.some((one) => /experiment/i.test(one.name))
  if (!explicit && settings.runId !== undefined) {
    const run = await tracking.run(checkedId('run id', settings.runId), signal)
    return experimentTarget(await tracking.experiment({ id: run.experimentId }, signal))
  }
  try {
    const experiment = await tracking.experiment(settings.experiment, signal)
    if (experiment.lifecycle === 'active') return experimentTarget(experiment)
    throw new Trouble({
      kind: 'conflict',
      what: 'cannot tell where a new run would be logged',
      why: `experiment ${experiment.experimentId} is deleted, and MLflow refuses to log to it`,
      todo: `Name another experiment by --experiment, or restore this one with: mlflow experiments restore --experiment-id ${experiment.experimentId}`,
    })
  } catch (error) {
    // MLflow makes a named experiment at the first run, but refuses an id that does not exist.
    const made = 'name' in settings.experiment || settings.experiment.id === '0'
    if (!missing(error) || !made) throw error
    const other = await anyExperiment(tracking, signal)
    if (!other) throw error
    const named =
      'name' in settings.experiment ? 'the named experiment does not exist yet' : 'there is no Default experiment'
    return experimentTarget(other, `${named}: the location of experiment ${other.experimentId} stands for it`)
  }
}
