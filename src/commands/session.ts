/** One run of checks for a command: the needs it opens, the targets it looks at, and what it covered. */

import { docsOf, unitsOf } from '../catalogue.ts'
import type { Check, Facts, Gap, GapTopic, Limit, Need, Occasion, Touches } from '../check.ts'
import { rowsOf } from '../file-map.ts'
import { type Breadth, Fold, type Told } from '../fold.ts'
import type { Target } from '../mlflow/types.ts'
import {
  contents as contentsNeed,
  type Listing,
  listing as listingNeed,
  manifest as manifestNeed,
  structures as structuresNeed,
} from '../needs/declarations.ts'
import type { Needed } from '../needs/needed.ts'
import { openers } from '../needs/openers.ts'
import type { CheckReport, ReportedGap } from '../report.ts'
import {
  exceeds,
  isPerTarget,
  type Outcome,
  type Preset,
  type RunOptions,
  runChecks,
  Scope,
  touchesOf,
} from '../run.ts'
import { longestTimerMs } from '../timers.ts'
import { type Manifest, manifestPath } from '../transfer/manifest.ts'
import type { CommandContext, CommonOptions, Findings } from './command.ts'
import { usualTimeout } from './common-options.ts'
import { select, severityOverrides } from './selection.ts'
import { parseTime } from './sizes.ts'

/** What one look at a target found, with what it opened still open. */
export interface Look {
  readonly target: Target | undefined
  readonly outcome: Outcome
  /** Opens needs of this target beyond those that the checks opened. */
  open<V>(need: Need<string, V, Facts>): Promise<V>
  /** The value of a need that was opened already. */
  opened<V>(need: Need<string, V, Facts>): Promise<V | undefined>
  /** Of these needs, what this look opens serves other looks as well; to be preset in them. This one must be closed last. */
  lend(needs: readonly Need[]): Preset
  /** Lets go of everything; failures to clean up become gaps. */
  close(): Promise<void>
}

export interface Looking {
  /** `all` leaves out nothing, whatever --only and --skip say. */
  readonly which?: 'chosen' | 'all'
  /** Of those, only these. */
  readonly only?: (check: Check) => boolean
  /** Needs of the target that are open already. */
  readonly preset?: Preset
}

export interface Keeping {
  readonly breadth?: Breadth
  /** One of several sections of this target; the first one counts the target. */
  readonly section?: 'first' | 'later'
}

/** What the looks so far came to, as plain data. */
export interface Results extends Told {
  readonly targets: number
  readonly objects: number
  /** Bytes. */
  readonly bytes: number
}

export interface Session {
  /** Every check that there is, those that `--load` added included. */
  readonly known: readonly Check[]
  /** Checks that run once. */
  once(): Promise<void>
  /** Checks that run for one target; without a target, the `target` need is opened like any other. The caller closes the look. */
  look(target: Target | undefined, how?: Looking): Promise<Look>
  /** Counts what a look found into the report. A repair looks twice and keeps the second. */
  keep(look: Look, as?: Keeping): Promise<void>
  /** A gap that no check tells of. */
  gap(gap: ReportedGap): void
  /** Ids of checks whose limits decide and that gave no answer: blocked, crashed, left out, or not allowed to write. */
  unanswered(): string[]
  /** Opens a need of the whole run. */
  open<V>(need: Need<string, V, Facts>): Promise<V>
  readonly results: Results & { readonly limits: readonly Limit[] }
  close(): Promise<void>
}

/** A topic that `--require` names and that no check of this run looked at is a gap like any other. */
const notLookedAt = (
  required: readonly GapTopic[],
  checks: readonly CheckReport[],
  known: readonly Check[],
): ReportedGap[] =>
  required.flatMap((about) => {
    const answering = known.filter((check) => check.answers?.includes(about)).map(({ id }) => id as string)
    const looked = checks.some(({ id, state }) => answering.includes(id) && (state === 'ok' || state === 'found'))
    const because =
      answering.length === 0 ? 'no check of this version looks at it' : `${answering.join(', ')} did not run`
    return looked ? [] : [{ at: `--require ${about}`, cannot: 'see', because, unexpected: false, about }]
  })

/** What was opened without all that it should tell: whichever checks ran, and whatever they found, that is not known. */
const unseenIn = (target: string, listed: Listing | undefined, known: Manifest | undefined): Gap[] => {
  const unread = known?.unread && { path: manifestPath, because: `it could not be read: ${known.malformed}` }
  return [...(listed?.passedOver ?? []), ...(unread ? [unread] : [])].map(({ path, because }) => ({
    kind: 'gap',
    at: path === '' ? target : `${target}/${path}`,
    cannot: 'see',
    because,
    unexpected: true,
    about: 'structure',
  }))
}

/** What every command lets openers know, whatever else it adds. */
export const neededOf = (args: CommonOptions, context: CommandContext): Omit<Needed, 'orphanAgeMs'> => ({
  host: context.host,
  trustedHosts: args.trustHost,
  ...(args.trackingUri === undefined ? {} : { trackingUri: args.trackingUri }),
  ...(args.artifactsDestination === undefined ? {} : { artifactsDestination: args.artifactsDestination }),
})

/** What all looks of a session came to, as the report has it. */
export const seen = (
  { results, known }: Session,
  required: readonly GapTopic[],
): Pick<Findings, 'checks' | 'covered' | 'files'> => ({
  checks: results.checks,
  ...(results.files && { files: results.files }),
  covered: {
    targets: results.targets,
    objects: results.objects,
    bytes: results.bytes,
    gaps: [...results.gaps, ...notLookedAt(required, results.checks, known)],
    active: results.active,
  },
})

export const openSession = (
  occasion: Occasion,
  asked: Needed,
  args: CommonOptions,
  context: CommandContext,
  before?: Results,
): Session => {
  const needed: Needed = { ...asked, occasion }
  const known = context.checks
  const eligible = known.filter((check) => check.on.includes(occasion))
  const chosen = select(eligible, args.only, args.skip)
  const severity = severityOverrides(eligible, args.severity)
  const byName = new Map(openers.map((opener) => [opener.need.name, opener]))
  const timeoutMs = Math.min(parseTime('--timeout', args.timeout ?? usualTimeout), longestTimerMs)
  const mayTouch: Touches = args.readOnly ? 'reads' : 'writes'
  const options = (checks: RunOptions<Needed>['checks']): RunOptions<Needed> => ({
    checks,
    openers,
    context: needed,
    signal: context.signal,
    timeoutMs,
    sinceProgress: occasion === 'scan',
    tellsWants: occasion === 'scan',
    mayTouch,
    severity,
    docs: docsOf,
    progress: (_id, target, says) => context.progress(says && `${target ? `${target}: ` : ''}${says}`),
  })
  const scope = new Scope(byName, { context: needed, signal: context.signal })
  const fold = new Fold(unitsOf(known), before)
  const counted = { targets: before?.targets ?? 0, objects: before?.objects ?? 0, bytes: before?.bytes ?? 0 }
  const notCleaned = (failures: readonly unknown[], at: string) => {
    for (const failure of failures) {
      const because = `cleaning up failed: ${failure instanceof Error ? failure.message : String(failure)}`
      fold.gap({ at, cannot: 'see', because, unexpected: true })
    }
  }
  return {
    known,
    get results() {
      return { ...fold.told, ...counted, limits: fold.limits }
    },
    gap: (gap) => fold.gap(gap),
    async once() {
      fold.add(await runChecks(options(chosen.filter((check) => !isPerTarget(check))), scope, undefined), 'narrow')
    },
    open: async <V>(need: Need<string, V, Facts>) => (await scope.open(need, () => {})).value as V,
    async look(target, { which = 'chosen', only = () => true, preset = new Map() } = {}) {
      const open: Preset = new Map([...preset, ...(target ? [['target', { value: target }] as const] : [])])
      const inner = new Scope(byName, { context: needed, signal: context.signal }, scope, open)
      const asked = (which === 'all' ? eligible : chosen).filter((check) => isPerTarget(check) && only(check))
      const outcome = await runChecks(options(asked), inner, target?.name)
      const [listed, known] = [await inner.opened(listingNeed), await inner.opened(manifestNeed)]
      outcome.gaps.push(...unseenIn(target?.name ?? 'the planned destination', listed, known))
      return {
        target,
        outcome,
        open: async <V>(need: Need<string, V, Facts>) => (await inner.open(need, () => {})).value as V,
        opened: <V>(need: Need<string, V, Facts>) => inner.opened(need),
        lend: (needs) => new Map(needs.map((need) => [need.name, (progress) => inner.open(need, progress)])),
        close: async () => notCleaned(await inner.close(), target?.name ?? 'the planned destination'),
      }
    },
    async keep({ target, outcome, opened }, { breadth = 'narrow', section } = {}) {
      fold.add(outcome, breadth, section !== undefined)
      if (!target) return
      const listed = await opened(listingNeed)
      counted.targets += section === 'later' ? 0 : 1
      counted.objects += listed?.files.size ?? 0
      counted.bytes += listed?.bytes ?? 0
      if (listed === undefined || occasion !== 'scan') return
      const [structures, contents] = [await opened(structuresNeed), await opened(contentsNeed)]
      fold.files(rowsOf(target.name, listed, { structures, contents, checks: outcome.checks }), breadth)
    },
    unanswered: () =>
      eligible
        .filter(({ answers }) => answers?.includes('limits'))
        .filter(
          (check) =>
            !chosen.includes(check) ||
            exceeds(touchesOf(check), mayTouch) ||
            fold.checks.some(({ id, state }) => id === check.id && (state === 'blocked' || state === 'crashed')),
        )
        .map(({ id }) => id),
    async close() {
      notCleaned(await scope.close(), 'this run')
    },
  }
}
