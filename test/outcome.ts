import { relative } from 'node:path'
import type { TestModule } from 'vitest/node'

/** What a run of the tests came to. */
export interface Outcome {
  readonly passed: number
  /** Tests, and errors that belong to no test: a file that cannot be loaded, a hook that throws, an unhandled rejection. */
  readonly failed: number
  readonly skipped: readonly { readonly name: string; readonly because: string }[]
}

/** Counts the modules of a run; `name` of a skipped test is `file > full name`, with the file relative to `root`. */
export function outcomeOf(modules: readonly TestModule[], unhandledErrors: number, root: string): Outcome {
  let passed = 0
  let failed = unhandledErrors
  const skipped: { name: string; because: string }[] = []
  for (const module of modules) {
    failed += module.errors().length
    for (const suite of module.children.allSuites()) failed += suite.errors().length
    for (const test of module.children.allTests()) {
      const result = test.result()
      if (result.state === 'passed') passed += 1
      else if (result.state === 'failed') failed += 1
      else {
        const because = (result.state === 'skipped' && result.note) || 'no reason given'
        skipped.push({ name: `${relative(root, module.moduleId)} > ${test.fullName}`, because })
      }
    }
  }
  return { passed, failed, skipped }
}

const isNamed = (name: string, allowed: Readonly<Record<string, string>>): boolean =>
  Object.keys(allowed).some((key) => (key.endsWith('*') ? name.startsWith(key.slice(0, -1)) : name === key))

export interface Verdict {
  /** To print, the count last. */
  readonly lines: readonly string[]
  readonly exitCode: 0 | 1
}

/**
 * Judges a run: it fails when anything failed, when nothing passed, and when a test was skipped that `allowed` (name to
 * reason; a name that ends in `*` stands for all that begin so) does not name. A run of selected tests skips all others, so there the names do not count. `broken`: vitest itself failed.
 */
export function verdictOn(
  outcome: Outcome,
  allowed: Readonly<Record<string, string>>,
  how: { readonly selected: boolean; readonly broken: boolean },
): Verdict {
  const lines: string[] = []
  let unexplained = 0
  for (const { name, because } of how.selected ? [] : outcome.skipped) {
    lines.push(`skipped: ${name} (${because})`)
    if (isNamed(name, allowed)) continue
    unexplained += 1
    lines.push('  and test/skips.json does not name it')
  }
  const failed = how.broken && outcome.failed === 0 ? 1 : outcome.failed
  if (outcome.passed + failed === 0) lines.push('no test ran')
  const skipped = outcome.skipped.length === 0 ? '' : `, ${outcome.skipped.length} skipped`
  lines.push(`${outcome.passed} passed, ${failed} failed${skipped}`)
  return { lines, exitCode: failed > 0 || unexplained > 0 || outcome.passed === 0 ? 1 : 0 }
}
