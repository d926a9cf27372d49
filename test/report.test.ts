import { expect, test } from 'vitest'
import type { CheckReport, Report, ReportedFinding, Step } from '../src/report.ts'
import { countUp, exitCode } from '../src/report.ts'

const found = (severity: ReportedFinding['severity']): ReportedFinding => ({
  at: 'x',
  says: 'y',
  severity,
  facts: {},
  remedy: { text: 'z.', docs: '' },
})
const entry = (state: CheckReport['state'], findings: ReportedFinding[] = []): CheckReport => ({
  id: 'host/temp-disk',
  title: 't',
  state,
  ms: 0,
  findings,
})
const step = (state: Step['state']): Step => ({
  target: 't',
  path: 'p',
  action: 'upload',
  effect: 'adds',
  bytes: 1,
  sent: 1,
  reused: 0,
  state,
})
const report = (over: Partial<Report>): Omit<Report, 'exitCode'> => ({
  schemaVersion: 1,
  tool: { name: 'mlflow-doctor', version: '0' },
  command: 'check',
  startedAt: '',
  durationMs: 0,
  checks: [],
  covered: { targets: 0, objects: 0, bytes: 0, gaps: [], active: [] },
  units: {},
  counts: countUp([]),
  interrupted: false,
  failOn: 'error',
  required: [],
  ...over,
})
const covered = (unexpected: boolean, about?: 'orphans') => ({
  targets: 0,
  objects: 0,
  bytes: 0,
  active: [],
  gaps: [{ at: 'a', cannot: 'see' as const, because: 'b', unexpected, ...(about ? { about } : {}) }],
})
const row = (verdict: 'passes' | 'fails' | 'at-risk' | 'unknown') => ({
  path: 'p',
  bytes: 1,
  route: 'proxied-put' as const,
  verdict,
  because: '',
})

test.each([
  ['a clean look', {}, 0],
  ['healthy and skipped checks', { checks: [entry('ok'), entry('skipped')] }, 0],
  ['a warning below --fail-on', { checks: [entry('found', [found('warning')])] }, 0],
  ['a warning at --fail-on', { checks: [entry('found', [found('warning')])], failOn: 'warning' }, 1],
  ['an error', { checks: [entry('found', [found('error')])] }, 1],
  ['a crash', { checks: [entry('crashed')] }, 3],
  ['a block beside an error: unknown health wins', { checks: [entry('found', [found('error')]), entry('blocked')] }, 3],
  ['a gap that the route always has', { covered: covered(false, 'orphans') }, 0],
  ['the same gap, required', { covered: covered(false, 'orphans'), required: ['orphans'] }, 3],
  ['an unexpected gap', { covered: covered(true) }, 3],
  ['a forecast that fails', { forecast: [row('fails')] }, 1],
  ['a forecast that is unknown', { forecast: [row('unknown')] }, 0],
  ['a forecast that is unknown, failing on warnings', { forecast: [row('unknown')], failOn: 'warning' }, 1],
  ['a forecast that passes, failing on notes', { forecast: [row('passes')], failOn: 'info' }, 0],
  ['a verified repair', { steps: [step('verified')] }, 0],
  ['a planned repair', { steps: [step('planned')] }, 1],
  ['an unverified repair', { steps: [step('verified'), step('unverified')] }, 1],
  ['wrong usage', { trouble: { kind: 'usage', what: '', why: '', todo: '' } }, 2],
  ['a dead server', { trouble: { kind: 'unreachable', what: '', why: '', todo: '' } }, 3],
  ['an interruption, whatever was found', { interrupted: true, checks: [entry('crashed')] }, 130],
] as const)('%s', (_, over, code) => {
  expect(exitCode(report(over as unknown as Partial<Report>))).toBe(code)
})

test('counts hold findings and states side by side', () => {
  const counts = countUp([entry('found', [found('error'), found('warning')]), entry('blocked'), entry('ok')])
  expect(counts).toEqual({
    states: { ok: 1, found: 1, skipped: 0, blocked: 1, crashed: 0 },
    findings: { info: 0, warning: 1, error: 1 },
  })
})
