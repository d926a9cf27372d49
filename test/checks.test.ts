import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checks } from '../checks/index.ts'
import type { Check, Need } from '../src/check.ts'
import { NotApplicable } from '../src/errors.ts'
import type { Opener } from '../src/needs/opener.ts'
import { runChecks, Scope } from '../src/run.ts'
import type { Fixture, Partially } from './fixture.ts'

const fixtures = new URL('../fixtures/', import.meta.url)

const casesOf = async (check: Check): Promise<string[]> => {
  const names = await readdir(new URL(`${check.id}/`, fixtures)).catch(() => [])
  return names.filter((name) => name.endsWith('.ts')).sort()
}

const openersFor = (check: Check, values: Readonly<Record<string, unknown>>): Opener<undefined>[] =>
  [...check.needs, ...check.wants].map((need: Need) => ({
    need,
    open: () =>
      Object.hasOwn(values, need.name)
        ? Promise.resolve({ value: values[need.name] })
        : Promise.reject(new NotApplicable(`the fixture has no ${need.name}`)),
  }))

/** A pattern in an expectation searches, anything else must be equal; unnamed keys are free. */
const matching = (expected: unknown): unknown => {
  if (expected instanceof RegExp) return expect.stringMatching(expected)
  if (Array.isArray(expected)) return expected.map(matching)
  if (expected !== null && typeof expected === 'object') {
    return expect.objectContaining(Object.fromEntries(Object.entries(expected).map(([k, v]) => [k, matching(v)])))
  }
  return expected
}
const all = (expected: readonly Partially[] | undefined) => (expected ?? []).map(matching)

for (const check of checks) {
  for (const name of await casesOf(check)) {
    test(`${check.id}: ${name.replace(/\.ts$/, '')}`, async () => {
      const fixture = ((await import(new URL(`${check.id}/${name}`, fixtures).href)) as { default: Fixture }).default
      const scratch = await mkdtemp(join(tmpdir(), 'md-'))
      try {
        const needs = typeof fixture.needs === 'function' ? await fixture.needs(scratch) : fixture.needs
        const openers = openersFor(check, needs)
        const signal = new AbortController().signal
        const scope = new Scope(new Map(openers.map((o) => [o.need.name, o])), { context: undefined, signal })
        const outcome = await runChecks(
          {
            checks: [check],
            openers,
            context: undefined,
            signal,
            timeoutMs: 60_000,
            mayTouch: 'writes',
            severity: new Map(),
            docs: (id) => `checks/README.md#${id}`,
            progress: () => {},
          },
          scope,
          undefined,
        )
        await scope.close()
        const [report] = outcome.checks
        expect(report, report?.reason).toMatchObject({ state: fixture.expect.state })
        expect(report?.findings).toEqual(all(fixture.expect.findings))
        const limits = outcome.limits.map((limit) => ({ ...limit, remedy: limit.remedy(fixture.needed) }))
        if (fixture.expect.limits) expect(limits).toEqual(all(fixture.expect.limits))
        if (fixture.expect.gaps) expect(outcome.gaps).toEqual(all(fixture.expect.gaps))
        if (fixture.expect.active) expect(outcome.active).toEqual(all(fixture.expect.active))
      } finally {
        await rm(scratch, { recursive: true, force: true })
      }
    })
  }
}
