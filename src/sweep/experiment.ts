/** One experiment at the price of one listing: cut into runs and models, each looked at with what was listed of it. */
import type { Check } from '../check.ts'
import { Trouble, type TroubleKind } from '../errors.ts'
import { experimentTarget, orphanedVersions } from '../mlflow/target.ts'
import type { Experiment } from '../mlflow/types.ts'
import {
  registrations,
  type Strays,
  store as storeNeed,
  strays as straysNeed,
  unfinishedUploads,
} from '../needs/declarations.ts'
import { ofTheStore, presetOf } from '../needs/preset.ts'
import type { Preset } from '../run.ts'
import { storeBelow } from '../stores/below.ts'
import type { Store } from '../stores/store.ts'
import { count } from '../words.ts'
import { type Group, groupsOf } from './groups.ts'
import { folderBelow, keyFor, type Owner, type Owners, ownersOf, targetOf } from './owners.ts'
import { type SharedStore, sharedStore } from './shared-store.ts'
import { tellLeftOut } from './since.ts'
import { strayTally } from './strays.ts'
import type { Sweep } from './sweep.ts'

/** Kinds that say nothing of this one place: the next request would fare the same, after all its retries. */
const everywhere: readonly TroubleKind[] = ['unreachable', 'unauthenticated', 'unavailable']

const nothing = { files: new Map(), bytes: 0 }
const unseen = 'its artifacts could not be looked at as a whole'

/** Each active experiment, one after the other; what keeps one from being looked at is told, and does not stop the rest. */
export const sweepAll = async (sweep: Sweep): Promise<void> => {
  const { session, tracking, signal } = sweep
  const untold = (at: string, { what, why }: Trouble) =>
    session.gap({ at, cannot: 'see', because: `${what}: ${why}`, unexpected: true })
  for await (const experiment of tracking.experiments(signal, { damaged: (trouble) => untold('--all', trouble) })) {
    if (signal.aborted) return
    try {
      await sweepExperiment(experiment, sweep)
    } catch (error) {
      if (!(error instanceof Trouble)) throw error
      untold(experimentTarget(experiment).name, error)
    }
  }
  try {
    await sweepVersions(sweep)
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    untold('registered versions', error)
  }
}

/** Versions that belong to no run or model that was looked at, since theirs is gone. */
const sweepVersions = async ({ session, tracking, signal, state, keep }: Sweep): Promise<void> => {
  const only = (check: Check) => check.needs.some(({ name }) => name === registrations.name)
  for await (const target of orphanedVersions(tracking, signal)) {
    if (signal.aborted) return
    if (state.has(target.name)) continue
    await keep(await session.look(target, { only }), { breadth: 'broad' }, target.name)
  }
}

/** @throws Trouble what keeps the tracking store from telling the experiment's runs */
export const sweepExperiment = async (experiment: Experiment, sweep: Sweep): Promise<void> => {
  const { session, tracking, signal, meter, state, since } = sweep
  const target = experimentTarget(experiment)
  if (state.has(target.name)) return
  let leftOut = 0
  const owners = await ownersOf(experiment, tracking, {
    withDeleted: sweep.stray,
    signal,
    damaged: ({ what, why }) =>
      session.gap({ at: target.name, cannot: 'see', because: `${what}: ${why}`, unexpected: true }),
  })
  meter.begin(`experiment ${experiment.name || experiment.experimentId}`, owners.placed.size + owners.elsewhere.length)

  const whole = await session.look(target, { only: () => false })
  const visit: Visit = async (owner, place) => {
    const at = targetOf(owner)
    if (state.has(at.name)) return
    const changed = since?.changed(owner, place?.listed?.files) ?? true
    if (!changed && !(place && (await holdsAny(place.store, signal)))) {
      leftOut += 1
      return
    }
    const look = await session.look(
      at,
      place && { preset: presetOf(place.store, place.listed, { lent: whole.lend(ofTheStore) }) },
    )
    await sweep.keep(look, { breadth: 'broad' }, at.name)
    meter.looked(place?.listed?.files.size ?? 0, place?.listed?.bytes ?? 0)
  }

  try {
    await sweepPlaced(
      experiment,
      owners,
      sweep,
      sharedStore(await whole.open(storeNeed)),
      visit,
      whole.lend(ofTheStore),
    )
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    const places = count(owners.placed.size, 'run or model', 'runs and models')
    const because = `${unseen}, ${places} among them: ${error.what}: ${error.why}`
    session.gap({ at: target.name, cannot: 'see', because, unexpected: true })
  } finally {
    await whole.close()
  }
  for (const owner of owners.elsewhere) {
    if (signal.aborted) return
    await visit(owner)
  }
  if (signal.aborted) return
  if (since) tellLeftOut(session, since, target.name, 'neither the run or model nor its objects', leftOut)
  await state.wholeDone(target.name, () => session.results)
}

type Visit = (owner: Owner, place?: { readonly store: Store; readonly listed?: Omit<Group, 'folder'> }) => Promise<void>

/** Those whose artifacts lie below the experiment's location, and then what belongs to none of them. */
const sweepPlaced = async (
  experiment: Experiment,
  owners: Owners,
  sweep: Sweep,
  shared: SharedStore,
  visit: Visit,
  lent: Preset,
): Promise<void> => {
  const { session, tracking, signal } = sweep
  const { placed } = owners
  const view = (folder: string): Store => storeBelow(shared.store, folder, shared)
  const inner = await foldersOfOthers(experiment, sweep)
  const tally = strayTally(owners, inner, tracking)
  const seen = new Set<string>()
  const groups = groupsOf(shared.store.list({ signal }), placed, sweep.stray ? tally.add : () => {})
  let failed: Trouble | undefined
  while (!signal.aborted) {
    const next = await groups.next().catch((error: unknown) => {
      if (!(error instanceof Trouble) || everywhere.includes(error.kind)) throw error
      failed = error
      return undefined
    })
    if (next === undefined || next.done) break
    const { folder, ...listed } = next.value
    const owner = placed.get(folder)
    seen.add(folder)
    if (owner) await visit(owner, { store: view(folder), listed })
  }
  for (const [folder, owner] of placed) {
    if (signal.aborted) return
    if (seen.has(folder)) continue
    // Where the listing ended early, each is listed by itself, and tells what keeps it from being looked at.
    await visit(owner, failed ? { store: view(folder) } : { store: view(folder), listed: nothing })
  }
  if (failed) {
    const because = `${unseen}, so each run and model was listed by itself: ${failed.what}: ${failed.why}`
    // What was cut from a listing in pieces is not to be relied on.
    const unexpected = failed.kind === 'unexpected-answer'
    session.gap({ at: experimentTarget(experiment).name, cannot: 'see', because, unexpected })
  }
  const stray = sweep.stray && !failed ? await tally.strays(signal) : undefined
  await lookAtRest(experiment, sweep, restOf(shared, placed, inner), { lent, stray })
}

/** Folders below this experiment's location that are the locations of other experiments. */
const foldersOfOthers = async (
  { experimentId, artifactLocation }: Experiment,
  { others }: Sweep,
): Promise<ReadonlySet<string>> => {
  const all = await others()
  const folders = all.map((other) =>
    other.experimentId === experimentId ? undefined : folderBelow(artifactLocation, other.artifactLocation),
  )
  return new Set(folders.filter((folder) => folder !== undefined))
}

/** The store as a whole, with the unfinished uploads of nobody that is looked at. */
const restOf = (shared: SharedStore, placed: Owners['placed'], inner: ReadonlySet<string>): Store =>
  storeBelow(shared.store, '', {
    async *unfinishedBelow(folder, signal) {
      for await (const upload of shared.unfinishedBelow(folder, signal))
        if (keyFor(upload.path, placed) === undefined && keyFor(upload.path, inner) === undefined) yield upload
    },
  })

/** Whether an upload was begun there and not ended. */
const holdsAny = async (rest: Store, signal: AbortSignal): Promise<boolean> => {
  try {
    for await (const _ of rest.unfinished({ signal })) return true
  } catch (error) {
    // Each run and model has told of it.
    if (!(error instanceof Trouble)) throw error
  }
  return false
}

/** What lies below the experiment's location and belongs to no run or model is told of the experiment itself. */
const lookAtRest = async (
  experiment: Experiment,
  { session, signal, keep }: Sweep,
  rest: Store,
  more: { readonly lent: Preset; readonly stray: Strays | undefined },
): Promise<void> => {
  const { stray } = more
  const uploads = await holdsAny(rest, signal)
  const asks = (check: Check, need: { readonly name: string }) => check.needs.some(({ name }) => name === need.name)
  const only = (check: Check) =>
    (uploads && asks(check, unfinishedUploads)) || (stray !== undefined && asks(check, straysNeed))
  if (signal.aborted || !(uploads || stray)) return
  const look = await session.look(experimentTarget(experiment), { only, preset: presetOf(rest, nothing, more) })
  await keep(look, { breadth: 'broad' }, `the rest of ${experiment.experimentId}`)
}
