import { expect, test } from 'vitest'
import { Fold } from '../src/fold.ts'
import type { CheckReport, ReportedFinding } from '../src/report.ts'
import type { Outcome } from '../src/run.ts'

const units = { objects: 'count', stored: 'bytes', storeUri: 'text', dns: 'ms' } as const
const finding = (at: string, says = 'it is short'): ReportedFinding => ({
  at,
  says,
  severity: 'error',
  facts: {},
  remedy: { text: 'Mend it.', docs: '' },
})
const entry = (target: string, over: Partial<CheckReport> = {}): CheckReport => ({
  id: 'artifact/x',
  title: 'x',
  target,
  state: (over.findings?.length ?? 0) > 0 ? 'found' : 'ok',
  ms: 2,
  findings: [],
  ...over,
})
const outcome = (checks: CheckReport[], gaps: Outcome['gaps'] = []): Outcome => ({
  checks,
  limits: [],
  gaps,
  active: [],
})
const gap = (at: string, because = 'the same') =>
  ({ kind: 'gap', at, cannot: 'see', because, unexpected: false }) as const

test('healthy results of a broad scan are one entry, with amounts added up and what differs left out', () => {
  const fold = new Fold(units)
  for (const n of [1, 2, 3])
    fold.add(outcome([entry(`r${n}`, { measured: { objects: n, dns: 5, storeUri: `u${n}` } })]), 'broad')
  expect(fold.checks).toEqual([
    { id: 'artifact/x', title: 'x', state: 'ok', ms: 6, findings: [], targets: 3, measured: { objects: 6, dns: 5 } },
  ])
})

test('a narrow scan keeps each target apart', () => {
  const fold = new Fold(units)
  fold.add(outcome([entry('a')]), 'narrow')
  fold.add(outcome([entry('b')]), 'narrow')
  expect(fold.checks.map(({ target }) => target)).toEqual(['a', 'b'])
})

test('what is wrong keeps its target, also in a broad scan', () => {
  const fold = new Fold(units)
  fold.add(outcome([entry('a', { findings: [finding('a/f')] })]), 'broad')
  fold.add(outcome([entry('b', { state: 'blocked', reason: 'denied' })]), 'broad')
  fold.add(outcome([entry('c')]), 'broad')
  expect(fold.checks.map(({ target, state, targets }) => [target, state, targets])).toEqual([
    ['a', 'found', undefined],
    ['b', 'blocked', undefined],
    [undefined, 'ok', 1],
  ])
})

test('a finding that every target has, such as one about their bucket, is told once and counted', () => {
  const fold = new Fold(units)
  for (const target of ['a', 'b', 'c'])
    fold.add(outcome([entry(target, { findings: [finding('s3://bucket')] })]), 'broad')
  expect(fold.checks).toMatchObject([{ state: 'found', targets: 3, findings: [{ at: 's3://bucket' }] }])
  expect(fold.checks[0]?.target).toBeUndefined()
})

test('a target with one known and one new finding tells the new one', () => {
  const fold = new Fold(units)
  fold.add(outcome([entry('a', { findings: [finding('shared')] })]), 'broad')
  fold.add(outcome([entry('b', { findings: [finding('shared'), finding('b/f')] })]), 'broad')
  expect(fold.checks.map(({ findings }) => findings.map(({ at }) => at))).toEqual([['shared'], ['b/f']])
})

test('sections of one target are one entry in its worst state, with all findings and added amounts', () => {
  const fold = new Fold(units)
  fold.add(outcome([entry('a', { measured: { objects: 10 }, findings: [finding('a/1')] })]), 'narrow', true)
  fold.add(outcome([entry('a', { measured: { objects: 5 } })]), 'narrow', true)
  fold.add(outcome([entry('a', { findings: [finding('a/2')] })]), 'narrow', true)
  expect(fold.checks).toMatchObject([{ target: 'a', state: 'found', ms: 6, measured: { objects: 15 } }])
  expect(fold.checks[0]?.findings.map(({ at }) => at)).toEqual(['a/1', 'a/2'])
})

test('gaps that differ in their place alone are one, with the number of the others', () => {
  const fold = new Fold(units)
  fold.add(outcome([], [gap('a'), gap('b'), gap('b', 'other'), gap('c')]), 'broad')
  expect(fold.told.gaps).toEqual([
    { at: 'a', cannot: 'see', because: 'the same', unexpected: false, more: 2 },
    { at: 'b', cannot: 'see', because: 'other', unexpected: false },
  ])
})

test('places that a gap counts already add up', () => {
  const fold = new Fold(units)
  fold.add(outcome([], [{ ...gap('a'), more: 3 }, gap('b'), { ...gap('c'), more: 2 }]), 'broad')
  expect(fold.told.gaps).toMatchObject([{ at: 'a', more: 7 }])
})

test('what was written down is taken up again as if nothing had come between', () => {
  const looks = [
    outcome([entry('a', { measured: { objects: 1 } })], [gap('a')]),
    outcome([entry('b', { findings: [finding('bucket')] })]),
    outcome([entry('c', { findings: [finding('bucket')] })], [gap('c')]),
    outcome([entry('d', { findings: [finding('d/f')] })]),
    outcome([entry('e', { measured: { objects: 2 } })], [gap('e')]),
    outcome([entry('f', { findings: [finding('bucket')] })]),
  ]
  const whole = new Fold(units)
  for (const each of looks) whole.add(each, 'broad')
  for (const cut of looks.keys()) {
    const first = new Fold(units)
    for (const each of looks.slice(0, cut)) first.add(each, 'broad')
    const second = new Fold(units, JSON.parse(JSON.stringify(first.told)))
    for (const each of looks.slice(cut)) second.add(each, 'broad')
    expect(second.told).toEqual(whole.told)
  }
})
