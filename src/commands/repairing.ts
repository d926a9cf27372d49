/** What every command does that puts files back: look, plan, ask, carry out, look again. */
import { readFile } from 'node:fs/promises'
import type { Want } from '../check.ts'
import { ifTrouble, Trouble } from '../errors.ts'
import { parseModelFile } from '../mlflow/mlmodel.ts'
import { isCounted } from '../mlflow/model-size.ts'
import { resolveTargets } from '../mlflow/target.ts'
import type { Target, TargetSpec } from '../mlflow/types.ts'
import {
  bodyLimit as bodyLimitNeed,
  type LocalTree,
  listing,
  localTree,
  manifest as manifestNeed,
  store as storeNeed,
  tracking as trackingNeed,
} from '../needs/declarations.ts'
import { apply } from '../repair/apply.ts'
import { plan } from '../repair/plan.ts'
import { mayOverwrite, type Place, type Planned, type RepairOptions } from '../repair/types.ts'
import { placeOfStep, type Step, wantsIn } from '../report.ts'
import type { Moved } from '../reporters/progress.ts'
import type { Store } from '../stores/store.ts'
import { forgetWhole } from '../transfer/forget.ts'
import type { Progress } from '../transfer/progress.ts'
import { rememberedRate, rememberRate } from '../transfer/remembered-rate.ts'
import { bytes, count, duration, exactBytes } from '../words.ts'
import { type CommandContext, isYes } from './command.ts'
import { doubtOf } from './doubt.ts'
import { foreignFolder, localOf } from './local-folder.ts'
import { targetsOf } from './scan.ts'
import type { Look, Session } from './session.ts'

interface Consenting {
  /** `--yes`: the consent is given. */
  readonly yes: boolean
  /** Show the plan and do nothing. */
  readonly dryRun: boolean
  /** Where most of it goes, for the time that it takes. */
  readonly store?: Pick<Store, 'uri' | 'route'>
}

export interface Repairing extends Consenting {
  readonly specs: readonly TargetSpec[]
  readonly options: RepairOptions
  /** `--from`. */
  readonly from?: string
}

const wantsOf = ({ outcome }: Look): Want[] => wantsIn(outcome.checks)

/** Consent to overwrite names a file of the local folder: it is compared, also when no check can tell that it differs. */
const isToBeOverwritten = async (look: Look, target: Target, options: RepairOptions): Promise<boolean> => {
  const tree = options.overwrite.size > 0 ? await look.opened(localTree) : undefined
  return [...(tree?.files.keys() ?? [])].some((path) => mayOverwrite(options, target, path))
}

/** As it is now: repairing changes a model's status, and the old one must not be reported. */
export const refreshed = async (target: Target, session: Session, signal: AbortSignal): Promise<Target> => {
  if (!target.model) return target
  const tracked = await session.open(trackingNeed)
  for await (const now of resolveTargets({ kind: 'model', modelId: target.model.modelId }, tracked, signal)) return now
  return target
}

/** A process that was killed after its last part has left a note of a file that is whole: nothing is to be repaired, and the note ends. */
const forgetIn = async (look: Look, { journalDir }: RepairOptions, signal: AbortSignal): Promise<void> => {
  const listed = await look.opened(listing)
  const store = await look.opened(storeNeed)
  if (listed === undefined || store === undefined) return
  await forgetWhole(store, listed.files.values(), journalDir, signal).catch(ifTrouble)
}

/** Why a model folder is short of what its own MLmodel counts, as one is in which a file was cut; undefined where it is not, or cannot be told. */
const shortOf = async ({ files }: LocalTree): Promise<string | undefined> => {
  const entry = files.get('MLmodel')
  if (entry === undefined) return undefined
  const model = parseModelFile(await readFile(entry.file, 'utf8'))
  if (model.modelSize === undefined) return undefined
  let held = 0
  for (const [path, { bytes: size }] of files) if (isCounted(path, model)) held += size
  return held < model.modelSize
    ? `the files of its folder add up to ${exactBytes(held)}, and its MLmodel counts ${exactBytes(model.modelSize)}: something in it is cut or missing`
    : undefined
}

/** What the way through the tracking server takes, measured once, and only where a file is to go that way. */
export const bodyLimitOf = (look: Look): NonNullable<Place['bodyLimit']> => {
  let asked: ReturnType<NonNullable<Place['bodyLimit']>> | undefined
  const ask = async () => {
    const limit = await look.open(bodyLimitNeed).catch(ifTrouble)
    if (limit?.refused === undefined || limit.unmeasured !== undefined) return undefined
    return { accepted: limit.accepted, by: limit.refusedBy ?? 'something on the way to the tracking server' }
  }
  return () => {
    asked ??= ask()
    return asked
  }
}

/** Undefined where the store cannot be opened: the checks that need it are blocked, and the report says why. */
const placeOf = async (look: Look, target: Target, session: Session): Promise<Place | undefined> => {
  const local = await localOf(look)
  const known = await look.opened(manifestNeed)
  const short = 'tree' in local && target.kind === 'model' ? await shortOf(local.tree) : undefined
  try {
    return {
      target,
      store: await look.open(storeNeed),
      ...('tree' in local ? { source: local.tree } : { noSource: local.none }),
      ...(known === undefined ? {} : { manifest: known }),
      proveSources: true,
      ...(short === undefined ? {} : { sourceShort: short }),
      bodyLimit: bodyLimitOf(look),
      ...(target.model ? { tracking: await session.open(trackingNeed) } : {}),
    }
  } catch (error) {
    if (error instanceof Trouble) return undefined
    throw error
  }
}

const said: Readonly<Record<Step['effect'], string>> = {
  adds: 'adds',
  overwrites: 'overwrites',
  deletes: 'gives up the parts of',
  'changes-status': 'sets the status of',
  'changes-settings': 'changes the rules of',
}

const nouns: Readonly<Record<Step['effect'], string>> = {
  adds: 'file',
  overwrites: 'file',
  deletes: 'unfinished upload',
  'changes-status': 'model',
  'changes-settings': 'bucket',
}

const stepInWords = (step: Step): string => {
  const at = placeOfStep(step)
  const size =
    step.action === 'upload'
      ? `, ${bytes(step.bytes)} from ${step.source ?? 'nowhere'} by ${step.route}`
      : step.action === 'copy'
        ? `, ${bytes(step.bytes)} within the store from ${step.source}`
        : ''
  const why = step.because ? ` (${step.because})` : ''
  return `${step.state === 'planned' ? '' : `${step.state}: `}${at}${size}${why}`
}

/** Bytes that uploads of these send at most. */
const toSend = (steps: readonly Step[]): number =>
  steps.reduce((sum, { action, bytes: each }) => sum + (action === 'upload' ? each : 0), 0)

const amountIn = (steps: readonly Step[]): string => {
  const size = toSend(steps)
  return size === 0 ? '' : `, at most ${bytes(size)} to send`
}

/** How long that takes: known only where files went that way from here before. */
const timeFor = (steps: readonly Step[], rate: number | undefined): string => {
  const size = toSend(steps)
  if (size === 0) return ''
  return rate === undefined
    ? ' (how long that takes is not known: no file went there from here yet)'
    : ` (about ${duration((size / rate) * 1000)} at ${bytes(rate)}/s, as the last time)`
}

/** What would be done, effect by effect: a person agrees to adding more easily than to overwriting. */
const planInWords = (steps: readonly Step[], rate: number | undefined): string => {
  const todo = steps.filter(({ state }) => state === 'planned')
  const rest = steps.filter(({ state }) => state !== 'planned')
  const groups = [...Map.groupBy(todo, ({ effect }) => effect)].map(
    ([effect, same]) =>
      `  ${said[effect]} ${count(same.length, nouns[effect])}${amountIn(same)}${timeFor(same, rate)}\n${same.map((step) => `    ${stepInWords(step)}\n`).join('')}`,
  )
  const left =
    rest.length === 0 ? '' : `  nothing is done to\n${rest.map((step) => `    ${stepInWords(step)}\n`).join('')}`
  return `${groups.join('')}${left}`
}

type Consent = 'yes' | 'no' | 'not asked'

/** On a terminal it asks; elsewhere `--yes` is the consent. */
const consents = async (
  steps: readonly Step[],
  { yes, store }: Consenting,
  context: CommandContext,
): Promise<Consent> => {
  const todo = steps.filter(({ state }) => state === 'planned')
  if (todo.length === 0 || yes) return 'yes'
  const rate = store && (await rememberedRate(context.host, store))
  context.tell(`The plan:\n${planInWords(steps, rate)}`)
  if (!context.host.ask) {
    context.tell('Nothing was done: where there is no terminal to ask on, --yes is needed.\n')
    return 'not asked'
  }
  const answer = await context.host.ask(`Carry out ${count(todo.length, 'step')}${amountIn(todo)}? [y/N] `)
  return isYes(answer) ? 'yes' : 'no'
}

/** What the plan becomes before anything is done: nothing without consent. */
export const agree = async (
  steps: readonly Step[],
  asked: Consenting,
  context: CommandContext,
): Promise<{ readonly go: boolean; readonly steps: readonly Step[] }> => {
  const consent = asked.dryRun ? 'not asked' : await consents(steps, asked, context)
  if (consent !== 'no') return { go: consent === 'yes', steps }
  context.tell('Nothing was done.\n')
  return { go: false, steps: steps.map((step) => (step.state === 'planned' ? { ...step, state: 'declined' } : step)) }
}

/** How far all files of a plan have come together; those that fail count with what arrived of them. */
const amountsOf = (steps: readonly Step[]) => {
  const uploads = steps.filter(({ action, state }) => action === 'upload' && state === 'planned')
  const total = toSend(uploads)
  const moving = new Map<string, Progress>()
  const ended = { files: 0, sent: 0, reused: 0 }
  const keyOf = ({ target, path }: Step): string => JSON.stringify([target, path])
  return {
    at: (step: Step, progress: Progress) => void moving.set(keyOf(step), progress),
    step: (step: Step) => {
      if (step.action !== 'upload' || step.state === 'planned') return
      moving.delete(keyOf(step))
      ended.files += 1
      ended.sent += step.sent
      ended.reused += step.reused
    },
    moved: ({ path }: Step): Moved => {
      // A handful at a time; the others are summed up already, however many they are.
      const sum = (of: 'sent' | 'reused' | 'bytesPerSecond') =>
        [...moving.values()].reduce((total, one) => total + one[of], 0)
      const reused = ended.reused + sum('reused')
      return {
        path,
        files: { done: ended.files, total: uploads.length },
        done: reused + ended.sent + sum('sent'),
        total,
        reused,
        bytesPerSecond: sum('bytesPerSecond'),
      }
    },
  }
}

/** Bytes that uploads sent, and the milliseconds from the first beginning to the last end. */
const spentOn = (steps: readonly Step[]): { readonly sent: number; readonly ms: number } => {
  let sent = 0
  let first = Number.POSITIVE_INFINITY
  let last = 0
  for (const step of steps) {
    if (step.action !== 'upload' || step.beganAt === undefined) continue
    const began = Date.parse(step.beganAt)
    sent += step.sent
    first = Math.min(first, began)
    last = Math.max(last, began + (step.ms ?? 0))
  }
  return { sent, ms: last - first }
}

export const carryOut = async (
  planned: readonly Planned[],
  places: readonly Place[],
  options: RepairOptions,
  session: Session,
  context: CommandContext,
): Promise<readonly Step[]> => {
  const amounts = amountsOf(planned.map(({ step }) => step))
  const steps = await apply(planned, {
    ...options,
    places,
    doubt: async (target) => {
      const look = await session.look(await refreshed(target, session, context.signal), { which: 'all' })
      try {
        context.signal.throwIfAborted()
        return await doubtOf(look)
      } finally {
        await look.close()
      }
    },
    onStep: (step) => {
      amounts.step(step)
      context.progress(`${step.action} ${step.path}`, step.action === 'upload' ? amounts.moved(step) : undefined)
    },
    onProgress: (step, progress) => {
      amounts.at(step, progress)
      context.progress(step.path, amounts.moved(step))
    },
  })
  const [place, ...others] = places
  if (place !== undefined && others.length === 0) await rememberRate(context.host, place.store, spentOn(steps))
  return steps
}

/** A folder without a model names no owner: with several runs to choose from it would land in each of them. */
const ambiguous = (dir: string): Trouble =>
  new Trouble({
    kind: 'usage',
    what: `cannot use --from ${dir}`,
    why: 'more than one run or model takes its files, and nothing in it says whose they are',
    todo: 'Name the one run that they belong to',
  })

/**
 * Runs the checks that run once, looks at each target, plans what the checks want, asks, carries the plan out, and keeps the second look in the report.
 * The caller closes the session. What was done until an interruption is handed back all the same.
 */
export const repairTargets = async (
  asked: Repairing,
  session: Session,
  context: CommandContext,
): Promise<readonly Step[]> => {
  const { specs, options, from } = asked
  /** Looks that are not yet counted into the report, because a second look after the repair may take their place. */
  const damaged: (Look & { target: Target })[] = []
  let steps: readonly Step[] = []
  let foreign: string | undefined
  let belongs = from === undefined
  try {
    await session.once()
    for (const spec of specs) {
      for await (const at of targetsOf(spec, session, context.signal)) {
        const look = { ...(await session.look(at)), target: at }
        damaged.push(look)
        const local = await localOf(look)
        if ('none' in local) foreign = local.none
        else if (at.kind === 'model') belongs = true
        else if (belongs && from !== undefined) throw ambiguous(from)
        else belongs = true
        const asked = options.addLifecycleRule === true || wantsOf(look).length > 0
        if (asked || (await isToBeOverwritten(look, at, options))) continue
        await forgetIn(look, options, context.signal)
        damaged.pop()
        await session.keep(look)
        await look.close()
      }
    }
    context.signal.throwIfAborted()
    if (!belongs) throw foreignFolder('--from', from ?? '', foreign ?? 'nothing was found to look at')
    const places = (await Promise.all(damaged.map((look) => placeOf(look, look.target, session)))).filter(
      (place) => place !== undefined,
    )
    const planned = await plan(damaged.flatMap(wantsOf), places, options)
    steps = planned.map(({ step }) => step)
    const [first] = places
    const agreed = await agree(steps, { ...asked, ...(first && { store: first.store }) }, context)
    const { go } = agreed
    steps = go ? await carryOut(planned, places, options, session, context) : agreed.steps
    for (const look of go ? [...damaged] : []) {
      context.signal.throwIfAborted()
      const again = await session.look(await refreshed(look.target, session, context.signal))
      if (!context.signal.aborted) {
        damaged.shift()
        await session.keep(again)
        await look.close()
      }
      await again.close()
    }
  } catch (error) {
    // What was found and done until the interruption is told all the same.
    if (!context.signal.aborted) throw error
  } finally {
    for (const look of damaged) {
      await session.keep(look)
      await look.close()
    }
  }
  return steps
}
