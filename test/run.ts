import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Reporter } from 'vitest/node'
import { outcomeOf, verdictOn } from './outcome.ts'

// What `npm test` runs: every test, then one line that says how many passed, failed and were skipped.

const root = join(import.meta.dirname, '..')

// Started by hand under another Node than the one the project is tested with: go on under that one.
const ownNode = join(root, 'node_modules/node/bin/node')
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if ((major < 22 || (major === 22 && minor < 19)) && existsSync(ownNode)) {
  const again = spawnSync(ownNode, [import.meta.filename, ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exit(again.status ?? 1)
}

// Only now: vitest does not load under an older Node.
const { parseCLI, startVitest } = await import('vitest/node')

let outcome = outcomeOf([], 0, root)
const counter: Reporter = {
  onTestRunEnd: (modules, unhandled) => {
    outcome = outcomeOf(modules, unhandled.length, root)
  },
}
const { filter, options } = parseCLI(['vitest', 'run', ...process.argv.slice(2)])
process.chdir(root)
let broken = false
try {
  const more = { run: true, watch: false, reporters: ['default', counter] }
  const vitest = await startVitest('test', filter, { ...options, ...more })
  await vitest.close()
  broken = process.exitCode !== undefined && process.exitCode !== 0
} catch (error) {
  console.error(error)
  broken = true
}

const allowed = JSON.parse(readFileSync(join(root, 'test/skips.json'), 'utf8')) as Record<string, string>
const { lines, exitCode } = verdictOn(outcome, allowed, { selected: options.testNamePattern !== undefined, broken })
process.stdout.write(`${lines.join('\n')}\n`, () => process.exit(exitCode))
