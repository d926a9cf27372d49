/** Everything that is told about checks, as pure functions of their declarations: list, explain, the docs page, the units. */
import type { Check, Unit } from './check.ts'
import { isPerTarget, touchesOf } from './run.ts'

/** Where the explanation of a check stands: beside the check itself. */
export const docsOf = (id: string): string => `checks/${id}.md`

/** Fact name to unit, over checks and their needs. Throws when one name has two units: a figure must mean one thing. */
export const unitsOf = (checks: readonly Check[]): Record<string, Unit> => {
  const units: Record<string, Unit> = {}
  for (const facts of checks.flatMap((check) => [check.facts, ...check.needs.map((need) => need.facts)])) {
    for (const [name, unit] of Object.entries(facts)) {
      if (units[name] !== undefined && units[name] !== unit) throw new Error(`the fact "${name}" has two units`)
      units[name] = unit
    }
  }
  return units
}

export interface Listed {
  readonly id: string
  readonly title: string
  readonly severity: string
  readonly commands: readonly string[]
  readonly runs: 'once' | 'per target'
  readonly touches: string
  readonly needs: readonly string[]
}

export const listed = (check: Check): Listed => ({
  id: check.id,
  title: check.title,
  severity: check.severity,
  commands: check.on,
  runs: isPerTarget(check) ? 'per target' : 'once',
  touches: touchesOf(check),
  needs: check.needs.map((need) => need.name),
})

export interface Explained extends Listed {
  readonly measures: string
  readonly breaks: string
  readonly remedy: string
  readonly facts: Readonly<Record<string, Unit>>
}

export const explained = (check: Check): Explained => ({
  ...listed(check),
  ...check.explain,
  facts: Object.assign({}, ...check.needs.map((need) => need.facts), check.facts),
})

const touched: Readonly<Record<string, string>> = {
  nothing: 'nothing outside this machine',
  reads: 'reads only',
  writes: 'writes a canary, and removes it',
}

const pageOf = (check: Check): string => {
  const { facts, ...about } = explained(check)
  const rows = Object.entries(facts).map(([name, unit]) => `| \`${name}\` | ${unit} |`)
  const [command = 'check'] = check.on
  const target = command === 'scan' ? ' runs:/RUN_ID' : ''
  return [
    `# ${check.id}`,
    '',
    'Generated from the declaration by `npm run docs`; edit the check, not this page.',
    '',
    `**${check.title}.** Severity: at most ${check.severity}. Part of: ${check.on.map((on) => `\`${on}\``).join(', ')}. Runs ${about.runs}. Touches: ${touched[about.touches]}.`,
    '',
    '## What it measures',
    '',
    about.measures,
    '',
    '## What breaks',
    '',
    about.breaks,
    '',
    '## Remedy',
    '',
    about.remedy,
    '',
    ...(rows.length > 0 ? ['## Figures', '', '| figure | unit |', '| --- | --- |', ...rows, ''] : []),
    '## Alone, weighed differently, or ignored',
    '',
    '```sh',
    `mlflow-doctor ${command}${target} --only ${check.id}`,
    `mlflow-doctor ${command}${target} --severity ${check.id}=${check.severity === 'info' ? 'error' : 'info'}`,
    '```',
    '',
    'In `mlflow-doctor.config.json`, with a reason and an end:',
    '',
    '```json',
    `{ "ignore": [{ "check": "${check.id}", "at": "**", "reason": "why it may be", "until": "2027-12-31" }] }`,
    '```',
    '',
    ...(check.needs.length > 0
      ? [
          `It needs ${check.needs.map(({ name }) => `\`${name}\``).join(', ')}; where one of them cannot be opened it is blocked, and the exit code is 3.`,
          '',
        ]
      : []),
    '[All checks](../README.md)',
    '',
  ].join('\n')
}

const indexOf = (checks: readonly Check[]): string =>
  [
    '# The checks',
    '',
    'Generated from the declarations by `npm run docs`; edit the checks, not this page.',
    '',
    '| check | healthy when | severity | command |',
    '| --- | --- | --- | --- |',
    ...checks.map(({ id, title, severity, on }) => `| [${id}](${id}.md) | ${title} | ${severity} | ${on.join(', ')} |`),
    '',
  ].join('\n')

/** The pages below checks/, by their path there: a list of all, and one for each. */
export const catalogue = (checks: readonly Check[]): ReadonlyMap<string, string> =>
  new Map([['README.md', indexOf(checks)], ...checks.map((check) => [`${check.id}.md`, pageOf(check)] as const)])
