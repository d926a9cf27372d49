import type { CheckReport, Report } from '../report.ts'
import { isAtLeast, placeOfStep, unsettles, verdictSeverity } from '../report.ts'
import { block, line, markup } from './escape.ts'
import { byArea, summary } from './render.ts'

interface Case {
  readonly name: string
  readonly ms: number
  readonly outcome?: { readonly is: 'failure' | 'error' | 'skipped'; readonly message: string; readonly body?: string }
}
interface Suite {
  readonly name: string
  readonly cases: readonly Case[]
  /** What was found and does not count. */
  readonly notes: readonly string[]
}

/** XML 1.0 knows no control codes and no halves of a surrogate pair; `line` has made the former visible. */
const escaped = (text: string): string => markup(text.toWellFormed().replace(/[\ufffe\uffff]/g, '\ufffd'))
/** An xs:token: one line, no space at its ends or twice in a row, not empty. */
const token = (text: string): string => escaped(line(text).replace(/\s+/g, ' ').trim() || '-')
const seconds = (ms: number): string => (ms / 1000).toFixed(3)

const caseOf = (check: CheckReport, report: Report): Case => {
  const { id, target, targets, ms, state, findings, reason = '' } = check
  const name = target === undefined ? (targets === undefined ? id : `${id} (${targets} targets)`) : `${id} ${target}`
  const told = findings.map(({ at, says, severity, remedy }) =>
    [`${severity}: ${at}: ${says}`, remedy.text, ...(remedy.commands ?? [])].join('\n'),
  )
  if (state === 'blocked' || state === 'crashed') {
    return { name, ms, outcome: { is: 'error', message: reason, body: told.join('\n\n') } }
  }
  if (state === 'skipped') return { name, ms, outcome: { is: 'skipped', message: reason } }
  const counting = findings.filter(({ severity }) => isAtLeast(severity, report.failOn))
  const [first] = counting
  if (first === undefined) return { name, ms }
  const more = counting.length > 1 ? ` (and ${counting.length - 1} more)` : ''
  return { name, ms, outcome: { is: 'failure', message: `${first.at}: ${first.says}${more}`, body: told.join('\n\n') } }
}

const notesOf = (checks: readonly CheckReport[], report: Report): string[] =>
  checks.flatMap(({ id, findings }) =>
    findings
      .filter(({ severity }) => !isAtLeast(severity, report.failOn))
      .map(({ at, says, severity }) => `${severity}: ${at}: ${says} (${id})`),
  )

const suitesOf = (report: Report): Suite[] => {
  const { trouble, interrupted, forecast = [], steps = [], covered } = report
  const end: Case = {
    name: 'the run comes to its end',
    ms: report.durationMs,
    ...((trouble || interrupted) && {
      outcome: {
        is: 'error',
        message: interrupted || !trouble ? 'interrupted' : `${trouble.what}: ${trouble.why}. ${trouble.todo}.`,
      },
    }),
  }
  const unsettled = covered.gaps.filter((gap) => unsettles(gap, report.required))
  const gaps = covered.gaps.filter((gap) => !unsettles(gap, report.required))
  return [
    { name: 'run', cases: [end], notes: [summary(report)] },
    ...byArea(report.checks).map(([name, checks]) => ({
      name,
      cases: checks.map((check) => caseOf(check, report)),
      notes: notesOf(checks, report),
    })),
    {
      name: 'forecast',
      cases: forecast.map(({ path, verdict, because, seconds: takes = 0 }): Case => {
        const severity = verdictSeverity(verdict)
        const fails = severity !== undefined && isAtLeast(severity, report.failOn)
        return {
          name: path,
          ms: takes * 1000,
          ...(fails && { outcome: { is: 'failure', message: `${verdict}: ${because}` } }),
        }
      }),
      notes: forecast.filter(({ verdict }) => verdict !== 'passes').map(({ path, verdict }) => `${path}: ${verdict}`),
    },
    {
      name: 'repair',
      cases: steps.map((step): Case => {
        const { action, state, because = '', ms = 0 } = step
        const name = `${action} ${placeOfStep(step)}`
        return state === 'verified'
          ? { name, ms }
          : { name, ms, outcome: { is: 'failure', message: `${state}: ${because}` } }
      }),
      notes: [],
    },
    {
      name: 'covered',
      cases: unsettled.map(({ at, because }) => ({ name: at, ms: 0, outcome: { is: 'error', message: because } })),
      notes: gaps.map(({ at, because }) => `not known: ${at}: ${because}`),
    },
  ].filter(({ cases, notes }) => cases.length + notes.length > 0) as Suite[]
}

const element = ({ name, ms, outcome }: Case, suite: string): string => {
  const head = `    <testcase classname="${token(`mlflow-doctor.${suite}`)}" name="${token(name)}" time="${seconds(ms)}"`
  if (outcome === undefined) return `${head}/>`
  const { is, message, body = '' } = outcome
  const kind = is === 'skipped' ? '' : ` type="${is === 'failure' ? 'finding' : 'unknown'}"`
  const text = is === 'skipped' ? '' : escaped(block(body))
  return `${head}>\n      <${is} message="${escaped(line(message))}"${kind}>${text}</${is}>\n    </testcase>`
}

/**
 * JUnit XML as Ant writes it. A failure is a finding at or above --fail-on, an error is what could not be looked at: there is
 * one of either exactly where the exit code is not 0.
 */
export const junit = (report: Report): string => {
  const at = report.startedAt.replace(/\.\d+Z$/, '')
  const out = ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>']
  for (const [id, { name, cases, notes }] of suitesOf(report).entries()) {
    const of = (is: string) => cases.filter(({ outcome }) => outcome?.is === is).length
    const time = seconds(cases.reduce((sum, { ms }) => sum + ms, 0))
    out.push(
      `  <testsuite package="mlflow-doctor" id="${id}" name="${token(name)}" timestamp="${at}" hostname="localhost" tests="${cases.length}" failures="${of('failure')}" errors="${of('error')}" skipped="${of('skipped')}" time="${time}">`,
      `    <properties>\n      <property name="command" value="${escaped(line(report.command))}"/>\n      <property name="version" value="${escaped(line(report.tool.version))}"/>\n      <property name="exitCode" value="${report.exitCode}"/>\n    </properties>`,
      ...cases.map((each) => element(each, name)),
      `    <system-out>${escaped(notes.map(line).join('\n'))}</system-out>`,
      '    <system-err></system-err>',
      '  </testsuite>',
    )
  }
  out.push('</testsuites>')
  return `${out.join('\n')}\n`
}
