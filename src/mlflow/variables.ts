import { Trouble } from '../errors.ts'

/** Reads environment variables as MLflow's `_EnvironmentVariable` does (environment_variables.py, 3.17.2): unset means the default, a value that cannot be read is an error. */

export type Environment = Readonly<Record<string, string | undefined>>

const wrong = (name: string, expected: string): Trouble =>
  new Trouble({
    kind: 'usage',
    what: `cannot read ${name}`,
    why: `its value is not ${expected}`,
    todo: `Set ${name} to ${expected}, or unset it`,
  })

/** MLflow takes true, false, 1 and 0 in any case and refuses the rest, an empty value too. */
export const flagOf = (env: Environment, name: string): boolean | undefined => {
  const value = env[name]
  if (value === undefined) return undefined
  const lower = value.toLowerCase()
  if (!['true', 'false', '1', '0'].includes(lower)) throw wrong(name, 'true or false')
  return lower === 'true' || lower === '1'
}

/** Spelled as Python's `int()` takes it: spaces around, a sign and single underscores between digits. */
export const integerOf = (env: Environment, name: string, smallest: number): number | undefined => {
  const value = env[name]
  if (value === undefined) return undefined
  const number = /^\s*[+-]?\d+(_\d+)*\s*$/.test(value) ? Number(value.replaceAll('_', '')) : Number.NaN
  if (!Number.isSafeInteger(number) || number < smallest) throw wrong(name, `a whole number from ${smallest} on`)
  return number
}

export const choiceOf = <C extends string>(env: Environment, name: string, choices: readonly C[]): C | undefined => {
  const value = env[name]
  if (value === undefined || value === '') return undefined
  const choice = choices.find((one) => one === value)
  if (choice === undefined) throw wrong(name, `one of ${choices.join(', ')}`)
  return choice
}

/** A JSON object; values that are no strings are written as JSON. */
export const objectOf = (env: Environment, name: string): Record<string, string> => {
  const value = env[name]
  if (value === undefined || value === '') return {}
  let parsed: unknown
  try {
    parsed = JSON.parse(value)
  } catch {
    throw wrong(name, 'a JSON object')
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw wrong(name, 'a JSON object')
  return Object.fromEntries(
    Object.entries(parsed).map(([key, v]) => [key, typeof v === 'string' ? v : JSON.stringify(v)]),
  )
}

export const textOf = (env: Environment, name: string): string | undefined => env[name]?.trim() || undefined
