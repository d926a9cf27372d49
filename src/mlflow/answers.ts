import { Trouble } from '../errors.ts'
import { isId } from './ids.ts'
import type {
  Experiment,
  Leniency,
  LoggedModel,
  ModelStatus,
  ModelVersion,
  Run,
  RunRecord,
  RunStatus,
  VersionStatus,
} from './types.ts'

/** Reads MLflow's entities out of JSON or YAML that nobody has looked at yet. */

export const objectIn = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined

const strange = (what: string): Trouble =>
  new Trouble({
    kind: 'unexpected-answer',
    what: `cannot read ${what}`,
    why: 'the answer lacks a field that MLflow always gives, or gives it in another form',
    todo: 'Check that the tracking URI leads to an MLflow server of version 2 or 3',
  })

/** A string without control codes; numbers, such as ids in older answers, are spelled out. */
const optionalText = (value: unknown, key: string): string | undefined => {
  const found = objectIn(value, key)
  if (typeof found === 'number' || typeof found === 'bigint') return String(found)
  return typeof found === 'string' && found !== '' && !/[\u0000-\u001f\u007f]/.test(found) ? found : undefined
}

const text = (value: unknown, key: string, of: string): string => {
  const found = optionalText(value, key)
  if (found === undefined) throw strange(of)
  return found
}

/** Milliseconds; protobuf's JSON writes 64-bit numbers as strings in some versions. */
const time = (value: unknown, key: string): number | undefined => {
  const found = Number(optionalText(value, key))
  return Number.isSafeInteger(found) && found > 0 ? found : undefined
}

export const listIn = (value: unknown, key: string): readonly unknown[] => {
  const found = objectIn(value, key)
  return Array.isArray(found) ? found : []
}

const lifecycle = (value: unknown): 'active' | 'deleted' =>
  optionalText(value, 'lifecycle_stage') === 'deleted' ? 'deleted' : 'active'

const optional = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  value === undefined ? {} : ({ [key]: value } as { [P in K]?: V })

/** `MlflowEntity.LoggedModelStatus`, as numbers in databases and files. */
const modelNumbers: ReadonlyMap<string, ModelStatus> = new Map([
  ['1', 'PENDING'],
  ['2', 'READY'],
  ['3', 'UPLOAD_FAILED'],
])
const modelStatus = (value: unknown): ModelStatus => {
  const word = String(value).replace(/^LOGGED_MODEL_/, '')
  if (word === 'PENDING' || word === 'READY' || word === 'UPLOAD_FAILED') return word
  return modelNumbers.get(word) ?? (word === 'FAILED' ? 'UPLOAD_FAILED' : 'UNKNOWN')
}

/** `RunStatus` of MLflow's protocol: the numbers are those of meta.yaml. */
const runWords: readonly RunStatus[] = ['UNKNOWN', 'RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED']
const runStatus = (value: unknown): RunStatus =>
  runWords.find((word) => word === value) ?? runWords[Number(value)] ?? 'UNKNOWN'

/** `ModelVersionStatus` of MLflow's protocol; the registry writes the words, in files and databases, too. */
const versionWords: readonly VersionStatus[] = ['UNKNOWN', 'PENDING_REGISTRATION', 'FAILED_REGISTRATION', 'READY']
const versionStatus = (value: unknown): VersionStatus =>
  // Very old registries keep none, and register at once.
  value === undefined || value === null || value === ''
    ? 'READY'
    : (versionWords.find((word) => word === value) ?? versionWords[Number(value)] ?? 'UNKNOWN')

export const experimentOf = (value: unknown): Experiment => ({
  experimentId: text(value, 'experiment_id', 'an experiment'),
  name: optionalText(value, 'name') ?? '',
  artifactLocation: text(value, 'artifact_location', 'an experiment'),
  lifecycle: lifecycle(value),
})

/** The `info` of a run. */
export const runOf = (info: unknown): Run => ({
  runId: optionalText(info, 'run_id') ?? text(info, 'run_uuid', 'a run'),
  experimentId: text(info, 'experiment_id', 'a run'),
  status: runStatus(objectIn(info, 'status')),
  artifactUri: text(info, 'artifact_uri', 'a run'),
  ...optional('startedAt', time(info, 'start_time')),
  ...optional('endedAt', time(info, 'end_time')),
  lifecycle: lifecycle(info),
})

/** Bytes of the tag; MLflow appends to it at each model. */
const longestHistory = 1024 * 1024

/** The folders in `mlflow.log-model.history`; what is no plain path in there is left out. */
export const modelFoldersIn = (history: string | undefined): string[] => {
  if (history === undefined || history.length > longestHistory) return []
  let told: unknown
  try {
    told = JSON.parse(history)
  } catch {
    return []
  }
  const folders = (Array.isArray(told) ? told : []).flatMap((one: unknown) => {
    const path = optionalText(one, 'artifact_path')?.replace(/\/+$/, '') ?? ''
    const plain = path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
    return plain && !path.includes('\\') ? [path] : []
  })
  return [...new Set(folders)]
}

/** The `run` of REST's runs/get, or one of those of runs/search: metrics, tags and outputs come with either. */
export const recordOf = (run: unknown): RunRecord => {
  const data = objectIn(run, 'data')
  const times = listIn(data, 'metrics').flatMap((metric) => time(metric, 'timestamp') ?? [])
  const history = listIn(data, 'tags').find((tag) => objectIn(tag, 'key') === 'mlflow.log-model.history')
  return {
    ...optional('lastMetricAt', times.length > 0 ? times.reduce((a, b) => Math.max(a, b)) : undefined),
    outputs: outputsIn(listIn(objectIn(run, 'outputs'), 'model_outputs').map((one) => optionalText(one, 'model_id'))),
    modelFolders: modelFoldersIn(optionalText(history, 'value')),
  }
}

/** Ids alone, each once. */
export const outputsIn = (ids: readonly (string | undefined)[]): string[] => [
  ...new Set(ids.filter((id) => id !== undefined && isId(id)) as string[]),
]

/** The `info` of a logged model, a row of its table, or its meta.yaml. */
export const modelOf = (info: unknown): LoggedModel => ({
  modelId: text(info, 'model_id', 'a logged model'),
  experimentId: text(info, 'experiment_id', 'a logged model'),
  name: optionalText(info, 'name') ?? '',
  status: modelStatus(objectIn(info, 'status')),
  artifactUri: optionalText(info, 'artifact_uri') ?? text(info, 'artifact_location', 'a logged model'),
  ...optional('sourceRunId', optionalText(info, 'source_run_id')),
  ...optional('createdAt', time(info, 'creation_timestamp_ms') ?? time(info, 'creation_timestamp')),
  ...optional('updatedAt', time(info, 'last_updated_timestamp_ms') ?? time(info, 'last_updated_timestamp')),
  ...(lifecycle(info) === 'deleted' && { deleted: true }),
})

export const versionOf = (value: unknown, artifactUri?: string): ModelVersion => ({
  name: text(value, 'name', 'a model version'),
  version: text(value, 'version', 'a model version'),
  source: text(value, 'source', 'a model version'),
  ...optional('runId', optionalText(value, 'run_id')),
  status: versionStatus(objectIn(value, 'status')),
  ...optional('statusMessage', optionalText(value, 'status_message')),
  // In the database the columns have names of their own.
  ...optional('createdAt', time(value, 'creation_timestamp') ?? time(value, 'creation_time')),
  ...optional('updatedAt', time(value, 'last_updated_timestamp') ?? time(value, 'last_updated_time')),
  ...optional('artifactUri', artifactUri),
})

export const textIn = optionalText

/** What `read` makes of each entry; one that cannot be read ends the list, or is told and passed over. */
export function* readEach<T>(read: () => T, { damaged }: Leniency = {}): Generator<T> {
  let found: T
  try {
    found = read()
  } catch (error) {
    if (!(error instanceof Trouble) || damaged === undefined) throw error
    damaged(error)
    return
  }
  yield found
}
