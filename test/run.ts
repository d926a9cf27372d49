import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Reporter, TestModule } from 'vitest/node'

// What `npm test` runs: every test, then one line that says how many passed, failed and were skipped.
// Fails as well when a test is skipped that test/skips.json does not name, and when nothing ran.

const root = join(import.meta.dirname, '..')

// Started by hand under another Node than the one the project is tested with: go on under that one.
const ownNode = join(root, 'node_modules/node/bin/node')
const wanted = /^v(?:22\.(?:19|[2-9]\d)|2[4-9])\./
if (!wanted.test(process.version) && existsSync(ownNode)) {
  const again = spawnSync(ownNode, [import.meta.filename, ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exit(again.status ?? 1)
}

interface Outcome {
  passed: number
  failed: number
  readonly skipped: { name: string; because: string }[]
}

function outcomeOf(modules: readonly TestModule[], unhandled: number): Outcome {
  const outcome: Outcome = { passed: 0, failed: unhandled, skipped: [] }
  for (const module of modules) {
    const file = relative(root, module.moduleId)
    // A file that cannot be loaded, or a hook that throws, belongs to no test.
    outcome.failed += module.errors().length
    for (const suite of module.children.allSuites()) outcome.failed += suite.errors().length
    for (const test of module.children.allTests()) {
      const result = test.result()
      if (result.state === 'passed') outcome.passed += 1
      else if (result.state === 'failed') outcome.failed += 1
      else {
        const because = (result.state === 'skipped' && result.note) || 'no reason given'
        outcome.skipped.push({ name: `${file} > ${test.fullName}`, because })
      }
    }
  }
  return outcome
}

/** Test name (`file > full name`) to the reason why it may be skipped. */
const allowed = JSON.parse(readFileSync(join(root, 'test/skips.json'), 'utf8')) as Record<string, string>

// Under another Node this import would fail before the check above.
const { parseCLI, startVitest } = await import('vitest/node')

let outcome: Outcome = { passed: 0, failed: 0, skipped: [] }
const counter: Reporter = {
  onTestRunEnd: (modules, unhandled) => {
    outcome = outcomeOf(modules, unhandled.length)
  },
}
const { filter, options } = parseCLI(['vitest', 'run', ...process.argv.slice(2)])
process.chdir(root)
let broken = false
try {
  const vitest = await startVitest('test', filter, {
    ...options,
    run: true,
    watch: false,
    reporters: ['default', counter],
  })
  broken = process.exitCode !== undefined && process.exitCode !== 0
  await vitest.close()
} catch (error) {
  console.error(error)
  broken = true
}

// A filter by name skips all the others; that is what was asked for.
const unexplained =
  options.testNamePattern === undefined ? outcome.skipped.filter(({ name }) => !(name in allowed)) : []
for (const { name, because } of outcome.skipped) {
  if (options.testNamePattern === undefined) console.log(`skipped: ${name} (${because})`)
}
for (const { name } of unexplained) console.log(`not named in test/skips.json: ${name}`)
if (outcome.passed + outcome.failed === 0) console.log('no test ran')
const failed = broken && outcome.failed === 0 ? 1 : outcome.failed
const skipped = outcome.skipped.length === 0 ? '' : `, ${outcome.skipped.length} skipped`
const line = `${outcome.passed} passed, ${failed} failed${skipped}\n`
process.stdout.write(line, () => process.exit(failed > 0 || unexplained.length > 0 || outcome.passed === 0 ? 1 : 0))
