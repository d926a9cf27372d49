/** Whose files lie where below an experiment's artifact location. */
import type { Trouble } from '../errors.ts'
import { schemeOf } from '../mlflow/location.ts'
import { modelTarget, runTarget } from '../mlflow/target.ts'
import type { Experiment, LoggedModel, Run, Target, Tracking } from '../mlflow/types.ts'
import { unsafeBecause } from '../stores/path.ts'

/** A run or a logged model; its target is made when it is looked at. */
export type Owner = { readonly run: Run } | { readonly model: LoggedModel }

export interface Owners {
  /** By the folder of its artifacts below the experiment's location. */
  readonly placed: ReadonlyMap<string, Owner>
  /** Their artifacts lie elsewhere, or inside another one's. */
  readonly elsewhere: readonly Owner[]
  /** Folders of deleted runs and models: not looked at, and not nobody's. */
  readonly deleted: ReadonlySet<string>
}

export const targetOf = (owner: Owner): Target => ('run' in owner ? runTarget(owner.run) : modelTarget(owner.model))

/**
 * The folder of an address below a location, where MLflow put it there itself; undefined for any other. Addresses with a
 * query or with escapes are taken for others: nothing is lost by looking at such a run on its own.
 */
export const folderBelow = (location: string, uri: string): string | undefined => {
  if (/[?#]/.test(location) && schemeOf(location) !== '') return undefined
  const root = `${location.replace(/\/+$/, '')}/`
  if (!uri.startsWith(root)) return undefined
  const folder = uri.slice(root.length).replace(/\/+$/, '')
  return unsafeBecause(folder) !== undefined || /[%?#]/.test(folder) ? undefined : folder
}

/** The folders that a path lies in, the outermost first. */
function* foldersOf(path: string): Generator<string> {
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) yield path.slice(0, at)
}

/** The key under which a path, or one of the folders that it lies in, is found, the outermost first. */
export const keyFor = (path: string, keys: { has(key: string): boolean }): string | undefined => {
  for (const folder of foldersOf(path)) if (keys.has(folder)) return folder
  return undefined
}

/**
 * Every run and logged model of an experiment. `withDeleted` asks for the deleted ones as well. What cannot be read is told
 * to `damaged` and left out.
 */
export const ownersOf = async (
  experiment: Experiment,
  tracking: Tracking,
  options: { readonly withDeleted: boolean; readonly signal: AbortSignal; damaged(trouble: Trouble): void },
): Promise<Owners> => {
  const { experimentId, artifactLocation } = experiment
  const placed = new Map<string, Owner>()
  const deleted = new Set<string>()
  const elsewhere: Owner[] = []
  const add = (owner: Owner, uri: string, gone: boolean) => {
    const folder = folderBelow(artifactLocation, uri)
    if (gone) {
      if (folder !== undefined) deleted.add(folder)
    } else if (folder === undefined || placed.has(folder)) elsewhere.push(owner)
    else placed.set(folder, owner)
  }
  const leniency = { deleted: options.withDeleted, damaged: options.damaged }
  for await (const run of tracking.runs(experimentId, options.signal, leniency))
    add({ run }, run.artifactUri, run.lifecycle === 'deleted')
  for await (const model of tracking.models({ experimentId }, options.signal, leniency))
    add({ model }, model.artifactUri, model.deleted === true)
  for (const [folder, owner] of placed) {
    if (keyFor(folder, placed) === undefined) continue
    placed.delete(folder)
    elsewhere.push(owner)
  }
  return { placed, elsewhere, deleted }
}
