import { matchesGlob } from 'node:path'
import type { Check, Severity } from '../check.ts'
import { severities } from '../check.ts'
import { Trouble } from '../errors.ts'

const wrong = (what: string, why: string, todo: string) => new Trouble({ kind: 'usage', what, why, todo })

/**
 * The checks that `--only` and `--skip` leave. A pattern that matches nothing is an error: it would look like health.
 */
export const select = (checks: readonly Check[], only: readonly string[], skip: readonly string[]): Check[] => {
  for (const [option, patterns] of [
    ['--only', only],
    ['--skip', skip],
  ] as const) {
    for (const pattern of patterns) {
      if (checks.some((check) => matchesGlob(check.id, pattern))) continue
      throw wrong(
        `cannot use ${option} ${pattern}`,
        'no check of this command has such an id',
        'See `mlflow-doctor list` for the ids',
      )
    }
  }
  const named = (check: Check, patterns: readonly string[]) =>
    patterns.some((pattern) => matchesGlob(check.id, pattern))
  const left = checks.filter((check) => (only.length === 0 || named(check, only)) && !named(check, skip))
  if (left.length > 0) return left
  throw wrong('cannot run', '--only and --skip leave no check at all', 'Leave one of them out')
}

/** `ID=LEVEL` pairs. */
export const severityOverrides = (checks: readonly Check[], pairs: readonly string[]): Map<string, Severity> => {
  const overrides = new Map<string, Severity>()
  for (const pair of pairs) {
    const [id = '', level = ''] = pair.split('=', 2)
    const severity = severities.find((known) => known === level)
    if (!severity)
      throw wrong(
        `cannot use --severity ${pair}`,
        `"${level}" is no severity`,
        `Give ID=LEVEL with one of ${severities.join(', ')}`,
      )
    if (!checks.some((check) => check.id === id))
      throw wrong(`cannot use --severity ${pair}`, `there is no check "${id}"`, 'See `mlflow-doctor list` for the ids')
    overrides.set(id, severity)
  }
  return overrides
}
