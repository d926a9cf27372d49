/** A logged model that an upload begins, or goes on with. */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Trouble } from '../errors.ts'
import type { ModelLogging } from '../mlflow/logging.ts'
import { withIdentity } from '../mlflow/mlmodel-identity.ts'
import type { LoggedModel, Tracking } from '../mlflow/types.ts'
import type { LocalTree } from '../needs/declarations.ts'
import { prepareJournalDir } from '../transfer/journal.ts'

/** What the command line asks for. */
export interface AskedModel {
  readonly experimentId: string
  readonly name: string
  readonly runId?: string
}

const noModel = (dir: string): Trouble =>
  new Trouble({
    kind: 'usage',
    what: `cannot log ${dir} as a model`,
    why: 'it holds no MLmodel',
    todo: 'Give the folder that save_model wrote, or log it to a run: mlflow-doctor upload DIR runs:/<run id>/<path>',
  })

/** The MLmodel of a folder. @throws Trouble `usage` where there is none */
export const modelText = async ({ dir, files }: LocalTree): Promise<string> => {
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

/** The same for the same folder with the same MLmodel under the same name, on whatever day. */
const markOf = (dir: string, text: string, { experimentId, name, runId }: AskedModel): string =>
  createHash('sha256')
    .update(JSON.stringify([dir, text, experimentId, name, runId]))
    .digest('hex')
    .slice(0, 32)

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
  tree: LocalTree,
  asked: AskedModel,
  signal: AbortSignal,
): Promise<LoggedModel | undefined> => {
  const mark = markOf(tree.dir, await modelText(tree), asked)
  const { experimentId } = asked
  try {
    return await loggingOf(tracking).begun({ experimentId, mark }, signal)
  } catch (error) {
    throw tooOld(error)
  }
}

/** Begins the model and names it among the outputs of its run. */
export const beginModel = async (
  tracking: Tracking,
  tree: LocalTree,
  asked: AskedModel,
  signal: AbortSignal,
): Promise<LoggedModel> => {
  const mark = markOf(tree.dir, await modelText(tree), asked)
  return loggingOf(tracking).begin({ ...asked, mark }, signal)
}

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
  await prepareJournalDir(stateDir)
  const folder = join(stateDir, `mlmodel-${model.modelId}-${process.pid}`)
  const file = join(folder, 'MLmodel')
  const { modelId, artifactUri, sourceRunId } = model
  const owner = { modelId, artifactUri, ...(sourceRunId === undefined ? {} : { runId: sourceRunId }) }
  const text = withIdentity(await modelText(tree), owner)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(file, text, { mode: 0o600 })
  const files = new Map(tree.files).set('MLmodel', { file, bytes: Buffer.byteLength(text) })
  return { tree: { ...tree, files }, remove: () => rm(folder, { recursive: true, force: true }) }
}
