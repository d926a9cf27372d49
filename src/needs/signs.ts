/** When a run last showed life: MLflow has no heartbeat, so everything that carries a time is looked at. */

import { Trouble } from '../errors.ts'
import type { LoggedModel, Run } from '../mlflow/types.ts'
import { lastSign, timesOf } from '../stores/age.ts'
import { openStore } from '../stores/index.ts'
import type { Store } from '../stores/store.ts'
import { count } from '../words.ts'
import {
  listing,
  orphanAge,
  type RunSigns,
  runSigns,
  settings,
  store,
  tracking,
  unfinishedUploads,
} from './declarations.ts'
import type { Needed } from './needed.ts'
import { type Opened, type Opening, opener } from './opener.ts'
import { wholeRun } from './states.ts'

/** Objects of one model that are looked at; with more, the model counts as undated. */
const mostObjects = 10_000
/** PENDING models of one run whose files are looked at. */
const mostModels = 10

class Signs {
  newest: number | undefined
  readonly undated = new Map<string, number>()

  see(time: number | undefined, noun: string): void {
    if (time === undefined) this.undated.set(noun, (this.undated.get(noun) ?? 0) + 1)
    else this.newest = Math.max(this.newest ?? time, time)
  }
}

/** A long list comes in sections, and what is unfinished with the first of them: the run is judged once, by all of it. */
const judged = new WeakMap<Run, Opened<RunSigns>>()

/** Reads the times of a list that comes in sections as a whole. */
const seeAll = async (from: Store, signs: Signs, signal: AbortSignal): Promise<void> => {
  signs.undated.delete('stored file')
  for await (const { modified } of from.list({ signal })) signs.see(modified, 'stored file')
}

export const runSignsOpener = opener(runSigns, async (opening: Opening<Needed>) => {
  const run = await wholeRun(opening.open)
  if (run.status !== 'RUNNING' || run.lifecycle === 'deleted')
    return { value: { runId: run.runId, status: run.status } }
  const { partial } = await opening.open(listing)
  const known = partial ? judged.get(run) : undefined
  const value = known ?? (await signsOf(run, opening))
  if (partial) judged.set(run, value)
  return value
})

const signsOf = async (run: Run, { context, open, signal }: Opening<Needed>): Promise<Opened<RunSigns>> => {
  const { runId, status } = run
  const signs = new Signs()
  const value = () => {
    const undated = [...signs.undated].map(([noun, n]) => count(n, noun)).join(', ')
    return {
      value: {
        runId,
        status,
        ...(signs.newest === undefined ? {} : { lastSign: signs.newest }),
        ...(undated === '' ? {} : { undated }),
      },
    }
  }
  const oldest = Date.now() - (await open(orphanAge))
  /** One young sign is enough, and the costlier ones need not be looked for. */
  const lives = () => signs.newest !== undefined && signs.newest > oldest

  signs.see(run.startedAt, 'start')
  const tracked = await open(tracking)
  const { lastMetricAt } = await tracked.record(run, signal)
  if (lastMetricAt !== undefined) signs.see(lastMetricAt, 'metric')
  if (lives()) return value()
  const { files, partial } = await open(listing)
  for (const { modified } of files.values()) signs.see(modified, 'stored file')
  if (partial && !lives()) await seeAll(await open(store), signs, signal)
  const { uploads, gaps } = await open(unfinishedUploads)
  if (gaps.some(({ unexpected }) => unexpected)) signs.see(undefined, 'refused list of unfinished uploads')
  for (const upload of uploads) signs.see(upload.lastSign, 'unfinished upload')
  if (lives()) return value()
  for await (const child of tracked.children(run, signal)) {
    signs.see(child.endedAt ?? child.startedAt, 'child run')
    // Whether a child still lives is for its own look to say.
    if (child.status === 'RUNNING') signs.see(undefined, 'child run that is RUNNING')
    if (lives()) return value()
  }
  const pending: LoggedModel[] = []
  for await (const model of tracked.models({ experimentId: run.experimentId, runId }, signal)) {
    signs.see(model.updatedAt ?? model.createdAt, 'logged model')
    if (model.status === 'PENDING') pending.push(model)
  }
  if (lives()) return value()
  for (const model of pending.slice(0, mostModels)) await seeFiles(model)
  for (const _ of pending.slice(mostModels)) signs.see(undefined, 'PENDING model')
  return value()

  async function seeFiles(model: LoggedModel): Promise<void> {
    const at = { name: `models:/${model.modelId}`, kind: 'model', artifactUri: model.artifactUri, model } as const
    try {
      const { env, cwd } = context.host
      const opened = await openStore(at, await open(settings), tracked, { env, cwd, signal })
      try {
        await seeStore(opened, signs, signal)
      } finally {
        await opened.close()
      }
    } catch (error) {
      if (!(error instanceof Trouble)) throw error
      signs.see(undefined, 'PENDING model')
    }
  }
}

const seeStore = async (from: Store, signs: Signs, signal: AbortSignal): Promise<void> => {
  let objects = 0
  for await (const { modified } of from.list({ signal })) {
    objects += 1
    signs.see(modified, 'stored file')
    if (objects < mostObjects) continue
    signs.see(undefined, 'PENDING model')
    break
  }
  try {
    for await (const upload of from.unfinished({ signal })) {
      signs.see(lastSign(timesOf(upload, await from.partsOf(upload, signal))), 'unfinished upload')
    }
  } catch (error) {
    // Through a tracking server nothing unfinished can be seen; the time of the model's last change has to do.
    if (!(error instanceof Trouble) || error.kind !== 'unsupported') throw error
  }
}
