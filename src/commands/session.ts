/** One run of checks for a command: the needs it opens, the targets it looks at, and what it covered. */
import { checks as allChecks } from '../../checks/index.ts'
import { docsOf } from '../catalogue.ts'
import type { Active, Gap, Limit, Occasion, Touches } from '../check.ts'
import type { Target } from '../mlflow/types.ts'
import { listing as listingNeed } from '../needs/declarations.ts'
import type { Needed } from '../needs/needed.ts'
import { openers } from '../needs/openers.ts'
import type { CheckReport, Covered } from '../report.ts'
import { isPerTarget, type Outcome, type RunOptions, runChecks, Scope } from '../run.ts'
import type { CommandContext, CommonOptions } from './command.ts'
import { select, severityOverrides } from './selection.ts'

export interface Session {
  /** The run-wide scope; a target's scope is a child of it. */
  readonly scope: Scope<Needed>
  /** Checks that run once. */
  once(): Promise<void>
  /** Checks that run for one target; without a target, the `target` need is opened like any other. Gives back what they said. */
  target(target: Target | undefined, use?: (scope: Scope<Needed>) => Promise<void>): Promise<Outcome>
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

export const coveredBy = ({ results }: Session): Covered => ({
  targets: results.targets,
  objects: results.objects,
  bytes: results.bytes,
  gaps: results.gaps.map(({ kind, ...gap }) => gap),
  active: results.active.map(({ kind, ...active }) => active),
})

export const openSession = (
  occasion: Occasion,
  needed: Needed,
  args: CommonOptions,
  context: CommandContext,
): Session => {
  const eligible = allChecks.filter((check) => check.on.includes(occasion))
  const chosen = select(eligible, args.only, args.skip)
  const severity = severityOverrides(eligible, args.severity)
  const byName = new Map(openers.map((opener) => [opener.need.name, opener]))
  const mayTouch: Touches = args.readOnly ? 'reads' : 'writes'
  const options = (checks: RunOptions<Needed>['checks']): RunOptions<Needed> => ({
    checks,
    openers,
    context: needed,
    signal: context.signal,
    timeoutMs: args.timeout * 1000,
    mayTouch,
    severity,
    docs: docsOf,
    progress: (id, target, says) => context.progress(says && `${id}${target ? ` (${target})` : ''}: ${says}`),
  })
  const scope = new Scope(byName, { context: needed, signal: context.signal })
  const results: Session['results'] = { checks: [], limits: [], gaps: [], active: [], targets: 0, objects: 0, bytes: 0 }
  const keep = (outcome: Outcome) => {
    results.checks.push(...outcome.checks)
    results.limits.push(...outcome.limits)
    results.gaps.push(...outcome.gaps)
    results.active.push(...outcome.active)
  }
  const notCleaned = (failures: readonly unknown[], at: string) => {
    for (const failure of failures) {
      results.gaps.push({
        kind: 'gap',
        at,
        cannot: 'see',
        because: `cleaning up failed: ${failure instanceof Error ? failure.message : String(failure)}`,
        unexpected: true,
      })
    }
  }
  return {
    scope,
    results,
    async once() {
      keep(await runChecks(options(chosen.filter((check) => !isPerTarget(check))), scope, undefined))
    },
    async target(target, use) {
      const preset = target ? new Map<string, unknown>([['target', target]]) : new Map<string, unknown>()
      const inner = new Scope(byName, { context: needed, signal: context.signal }, scope, preset)
      try {
        const outcome = await runChecks(options(chosen.filter(isPerTarget)), inner, target?.name)
        keep(outcome)
        if (target && occasion === 'scan') {
          results.targets += 1
          const listed = await inner.opened(listingNeed)
          results.objects += listed?.files.size ?? 0
          results.bytes += listed?.bytes ?? 0
        }
        await use?.(inner)
        return outcome
      } finally {
        notCleaned(await inner.close(), target?.name ?? 'the planned destination')
      }
    },
    async close() {
      notCleaned(await scope.close(), 'this run')
    },
  }
}
