/** A logged model that an upload begins, or goes on with. */
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Trouble } from '../errors.ts'
import type { ModelLogging, NewModel } from '../mlflow/logging.ts'
import { withIdentity } from '../mlflow/mlmodel-identity.ts'
import type { LoggedModel, Tracking } from '../mlflow/types.ts'
import type { LocalTree } from '../needs/declarations.ts'
import { temporaryFolder } from '../transfer/temporary.ts'

const noModel = (dir: string): Trouble =>
  new Trouble({
    kind: 'usage',
    what: `cannot log ${dir} as a model`,
    why: 'it holds no MLmodel',
    todo: 'Give the folder that save_model wrote, or log it to a run: mlflow-doctor upload DIR runs:/<run id>/<path>',
  })

/** The MLmodel of a folder. @throws Trouble `usage` where there is none */
const modelText = async ({ dir, files }: LocalTree): Promise<string> => {
  const entry = files.get('MLmodel')
  if (entry === undefined) throw noModel(dir)
  return readFile(entry.file, 'utf8')
}

const loggingOf = ({ logging, uri }: Tracking): ModelLogging => {
  if (logging !== undefined) return logging
  throw new Trouble({
    kind: 'unsupported',
    what: 'cannot begin a logged model',
    why: `${uri} is no tracking server, and only a server makes one`,
    todo: 'Set MLFLOW_TRACKING_URI to a server, or log to a run: mlflow-doctor upload DIR runs:/<run id>/<path>',
  })
}

/** With the mark by which the same command finds it again: the same for the same folder with the same MLmodel under the same name, on whatever day. @throws Trouble `usage` where the folder holds no model */
export const marked = async (tree: LocalTree, model: Omit<NewModel, 'mark'>): Promise<NewModel> => {
  const { experimentId, name, runId } = model
  const of = JSON.stringify([tree.dir, await modelText(tree), experimentId, name, runId])
  return { ...model, mark: createHash('sha256').update(of).digest('hex').slice(0, 32) }
}

const tooOld = (error: unknown): unknown =>
  error instanceof Trouble && error.kind === 'unsupported'
    ? new Trouble({
        kind: 'unsupported',
        what: 'cannot begin a logged model',
        why: 'this server has none: they came with MLflow 3',
        todo: 'Log to a run: mlflow-doctor upload DIR runs:/<run id>/<path>',
        cause: error,
      })
    : error

/** The model that an earlier run of the same command began. */
export const begunModel = async (
  tracking: Tracking,
  asked: NewModel,
  signal: AbortSignal,
): Promise<LoggedModel | undefined> => {
  try {
    return await loggingOf(tracking).begun(asked, signal)
  } catch (error) {
    throw tooOld(error)
  }
}

export const beginModel = (tracking: Tracking, asked: NewModel, signal: AbortSignal): Promise<LoggedModel> =>
  loggingOf(tracking).begin(asked, signal)

/** For a model that was just begun, and for one whose first run was killed in between; a second time, the server would refuse it. */
export const linkModel = async (
  tracking: Tracking,
  modelId: string,
  runId: string,
  signal: AbortSignal,
): Promise<void> => {
  const { outputs } = await tracking.record(await tracking.run(runId, signal), signal)
  if (!outputs.includes(modelId)) await loggingOf(tracking).link(modelId, runId, signal)
}

/** The folder with an MLmodel that says whose it is; the folder itself is not touched. Call `remove` in the end. */
export const asModel = async (
  tree: LocalTree,
  model: LoggedModel,
  stateDir: string,
): Promise<{ readonly tree: LocalTree; remove(): Promise<void> }> => {
  const temporary = await temporaryFolder(stateDir)
  const file = join(temporary.dir, 'MLmodel')
  const { modelId, artifactUri, sourceRunId } = model
  const owner = { modelId, artifactUri, ...(sourceRunId === undefined ? {} : { runId: sourceRunId }) }
  const text = withIdentity(await modelText(tree), owner)
  await writeFile(file, text, { mode: 0o600 })
  const files = new Map(tree.files).set('MLmodel', { file, bytes: Buffer.byteLength(text) })
  return { tree: { ...tree, files }, remove: temporary.remove }
}
