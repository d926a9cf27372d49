import type { Stats } from 'node:fs'
import { lstat, opendir, readFile, realpath, stat } from 'node:fs/promises'
import { relative, sep } from 'node:path'
import { NotApplicable, Trouble } from '../errors.ts'
import { type ModelFile, parseModelFile } from '../mlflow/mlmodel.ts'
import type { Target } from '../mlflow/types.ts'
import type { LocalTree } from '../needs/declarations.ts'
import { unsafeBecause } from '../stores/path.ts'

/** A file or folder that was left out, and why; without a full stop. */
interface LeftOut {
  readonly path: string
  readonly why: string
}

export interface SourceTree extends LocalTree {
  readonly problems: readonly LeftOut[]
}

interface User {
  readonly uid: number
  readonly gid: number
}

/** Platforms without user ids (Windows) say so by -1; there the file system's own rules must do. */
const thisUser = (): User => ({ uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 })

/**
 * Why bytes found here are not to be trusted as the user's own: whoever else may write them could put anything into a
 * model. A group that is the user's own primary one is usual (umask 002) and no stranger.
 */
export const foreignBecause = (is: Pick<Stats, 'uid' | 'gid' | 'mode'>, user: User): string | undefined => {
  if (user.uid === -1) return undefined
  if (user.uid !== 0 && is.uid !== user.uid) return 'it belongs to another user'
  if ((is.mode & 0o002) !== 0) return 'everybody on this machine may write to it'
  if ((is.mode & 0o020) !== 0 && is.gid !== user.gid) return 'another group may write to it'
  return undefined
}

const largestModelFile = 1024 * 1024

/** The ids in the MLmodel of a folder; undefined when there is none that can be read. */
const modelFileOf = async (
  tree: ReadonlyMap<string, { readonly file: string; readonly bytes: number }>,
  path: string,
): Promise<ModelFile | undefined> => {
  const entry = tree.get(path)
  if (entry === undefined || entry.bytes > largestModelFile) return undefined
  try {
    return parseModelFile(await readFile(entry.file, 'utf8'))
  } catch (error) {
    if (error instanceof Trouble) return undefined
    throw error
  }
}

const walk = async (root: string, user: User) => {
  const files = new Map<string, { file: string; bytes: number }>()
  const problems: LeftOut[] = []
  const inside = (file: string): boolean => {
    const from = relative(root, file)
    return from !== '' && from !== '..' && !from.startsWith(`..${sep}`)
  }
  /** The regular file behind a link that stays within the folder. */
  const linked = async (file: string): Promise<{ file: string; is: Stats } | string> => {
    const real = await realpath(file).catch(() => undefined)
    if (real === undefined) return 'it is a link that leads nowhere'
    if (!inside(real)) return 'it is a link that leaves the folder'
    const is = await stat(real)
    return is.isFile() ? { file: real, is } : 'it is a link to something that is no regular file'
  }
  const take = async (path: string, file: string, is: Stats): Promise<string | undefined> => {
    if (is.isSymbolicLink()) {
      const found = await linked(file)
      return typeof found === 'string' ? found : take(path, found.file, found.is)
    }
    if (!is.isFile()) return 'it is no regular file'
    const why = foreignBecause(is, user)
    if (why === undefined) files.set(path, { file, bytes: is.size })
    return why
  }
  const waiting = ['']
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for await (const { name } of await opendir(folder === '' ? root : `${root}/${folder}`)) {
      const path = folder === '' ? name : `${folder}/${name}`
      const file = `${root}/${path}`
      const is = await lstat(file).catch(() => undefined)
      if (is === undefined) continue
      const why = unsafeBecause(path) ?? (is.isDirectory() ? foreignBecause(is, user) : await take(path, file, is))
      if (why !== undefined) problems.push({ path, why })
      else if (is.isDirectory()) waiting.push(path)
    }
  }
  return { files, problems }
}

/** Throws `NotApplicable` when the folder holds another model, or a model where the target is not one. */
const requireBelonging = (dir: string, target: Target, model: ModelFile | undefined): void => {
  if (target.kind === 'model') {
    if (model === undefined) {
      throw new NotApplicable(`${dir} holds no readable MLmodel, so nothing shows that it is ${target.name}`)
    }
    const same =
      model.modelId === undefined
        ? model.runId !== undefined && model.runId === target.model?.sourceRunId
        : model.modelId === target.model?.modelId
    if (!same) throw new NotApplicable(`${dir} holds ${nameOf(model)}, not ${target.name}`)
  }
  // A model of MLflow 2, stored in a folder of its run's artifacts.
  const inRun = target.kind === 'run' && target.artifactUri !== target.run?.artifactUri
  if (inRun && model?.runId !== undefined && model.runId === target.run?.runId) return
  if (target.kind === 'run' && model !== undefined) {
    throw new NotApplicable(
      `${dir} holds ${nameOf(model)}; the files of a run itself are wanted, laid out as in the run`,
    )
  }
}

const nameOf = ({ modelId, runId }: ModelFile): string =>
  modelId !== undefined
    ? `the model ${modelId}`
    : runId !== undefined
      ? `a model of run ${runId}`
      : 'a model without an id'

/** Models of other runs below a folder that is laid out as a run: their files are not this run's. */
const foreignModels = async (
  files: Map<string, { file: string; bytes: number }>,
  target: Target,
): Promise<LeftOut[]> => {
  const problems: LeftOut[] = []
  if (target.run === undefined || target.kind !== 'run') return problems
  for (const path of [...files.keys()].filter((path) => path.endsWith('/MLmodel'))) {
    const model = await modelFileOf(files, path)
    if (model?.runId === target.run.runId) continue
    const folder = path.slice(0, -'MLmodel'.length)
    for (const each of [...files.keys()]) if (each.startsWith(folder)) files.delete(each)
    const why =
      model === undefined ? 'its MLmodel cannot be read' : `it holds ${nameOf(model)}, not one of ${target.name}`
    problems.push({ path: folder.slice(0, -1), why })
  }
  return problems
}

/**
 * A local folder as a source: this user's own regular files, under names that a store takes. Whatever else lies there is
 * left out and told. Throws `not-found` or `denied`.
 */
export const openFolder = (dir: string): Promise<SourceTree> => readFolder(dir, async () => [])

/** The same as the source of a target's files. Throws `NotApplicable` as well, where the folder does not belong to the target. */
export const openTree = (dir: string, target: Target): Promise<SourceTree> =>
  readFolder(dir, async (files) => {
    requireBelonging(dir, target, await modelFileOf(files, 'MLmodel'))
    return foreignModels(files, target)
  })

const readFolder = async (
  dir: string,
  belonging: (files: Map<string, { file: string; bytes: number }>) => Promise<readonly LeftOut[]>,
): Promise<SourceTree> => {
  const what = `cannot use ${dir} as a source`
  const root = await realpath(dir).catch((error: unknown) => {
    throw new Trouble({
      kind: 'not-found',
      what,
      why: 'it is not there',
      todo: 'Name an existing folder',
      cause: error,
    })
  })
  const is = await stat(root)
  if (!is.isDirectory()) {
    throw new Trouble({ kind: 'usage', what, why: 'it is no folder', todo: 'Name the folder that holds the files' })
  }
  const user = thisUser()
  const stranger = foreignBecause(is, user)
  if (stranger !== undefined) {
    const todo = `Make it this user's own and writable by nobody else: chmod go-w ${dir}`
    throw new Trouble({ kind: 'denied', what, why: stranger, todo })
  }
  try {
    const { files, problems } = await walk(root, user)
    const foreign = await belonging(files)
    return { dir: root, problems: [...problems, ...foreign], files }
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error
    throw new Trouble({ kind: 'denied', what, why: error.message, todo: 'Check its permissions', cause: error })
  }
}
