/** What of a report is worth a line of its own where there is little room, worst first: the same for every short form. */
import type { Severity } from '../check.ts'
import type { Report } from '../report.ts'
import { isAtLeast, placeOfStep, unsettles, verdictSeverity } from '../report.ts'
import { bytes } from '../words.ts'
import { blockedTogether, fatesOf } from './render.ts'

export interface Told {
  /** `unknown`: could not be looked at, so that health is unknown. */
  readonly level: Severity | 'unknown'
  /** The check's id, or `forecast`, `repair`, `covered` or `run`. */
  readonly rule: string
  /** What one calls the rule. */
  readonly title: string
  readonly at: string
  readonly says: string
  readonly remedy?: { readonly text: string; readonly commands?: readonly string[] }
  /** Whether this alone keeps the exit code from being 0. */
  readonly counts: boolean
}

const order: readonly Told['level'][] = ['error', 'unknown', 'warning', 'info']

const ofRun = ({ trouble, interrupted }: Report): Told[] => [
  ...(interrupted
    ? [
        {
          ...{ level: 'unknown' as const, rule: 'run', title: 'The run comes to its end', counts: true },
          ...{ at: 'this run', says: 'it was interrupted' },
        },
      ]
    : []),
  ...(trouble && !interrupted
    ? [
        {
          ...{ level: 'unknown' as const, rule: 'run', title: 'The run comes to its end', counts: true },
          ...{ at: trouble.what, says: trouble.why, remedy: { text: `${trouble.todo}.` } },
        },
      ]
    : []),
]

const ofChecks = (report: Report): Told[] => [
  ...report.checks.flatMap(({ id, title, findings }) =>
    findings.map(({ at, says, severity, remedy }) => ({
      ...{ level: severity, rule: id, title, at, says, remedy },
      counts: isAtLeast(severity, report.failOn),
    })),
  ),
  ...blockedTogether(report.checks, false).map(({ says, checks }) => ({
    ...{ level: 'unknown' as const, rule: checks[0]?.id ?? '', title: checks[0]?.title ?? '', counts: true },
    ...{ at: checks.map(({ id }) => id).join(', '), says },
  })),
  ...report.checks
    .filter(({ state }) => state === 'crashed')
    .map(({ id, title, reason = '' }) => ({
      ...{ level: 'unknown' as const, rule: id, title, at: id, counts: true },
      says: `crashed: ${reason.split('\n')[0]}`,
    })),
]

const ofForecast = (report: Report): Told[] =>
  fatesOf(report.forecast ?? []).flatMap(({ first, files, total }): Told[] => {
    const level = verdictSeverity(first.verdict)
    if (level === undefined) return []
    const { verdict, route, because, remedy, path } = first
    return [
      {
        ...{
          level,
          rule: 'forecast',
          title: 'Every planned file gets through',
          counts: isAtLeast(level, report.failOn),
        },
        at: files === 1 ? path : `${files} files, ${path} among them`,
        says: `${bytes(total)}${route === undefined ? '' : ` by ${route}`}: ${verdict}; ${because}`,
        ...(remedy && { remedy }),
      },
    ]
  })

const ofSteps = ({ steps = [] }: Report): Told[] =>
  steps
    .filter(({ state }) => state !== 'verified')
    .map((step) => ({
      ...{ level: 'error', rule: 'repair', title: 'Every step of the repair is verified', counts: true },
      at: placeOfStep(step),
      says: `${step.action}: ${step.state}${step.because === undefined ? '' : `; ${step.because}`}`,
    }))

const ofCovered = (report: Report): Told[] =>
  report.covered.gaps
    .filter((gap) => unsettles(gap, report.required))
    .map(({ at, because }) => ({
      ...{ level: 'unknown', rule: 'covered', title: 'Everything could be looked at', counts: true },
      ...{ at, says: because },
    }))

/** Findings, verdicts, steps, and what could not be looked at; nothing that is healthy. */
export const tellings = (report: Report): readonly Told[] =>
  [...ofRun(report), ...ofChecks(report), ...ofForecast(report), ...ofSteps(report), ...ofCovered(report)].toSorted(
    (a, b) => order.indexOf(a.level) - order.indexOf(b.level),
  )
