/** One run of checks for a command: the needs it opens, the targets it looks at, and what it covered. */

import { checks as allChecks } from '../../checks/index.ts'
import { docsOf } from '../catalogue.ts'
import type { Active, Facts, Gap, GapTopic, Limit, Need, Occasion, Touches } from '../check.ts'
import type { Target } from '../mlflow/types.ts'
import { listing as listingNeed } from '../needs/declarations.ts'
import type { Needed } from '../needs/needed.ts'
import { openers } from '../needs/openers.ts'
import type { CheckReport, Covered } from '../report.ts'
import { exceeds, isPerTarget, type Outcome, type RunOptions, runChecks, Scope, touchesOf } from '../run.ts'
import { longestTimerMs } from '../timers.ts'
import type { CommandContext, CommonOptions } from './command.ts'
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
  /** Lets go of everything; failures to clean up become gaps. */
  close(): Promise<void>
}

export interface Session {
  /** Checks that run once. */
  once(): Promise<void>
  /** Checks that run for one target; without a target, the `target` need is opened like any other. `all` leaves out nothing, whatever --only and --skip say. The caller closes the look. */
  look(target: Target | undefined, which?: 'chosen' | 'all'): Promise<Look>
  /** Counts what a look found into the report. A repair looks twice and keeps the second. */
  keep(look: Look): Promise<void>
  /** Ids of checks whose limits decide and that gave no answer: blocked, crashed, left out, or not allowed to write. */
  unanswered(): string[]
  /** Opens a need of the whole run. */
  open<V>(need: Need<string, V, Facts>): Promise<V>
  readonly results: {
    readonly checks: CheckReport[]
    readonly limits: Limit[]
    readonly gaps: Gap[]
    readonly active: Active[]
    targets: number
    objects: number
    bytes: number
  }
  close(): Promise<void>
}

/** A topic that `--require` names and that no check of this run looked at is a gap like any other. */
const notLookedAt = (required: readonly GapTopic[], checks: readonly CheckReport[]): Omit<Gap, 'kind'>[] =>
  required.flatMap((about) => {
    const answering = allChecks.filter((check) => check.answers?.includes(about)).map(({ id }) => id as string)
    const looked = checks.some(({ id, state }) => answering.includes(id) && (state === 'ok' || state === 'found'))
    const because =
      answering.length === 0 ? 'no check of this version looks at it' : `${answering.join(', ')} did not run`
    return looked ? [] : [{ at: `--require ${about}`, cannot: 'see', because, unexpected: false, about }]
  })

/** What every command lets openers know, whatever else it adds. */
export const neededOf = (args: CommonOptions, context: CommandContext): Omit<Needed, 'orphanAgeMs'> => ({
  host: context.host,
  trustedHosts: args.trustHost,
  ...(args.trackingUri === undefined ? {} : { trackingUri: args.trackingUri }),
  ...(args.artifactsDestination === undefined ? {} : { artifactsDestination: args.artifactsDestination }),
})

export const coveredBy = ({ results }: Session, required: readonly GapTopic[]): Covered => ({
  targets: results.targets,
  objects: results.objects,
  bytes: results.bytes,
  gaps: [...results.gaps.map(({ kind, ...gap }) => gap), ...notLookedAt(required, results.checks)],
  active: results.active.map(({ kind, ...active }) => active),
})

export const openSession = (
  occasion: Occasion,
  asked: Needed,
  args: CommonOptions,
  context: CommandContext,
): Session => {
  const needed: Needed = { ...asked, occasion }
  const eligible = allChecks.filter((check) => check.on.includes(occasion))
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
    mayTouch,
    severity,
    docs: docsOf,
    progress: (id, target, says) => context.progress(says && `${id}${target ? ` (${target})` : ''}: ${says}`),
  })
  const scope = new Scope(byName, { context: needed, signal: context.signal })
  const results: Session['results'] = { checks: [], limits: [], gaps: [], active: [], targets: 0, objects: 0, bytes: 0 }
  const add = (outcome: Outcome) => {
    results.checks.push(...outcome.checks)
    results.limits.push(...outcome.limits)
    results.gaps.push(...outcome.gaps)
    results.active.push(...outcome.active)
  }
  const notCleaned = (failures: readonly unknown[], at: string) => {
    for (const failure of failures) {
      const because = `cleaning up failed: ${failure instanceof Error ? failure.message : String(failure)}`
      results.gaps.push({ kind: 'gap', at, cannot: 'see', because, unexpected: true })
    }
  }
  return {
    results,
    async once() {
      add(await runChecks(options(chosen.filter((check) => !isPerTarget(check))), scope, undefined))
    },
    open: async <V>(need: Need<string, V, Facts>) => (await scope.open(need, () => {})).value as V,
    async look(target, which = 'chosen') {
      const preset = new Map<string, unknown>(target ? [['target', target]] : [])
      const inner = new Scope(byName, { context: needed, signal: context.signal }, scope, preset)
      const outcome = await runChecks(
        options((which === 'all' ? eligible : chosen).filter(isPerTarget)),
        inner,
        target?.name,
      )
      return {
        target,
        outcome,
        open: async <V>(need: Need<string, V, Facts>) => (await inner.open(need, () => {})).value as V,
        opened: <V>(need: Need<string, V, Facts>) => inner.opened(need),
        close: async () => notCleaned(await inner.close(), target?.name ?? 'the planned destination'),
      }
    },
    async keep({ target, outcome, opened }) {
      add(outcome)
      if (!target) return
      const listed = await opened(listingNeed)
      results.targets += 1
      results.objects += listed?.files.size ?? 0
      results.bytes += listed?.bytes ?? 0
    },
    unanswered: () =>
      eligible
        .filter(({ answers }) => answers?.includes('limits'))
        .filter(
          (check) =>
            !chosen.includes(check) ||
            exceeds(touchesOf(check), mayTouch) ||
            results.checks.some(({ id, state }) => id === check.id && (state === 'blocked' || state === 'crashed')),
        )
        .map(({ id }) => id),
    async close() {
      notCleaned(await scope.close(), 'this run')
    },
  }
}
