import { randomUUID } from 'node:crypto'
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseDocument } from 'yaml'
import { Trouble, unlessMissing } from '../errors.ts'
import { experimentOf, modelFoldersIn, modelOf, outputsIn, runOf, textIn, versionOf } from './answers.ts'
import { checkedId, checkedName, isId } from './ids.ts'
import { localPath } from './location.ts'
import type { Experiment, Leniency, LoggedModel, Run, Tracking } from './types.ts'

/** Bytes. MLflow writes a few hundred. */
const largestMeta = 64 * 1024
const largestTag = 1024 * 1024
/** Bytes of the end of a metric's file that hold its last line: two numbers and a step. */
const lastLine = 256
const mostAliases = 10

const missing = (what: string, cause?: unknown): Trouble =>
  new Trouble({
    kind: 'not-found',
    what: `cannot read ${what}`,
    why: 'the tracking folder has no such entry',
    todo: 'Check the id or name, and that MLFLOW_TRACKING_URI is the folder that it was logged to',
    cause,
  })

const unreadable = (file: string, why: string, cause?: unknown): Trouble =>
  new Trouble({
    kind: 'unexpected-answer',
    what: `cannot read ${file}`,
    why,
    todo: 'Look at the file, and at who may read it',
    cause,
  })

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

const metaText = (file: string): Promise<string | undefined> => textOf(file, largestMeta)

/** The text of a small file, or undefined where there is none. `largest` in bytes. */
const textOf = async (file: string, largest: number): Promise<string | undefined> => {
  try {
    const { size } = await stat(file)
    if (size > largest) throw unreadable(file, 'it is far larger than MLflow writes it')
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Trouble) throw error
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw unreadable(file, `the system says ${code ?? 'nothing more'}`, error)
  }
}

const parsed = (file: string, text: string): unknown => {
  try {
    const document = parseDocument(text, { logLevel: 'silent', uniqueKeys: false })
    const problem = document.errors[0] ?? document.warnings[0]
    if (problem) throw unreadable(file, `it is not plain YAML (${problem.code})`)
    return document.toJS({ maxAliasCount: mostAliases })
  } catch (error) {
    throw error instanceof Trouble ? error : unreadable(file, 'it is not plain YAML', error)
  }
}

const metaOf = async (folder: string): Promise<unknown> => {
  const file = join(folder, 'meta.yaml')
  const text = await metaText(file)
  return text === undefined ? undefined : parsed(file, text)
}

/** Folders whose names are ids. */
const foldersIn = async (folder: string): Promise<string[]> => (await namesIn(folder)).filter(isId)

/** All folders; the name of a registered model may hold nearly anything. */
const namesIn = async (folder: string): Promise<string[]> => {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return []
    throw unreadable(folder, `the system says ${codeOf(error) ?? 'nothing more'}`, error)
  }
}

/** The newest time among the last lines (`time value step`) of a run's metric files; a key with slashes makes folders. */
const newestMetric = async (folder: string): Promise<number | undefined> => {
  let newest: number | undefined
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw unreadable(folder, `the system says ${codeOf(error) ?? 'nothing more'}`, error)
  })
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const handle = await open(join(entry.parentPath, entry.name), 'r')
    try {
      const { size } = await handle.stat()
      const length = Math.min(size, lastLine)
      const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length)
      const time = Number(/^(\d+) /.exec(buffer.toString('latin1').trimEnd().split('\n').at(-1) ?? '')?.[1])
      if (Number.isSafeInteger(time) && time > (newest ?? 0)) newest = time
    } finally {
      await handle.close()
    }
  }
  return newest
}

/** An entry that cannot be read ends the list, or is told and passed over. */
const orPassOver = async <T>(reading: Promise<T>, { damaged }: Leniency = {}): Promise<T | undefined> => {
  try {
    return await reading
  } catch (error) {
    if (!(error instanceof Trouble) || damaged === undefined) throw error
    damaged(error)
    return undefined
  }
}

/** Writes a file anew beside the old one and puts it in its place: a reader sees the old text or the new, whole. */
const replace = async (file: string, text: string): Promise<void> => {
  const { mode } = await stat(file)
  const fresh = join(dirname(file), `.meta.yaml.${randomUUID()}`)
  try {
    const handle = await open(fresh, 'wx', mode)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(fresh, file)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
  const folder = await open(dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/**
 * MLflow's file store (`store/tracking/file_store.py`, 3.17.2): `<experiment>/meta.yaml`, `<experiment>/<run>/meta.yaml`,
 * `<experiment>/models/<model>/meta.yaml`, `models/<name>/version-<n>/meta.yaml`.
 * @throws Trouble `not-found` when the folder is not there.
 */
export const openFolder = async (uri: string, cwd: string): Promise<Tracking> => {
  const root = localPath(uri, cwd)
  if (!(await stat(root).catch(() => undefined))?.isDirectory())
    throw new Trouble({
      kind: 'not-found',
      what: `cannot read the tracking folder ${root}`,
      why: 'it does not exist or is no folder',
      todo: 'Set MLFLOW_TRACKING_URI to the tracking server, or run this in the folder in which the training runs',
    })

  const experimentIds = async (): Promise<string[]> =>
    // The registry lies beside the experiments.
    (await foldersIn(root)).filter((name) => name !== 'models')
  const experimentAt = async (id: string): Promise<Experiment | undefined> => {
    const meta = await metaOf(join(root, id))
    return meta === undefined ? undefined : experimentOf(meta)
  }
  /** The folder of a run or model, whose experiment its id does not tell. */
  const locate = async (
    what: string,
    inside: (experiment: string) => string,
  ): Promise<{ folder: string; meta: unknown }> => {
    for (const id of await experimentIds()) {
      const folder = inside(join(root, id))
      const meta = await metaOf(folder)
      if (meta !== undefined) return { folder, meta }
    }
    throw missing(what)
  }
  const runsIn = async function* (experimentId: string, leniency?: Leniency): AsyncGenerator<Run> {
    const folder = join(root, checkedId('experiment id', experimentId))
    const runAt = async (id: string) => {
      const meta = await metaOf(join(folder, id))
      return meta === undefined ? undefined : runOf(meta)
    }
    for (const id of await foldersIn(folder)) {
      const run = await orPassOver(runAt(id), leniency)
      if (run?.lifecycle === 'active' || (leniency?.deleted && run)) yield run
    }
  }
  const findModel = (modelId: string): Promise<{ folder: string; meta: unknown }> => {
    checkedId('model id', modelId)
    return locate(`logged model ${modelId}`, (experiment) => join(experiment, 'models', modelId))
  }
  const model = async (modelId: string): Promise<LoggedModel> => modelOf((await findModel(modelId)).meta)

  const versions = async function* () {
    const registry = join(root, 'models')
    for (const name of await namesIn(registry)) {
      for (const folder of await namesIn(join(registry, name))) {
        const number = /^version-(\d+)$/.exec(folder)?.[1]
        const meta = number === undefined ? undefined : await versionAt(name, number)
        if (meta !== undefined) yield versionOf(meta, textIn(meta, 'storage_location'))
      }
    }
  }
  const versionAt = async (name: string, version: string): Promise<unknown> => {
    const meta = await metaOf(join(root, 'models', name, `version-${version}`))
    return textIn(meta, 'current_stage') === 'Deleted_Internal' ? undefined : meta
  }
  const versionBy = async (name: string, version: string): Promise<unknown> => {
    if (/^\d+$/.test(version)) return versionAt(name, version)
    if (version.startsWith('@')) {
      const alias = version.slice(1)
      if (!isId(alias)) return undefined
      const number = (await metaText(join(root, 'models', name, 'aliases', alias)))?.trim() ?? ''
      return /^\d+$/.test(number) ? versionAt(name, number) : undefined
    }
    const folders = await foldersIn(join(root, 'models', name))
    const numbers = folders.flatMap((folder) => /^version-(\d+)$/.exec(folder)?.[1] ?? [])
    for (const number of numbers.sort((a, b) => Number(b) - Number(a))) {
      const found = await versionAt(name, number)
      if (found === undefined) continue
      if (version.toLowerCase() === 'latest') return found
      if (textIn(found, 'current_stage')?.toLowerCase() === version.toLowerCase()) return found
    }
    return undefined
  }

  return {
    kind: 'folder',
    uri,
    experiment: async (by) => {
      if ('id' in by) {
        const found = await experimentAt(checkedId('experiment id', by.id))
        if (!found) throw missing(`experiment ${by.id}`)
        return found
      }
      for (const id of await experimentIds()) {
        const found = await experimentAt(id)
        if (found?.name === by.name) return found
      }
      throw missing('the experiment of that name')
    },
    experiments: async function* (_signal, leniency) {
      for (const id of await experimentIds()) {
        const found = await orPassOver(experimentAt(id), leniency)
        if (found?.lifecycle === 'active' || (leniency?.deleted && found)) yield found
      }
    },
    run: async (runId) => {
      checkedId('run id', runId)
      return runOf((await locate(`run ${runId}`, (experiment) => join(experiment, runId))).meta)
    },
    runs: (experimentId, _signal, leniency) => runsIn(experimentId, leniency),
    record: async ({ experimentId, runId }) => {
      const folder = join(root, checkedId('experiment id', experimentId), checkedId('run id', runId))
      const lastMetricAt = await newestMetric(join(folder, 'metrics'))
      const history = await textOf(join(folder, 'tags', 'mlflow.log-model.history'), largestTag)
      return {
        ...(lastMetricAt === undefined ? {} : { lastMetricAt }),
        outputs: outputsIn(await foldersIn(join(folder, 'outputs'))),
        modelFolders: modelFoldersIn(history),
      }
    },
    children: async function* ({ experimentId, runId }) {
      for await (const run of runsIn(experimentId)) {
        const tag = join(root, experimentId, run.runId, 'tags', 'mlflow.parentRunId')
        if ((await textOf(tag, largestMeta))?.trim() === runId) yield run
      }
    },
    model,
    models: async function* ({ experimentId, runId }, _signal, leniency) {
      const folder = join(root, checkedId('experiment id', experimentId))
      const linked = runId === undefined ? [] : await foldersIn(join(folder, checkedId('run id', runId), 'outputs'))
      const here = await foldersIn(join(folder, 'models'))
      const modelAt = async (id: string) => {
        const meta = await metaOf(join(folder, 'models', id))
        return meta === undefined ? undefined : modelOf(meta)
      }
      for (const id of here) {
        const found = await orPassOver(modelAt(id), leniency)
        if (found === undefined || (found.deleted && !leniency?.deleted)) continue
        if (runId === undefined || found.sourceRunId === runId || linked.includes(id)) yield found
      }
      for (const id of linked) {
        // One that was deleted since is still linked.
        const found = here.includes(id) ? undefined : await model(id).catch(unlessMissing)
        if (found !== undefined) yield found
      }
    },
    knows: async (id) => {
      if (!isId(id)) return false
      for (const experiment of await experimentIds())
        for (const folder of [join(root, experiment, id), join(root, experiment, 'models', id)])
          if ((await metaText(join(folder, 'meta.yaml'))) !== undefined) return true
      return false
    },
    version: async (name, version) => {
      const meta = await versionBy(checkedName(name), version)
      if (meta === undefined) throw missing(`version ${version} of model ${name}`)
      return versionOf(meta, textIn(meta, 'storage_location'))
    },
    versions,
    versionsOf: async function* (source) {
      const [key, value] =
        'runId' in source
          ? (['runId', checkedId('run id', source.runId)] as const)
          : (['source', `models:/${checkedId('model id', source.modelId)}`] as const)
      for await (const one of versions()) if (one[key] === value) yield one
    },
    setModelReady: async (modelId) => {
      const { folder, meta } = await findModel(modelId)
      if (modelOf(meta).status === 'READY') return
      const file = join(folder, 'meta.yaml')
      const before = (await metaText(file)) ?? ''
      // Only these two lines change; everything else stays byte for byte.
      const lines = before.match(/^status: \d+$/gm) ?? []
      const after = before
        .replace(/^status: \d+$/m, 'status: 2')
        .replace(/^last_updated_timestamp: \d+$/m, `last_updated_timestamp: ${Date.now()}`)
      if (lines.length !== 1 || modelOf(parsed(file, after)).status !== 'READY')
        throw new Trouble({
          kind: 'unsupported',
          what: `cannot set logged model ${modelId} to READY`,
          why: `${file} is not written as MLflow 3 writes it`,
          todo: 'Set the status through MLflow itself: mlflow.finalize_logged_model',
        })
      if ((await metaText(file)) !== before)
        throw new Trouble({
          kind: 'conflict',
          what: `cannot set logged model ${modelId} to READY`,
          why: 'another process has just changed it',
          todo: 'Try again when no MLflow process is writing',
        })
      await replace(file, after)
    },
  }
}
