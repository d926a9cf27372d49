import { expect, test } from 'vitest'
import type { TestModule } from 'vitest/node'
import { type Outcome, outcomeOf, verdictOn } from './outcome.ts'

const good: Outcome = { passed: 2, failed: 0, skipped: [] }
const whole = { selected: false, broken: false }

function fakeModule(states: string[], errors = 0, suiteErrors = 0): TestModule {
  const tests = states.map((state) => ({ fullName: `is ${state}`, result: () => ({ state, note: 'no Go here' }) }))
  return {
    moduleId: '/repo/test/x.test.ts',
    errors: () => Array(errors).fill({}),
    children: { allSuites: () => [{ errors: () => Array(suiteErrors).fill({}) }], allTests: () => tests },
  } as unknown as TestModule
}

test('tests, broken files, broken hooks and unhandled errors are all counted', () => {
  const modules = [fakeModule(['passed', 'failed', 'skipped']), fakeModule([], 1), fakeModule(['passed'], 0, 1)]
  expect(outcomeOf(modules, 1, '/repo')).toEqual({
    passed: 2,
    failed: 4,
    skipped: [{ name: 'test/x.test.ts > is skipped', because: 'no Go here' }],
  })
})

test('a test that never got a result counts as skipped, not as passed', () => {
  expect(outcomeOf([fakeModule(['pending'])], 0, '/repo').skipped).toHaveLength(1)
})

test('a run in which everything passed is good', () => {
  expect(verdictOn(good, {}, whole)).toEqual({ lines: ['2 passed, 0 failed'], exitCode: 0 })
})

test('a failed test, a broken run and an empty run are bad', () => {
  expect(verdictOn({ ...good, failed: 1 }, {}, whole).exitCode).toBe(1)
  expect(verdictOn(good, {}, { ...whole, broken: true })).toEqual({ lines: ['2 passed, 1 failed'], exitCode: 1 })
  expect(verdictOn({ ...good, passed: 0 }, {}, whole)).toEqual({
    lines: ['no test ran', '0 passed, 0 failed'],
    exitCode: 1,
  })
})

test('a skipped test is bad unless it is named, or the run was of selected tests', () => {
  const some = { ...good, skipped: [{ name: 'a > b', because: 'why' }] }
  expect(verdictOn(some, {}, whole).exitCode).toBe(1)
  expect(verdictOn(some, { 'a > b': 'needs Go' }, whole)).toMatchObject({ exitCode: 0 })
  expect(verdictOn(some, { 'a > *': 'needs Go' }, whole)).toMatchObject({ exitCode: 0 })
  expect(verdictOn(some, { 'a > b > *': 'needs Go' }, whole)).toMatchObject({ exitCode: 1 })
  expect(verdictOn(some, { 'a > b': 'needs Go' }, whole).lines.at(-1)).toBe('2 passed, 0 failed, 1 skipped')
  expect(verdictOn(some, {}, { ...whole, selected: true }).exitCode).toBe(0)
})
