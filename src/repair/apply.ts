import type { RouteKind } from '../check.ts'
import { ifTrouble, Trouble } from '../errors.ts'
import { each } from '../needs/each.ts'
import type { Step, StepState } from '../report.ts'
import { timesOf } from '../stores/age.ts'
import { transferFile } from '../transfer/engine.ts'
import { forgetWhole } from '../transfer/forget.ts'
import type { Progress } from '../transfer/progress.ts'
import { openSender, type Sender } from '../transfer/sender.ts'
import { bytes, exactBytes } from '../words.ts'
import { addRule } from './lifecycle-rule.ts'
import { isModelFile } from './plan.ts'
import { tooYoung } from './plan-abort.ts'
import { proveContent } from './prove-content.ts'
import type { Applying, Place, Planned } from './types.ts'
import { type Proved, writeManifest } from './write-manifest.ts'

type Ending = Partial<Pick<Step, 'sent' | 'reused' | 'bytes'>> & {
  readonly state: StepState
  readonly because?: string
}

/** What an interruption leaves in the store, so that nobody takes the work for lost. */
const interrupted = ({ bytes: size }: Step, { store }: Place, reached: Progress | undefined): Ending => {
  const { sent = 0, reused = 0 } = reached ?? {}
  const resumable = store.route === 'store-multipart' || store.route === 'folder-copy'
  const kept =
    sent + reused === 0 ? 'nothing of it had arrived yet' : `${bytes(sent + reused)} of ${bytes(size)} are kept`
  const because = resumable
    ? `interrupted; ${kept}${sent + reused === 0 ? '' : ', and the same command goes on from there'}`
    : 'interrupted; this route keeps nothing of an unfinished file, so the same command sends it again'
  return { state: 'failed', sent, reused: resumable ? reused : 0, because }
}

const upload = async (
  planned: Planned & { do: 'upload' },
  place: Place,
  applying: Applying,
  sender: Sender,
  proved: (path: string, file: Proved) => void,
): Promise<Ending> => {
  const { step, file, identity, replaces } = planned
  if (file === undefined || identity === undefined) return { state: 'failed', because: 'it has no source' }
  const { onProgress, signal, patience } = applying
  let reached: Progress | undefined
  const transferring = transferFile({
    source: file,
    expect: identity,
    store: place.store,
    path: step.path,
    journalDir: applying.journalDir,
    adopt: true,
    settleMs: applying.settleMs,
    sightings: applying.sightings,
    sender,
    verification: applying.verification,
    memoryBytes: applying.memoryBytes,
    concurrency: applying.concurrency,
    ifAbsent: replaces === undefined,
    ...(replaces === undefined ? {} : { replaces }),
    ...(patience === undefined ? {} : { patience }),
    ...(signal === undefined ? {} : { signal }),
    onProgress: (progress) => {
      reached = progress
      onProgress?.(step, progress)
    },
  })
  const ended = await transferring.catch((error: unknown) => {
    if (signal?.aborted === true) return undefined
    throw error
  })
  if (ended === undefined) return interrupted(step, place, reached)
  const { sent, reused, size, crc32, verified, how } = ended
  if (verified) proved(step.path, { file, size, crc32 })
  return { state: verified ? 'verified' : 'unverified', sent, reused, because: how }
}

/** Looks once more just before: what was an orphan when the plan was made may have come to life since. */
const abort = async (planned: Planned & { do: 'abort' }, place: Place, applying: Applying): Promise<Ending> => {
  const { store } = place
  const { signal } = applying
  const { path } = planned.step
  const listed = await Array.fromAsync(store.unfinished({ path, ...(signal === undefined ? {} : { signal }) }))
  const found = listed.find(({ id }) => id === planned.uploadId)
  if (found === undefined) return { state: 'verified', because: 'it is gone' }
  const parts = await store.partsOf(found, signal)
  const young = tooYoung(await store.now(signal), timesOf(found, parts), applying.orphanAgeMs)
  if (young !== undefined) return { state: 'declined', because: young }
  await store.abort(found, signal)
  for await (const { id } of store.unfinished({ path, ...(signal === undefined ? {} : { signal }) })) {
    if (id === planned.uploadId) return { state: 'unverified', because: 'the store still lists it' }
  }
  return { state: 'verified', because: 'the store lists it no more' }
}

/** Within the store: no byte of it passes this machine. */
const copy = async (planned: Planned & { do: 'copy' }, { store }: Place, { signal }: Applying): Promise<Ending> => {
  const { path, bytes: size } = planned.step
  const there = await store.stat(path, signal)
  if (there !== undefined)
    return { state: 'failed', because: 'an object of that name has appeared since the plan was made' }
  await store.restore?.(path, planned.from, signal)
  const proof = await store.proof(path, signal)
  if (proof === undefined) return { state: 'unverified', because: 'the store copied it, and does not show it' }
  return proof.size === size
    ? { state: 'verified', reused: size, because: `${planned.step.because ?? ''}; the store holds all of its bytes` }
    : { state: 'unverified', because: `the store holds ${exactBytes(proof.size)} of ${exactBytes(size)}` }
}

const isOfFiles = (action: Step['action']): boolean => action === 'upload' || action === 'copy'

const ready = async (
  planned: Planned & { do: 'ready' },
  place: Place,
  applying: Applying,
  done: readonly Step[],
): Promise<Ending> => {
  const { tracking, target } = place
  if (tracking === undefined) return { state: 'failed', because: 'no tracking store is known that holds this model' }
  const open = done.filter(
    ({ target: of, action, state }) => of === target.name && isOfFiles(action) && state !== 'verified',
  )
  if (open.length > 0) return { state: 'failed', because: `${open.length} of its files were not verified` }
  const doubt = await applying.doubt(target)
  if (doubt !== undefined) return { state: 'failed', because: doubt }
  const content = await proveContent(place, done, applying.signal)
  if (!content.proved) return { state: content.state, because: content.why }
  const before = await tracking.model(planned.modelId, applying.signal)
  if (before.status === 'READY') return { state: 'verified', because: 'it is READY already' }
  await tracking.setModelReady(planned.modelId, applying.signal)
  const { status } = await tracking.model(planned.modelId, applying.signal)
  return status === 'READY'
    ? { state: 'verified', because: `the tracking store says READY; every file was proved first (${content.how})` }
    : { state: 'unverified', because: `the tracking store still says ${status}` }
}

const manifest = async (
  place: Place,
  applying: Applying,
  done: readonly Step[],
  proved: ReadonlyMap<string, Proved>,
  sender: Sender,
): Promise<Ending> => {
  const open = done.filter(
    ({ target, action, state }) => target === place.target.name && isOfFiles(action) && state !== 'verified',
  )
  if (open.length > 0) return { state: 'declined', because: `${open.length} of the files were not verified` }
  return writeManifest(place, proved, applying, sender)
}

/** Files side by side. A single PUT through a server has the whole line, since a time limit may hang over it. */
const filesAtOnce: Readonly<Record<RouteKind, number>> = {
  'store-multipart': 8,
  'store-put': 8,
  'folder-copy': 2,
  'signed-parts': 2,
  'proxied-put': 1,
}

/** Steps that may go side by side, one group after the other: the data of a target, then its MLmodel files; all else alone. */
const groupsOf = (plan: readonly Planned[]): readonly (readonly number[])[] => {
  const groups: number[][] = []
  let last: string | undefined
  for (const [at, planned] of plan.entries()) {
    const { target, path } = planned.step
    const group =
      planned.do === 'upload' || planned.do === 'copy' ? JSON.stringify([target, isModelFile(path)]) : undefined
    if (group === undefined || group !== last) groups.push([])
    groups.at(-1)?.push(at)
    last = group
  }
  return groups
}

/**
 * Carries out a plan. A step that fails stops no other one, but a status is set only when all before it went well. An
 * interruption leaves the remaining steps `planned`.
 */
export const apply = async (plan: readonly Planned[], applying: Applying): Promise<readonly Step[]> => {
  const { places, signal, onStep } = applying
  const sender = openSender({ ...applying, concurrency: applying.requests ?? applying.concurrency })
  const steps = plan.map(({ step }) => step)
  const isStopped = (): boolean => signal?.aborted === true
  const placeOf = (planned: Planned) => places.find(({ target }) => target.name === planned.step.target)
  const proved = new Map<string, Map<string, Proved>>()
  const provedOf = (target: string): Map<string, Proved> => {
    const known = proved.get(target) ?? new Map<string, Proved>()
    proved.set(target, known)
    return known
  }
  for (const planned of plan) {
    // Compared while planning, and found to be there.
    if (planned.do !== 'upload' || planned.step.state !== 'verified' || planned.file === undefined) continue
    const { path, target, bytes: size } = planned.step
    provedOf(target).set(path, { file: planned.file, size, crc32: undefined })
  }
  const act = (planned: Planned, place: Place): Promise<Ending> => {
    const known = provedOf(place.target.name)
    if (planned.do === 'upload') return upload(planned, place, applying, sender, (path, file) => known.set(path, file))
    if (planned.do === 'copy') return copy(planned, place, applying)
    if (planned.do === 'manifest') return manifest(place, applying, steps, known, sender)
    if (planned.do === 'rule') return addRule(planned, place, signal)
    return planned.do === 'abort' ? abort(planned, place, applying) : ready(planned, place, applying, steps)
  }
  for (const place of places) {
    const whole = [...provedOf(place.target.name)].map(([path, { size }]) => ({ path, size }))
    // Only tidying up: it must not keep the repair from its work, and the next run tries again.
    await forgetWhole(place.store, whole, applying.journalDir, signal).catch(ifTrouble)
  }
  const carryOut = async (planned: Planned): Promise<Step> => {
    const place = placeOf(planned)
    if (planned.step.state !== 'planned' || isStopped()) return planned.step
    if (place === undefined) return { ...planned.step, state: 'failed', because: 'its target is not open' }
    onStep?.(planned.step)
    const began = new Date()
    const ended = (ending: Ending): Step => ({
      ...planned.step,
      ...ending,
      beganAt: began.toISOString(),
      ms: Date.now() - began.getTime(),
    })
    try {
      return ended(await act(planned, place))
    } catch (error) {
      if (isStopped()) return ended({ state: 'failed', because: 'interrupted; the same command looks at it again' })
      if (!(error instanceof Trouble)) throw error
      return ended({ state: 'failed', because: `${error.why}. ${error.todo}` })
    }
  }
  for (const group of groupsOf(plan)) {
    const [first] = group
    const route = first === undefined ? undefined : plan[first]?.step.route
    const run = async (at: number): Promise<void> => {
      const planned = plan[at]
      if (planned === undefined) return
      const step = await carryOut(planned)
      steps[at] = step
      if (step !== planned.step) onStep?.(step)
    }
    await each(group, run, route === undefined ? 1 : filesAtOnce[route])
  }
  sender.rest()
  return steps
}
