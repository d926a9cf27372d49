/** Needs that hold what the tracking store says of a run or version against what is stored. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ifTrouble, NotApplicable, Trouble, unlessMissing } from '../errors.ts'
import { schemeOf } from '../mlflow/location.ts'
import type { ModelVersion, Run } from '../mlflow/types.ts'
import {
  artifactRoot,
  listing,
  outputs,
  type Registrations,
  registrations,
  registry,
  store,
  target,
  tracking,
} from './declarations.ts'
import { each } from './each.ts'
import type { Needed } from './needed.ts'
import { type Opening, opener } from './opener.ts'

/** The run that the whole target is. @throws NotApplicable for anything else, a folder inside a run included */
export const wholeRun = async (open: Opening<Needed>['open']): Promise<Run> => {
  const { run, name } = await open(target)
  if (run !== undefined && name === `runs:/${run.runId}`) return run
  throw new NotApplicable(`${name} is no whole run`)
}

/** Beyond so many it takes fewer requests to have all of a run's models listed. */
const fewModels = 2

export const outputsOpener = opener(outputs, async ({ open, signal }: Opening<Needed>) => {
  const run = await wholeRun(open)
  const tracked = await open(tracking)
  const { outputs: named } = await tracked.record(run, signal)
  const missing: string[] = []
  const there = new Set<string>()
  if (named.length > fewModels) {
    for await (const { modelId } of tracked.models({ experimentId: run.experimentId, runId: run.runId }, signal)) {
      there.add(modelId)
    }
  }
  await each(
    named.filter((id) => !there.has(id)),
    async (id) => {
      const model = await tracked.model(id, signal).catch(unlessMissing)
      if (model === undefined || model.deleted) missing.push(id)
    },
  )
  return { value: { named, missing: missing.sort() }, facts: { modelOutputs: named.length } }
})

export const artifactRootOpener = opener(artifactRoot, async ({ open, signal }: Opening<Needed>) => {
  const at = await open(target)
  if (at.kind !== 'run' && at.kind !== 'model') throw new NotApplicable(`${at.name} is no run or logged model`)
  const opened = await open(store)
  const common = { uri: opened.uri, lifecycle: at.run?.lifecycle ?? 'active', emptyModels: [] }
  const tracked = await open(tracking)
  try {
    const { files } = await open(listing)
    if (files.size === 0 && opened.kind === 'folder' && !existsSync(fileURLToPath(opened.uri))) {
      // Its own file store makes the folder with the run; others make it with the first artifact.
      if (tracked.kind === 'folder' && at.run?.lifecycle === 'active') {
        return { value: { ...common, gone: 'there is no such folder on this machine' } }
      }
      const own = schemeOf(at.artifactUri) === '' || schemeOf(at.artifactUri) === 'file'
      if (tracked.kind === 'server' && own) {
        const unseen = 'it is a folder that this machine does not have; the training may have run on another one'
        return { value: { ...common, unseen } }
      }
    }
    const whole = at.run !== undefined && at.name === `runs:/${at.run.runId}` ? at.run : undefined
    const folders = whole === undefined ? [] : (await tracked.record(whole, signal)).modelFolders
    const emptyModels: string[] = []
    for (const folder of folders) if (!(await holds(open, folder, signal))) emptyModels.push(folder)
    return { value: { ...common, emptyModels } }
  } catch (error) {
    if (!(error instanceof Trouble) || error.kind !== 'not-found') throw error
    return { value: { ...common, gone: error.why } }
  }
})

/** Whether anything is stored below a folder of the target. A long list comes in sections, which tell only what they hold. */
const holds = async (open: Opening<Needed>['open'], folder: string, signal: AbortSignal): Promise<boolean> => {
  const { files, partial } = await open(listing)
  if (folder === '' && files.size > 0) return true
  for (const path of files.keys()) if (path.startsWith(`${folder}/`)) return true
  if (!partial) return false
  for await (const _ of (await open(store)).list({ prefix: folder, signal })) return true
  return false
}

export const registrationsOpener = opener(registrations, async ({ open, signal }: Opening<Needed>) => {
  const at = await open(target)
  const { version, run, model, artifactUri } = at
  if (version === undefined && at.kind !== 'run' && at.kind !== 'model') {
    throw new NotApplicable(`${at.name} is no run, logged model or registered version`)
  }
  const versions: Registrations['versions'][number][] = []
  const add = async (told: ModelVersion, path: string | undefined, gone?: string) => {
    // Where the artifacts cannot be looked at, other checks say why.
    const stored = path === undefined ? undefined : await holds(open, path, signal).catch(ifTrouble)
    versions.push({
      version: told,
      ...(gone === undefined ? {} : { gone }),
      ...(stored === undefined ? {} : { stored }),
    })
  }
  if (version !== undefined) {
    const gone = at.sourceGone ?? (await runGone(open, run, version.runId, signal))
    await add(version, '', gone)
  } else if (model !== undefined || at.name === `runs:/${run?.runId}`) {
    const source = model === undefined ? { runId: run?.runId ?? '' } : { modelId: model.modelId }
    const nothing = (await open(listing).catch(ifTrouble))?.files.size === 0
    const found = await (await open(registry)).of(source, nothing, signal).catch(unlessNoRegistry)
    for (const one of found) {
      await add(one, model === undefined ? pathIn(one.source, run?.runId ?? '', artifactUri) : '')
    }
  }
  return { value: { versions }, facts: { versions: versions.length } }
})

/** A tracking server may keep no registry. */
const unlessNoRegistry = (error: unknown): never => {
  if (!(error instanceof Trouble) || !['unsupported', 'not-found'].includes(error.kind)) throw error
  throw new NotApplicable(`the tracking store keeps no registered versions: ${error.why}`)
}

/** Where a version's source lies below the root of its run; undefined where it lies elsewhere, or nobody can tell. */
const pathIn = (source: string, runId: string, root: string): string | undefined => {
  for (const start of [`runs:/${runId}`, root.replace(/\/+$/, '')]) {
    if (source === start) return ''
    if (source.startsWith(`${start}/`)) return source.slice(start.length + 1).replace(/\/+$/, '')
  }
  return undefined
}

/** Of a version whose files lie outside of what MLflow tracks, only the run that it names can be asked for. */
const runGone = async (
  open: Opening<Needed>['open'],
  known: Run | undefined,
  runId: string | undefined,
  signal: AbortSignal,
): Promise<string | undefined> => {
  if (known === undefined && runId === undefined) return undefined
  const run = known ?? (await (await open(tracking)).run(runId ?? '', signal).catch(unlessMissing))
  if (run === undefined) return `run ${runId} is unknown, as one is after mlflow gc`
  return run.lifecycle === 'deleted'
    ? `run ${run.runId} is deleted, and mlflow gc would remove its artifacts`
    : undefined
}
