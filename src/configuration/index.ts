/** The configuration file: options that a project always uses, and findings that it knows of. */
import { matchesGlob, resolve } from 'node:path'
import type { ErrorObject } from 'ajv/dist/2020.js'
import { camel, optionsOf } from '../arguments.ts'
import type { Check, Severity } from '../check.ts'
import type { Command } from '../commands/command.ts'
import type { IgnoreEntry } from './ignore.ts'
import { findConfiguration, trouble } from './places.ts'
import { configurationSchema, onlyWhenNamed } from './schema.ts'

export interface Configuration {
  readonly file: string
  /** By command: what stands below its name, and what stands at the top. */
  valuesFor(command: Command): Readonly<Record<string, unknown>>
  readonly ignore: readonly IgnoreEntry[]
}

interface Written extends Readonly<Record<string, unknown>> {
  readonly severity?: Readonly<Record<string, Severity>>
  readonly ignore?: readonly IgnoreEntry[]
}

const inWords = ({ instancePath, message = '', params, keyword }: ErrorObject): string => {
  const at = instancePath === '' ? '' : `${instancePath.slice(1).replaceAll('/', '.')} `
  if (keyword === 'additionalProperties') return `${at}has the unknown key "${params.additionalProperty}"`
  if (keyword === 'enum') return `${at}is none of ${(params.allowedValues as unknown[]).slice(0, 12).join(', ')}`
  return `${at}${message}`
}

const isDay = (text: string): boolean =>
  !Number.isNaN(Date.parse(text)) && new Date(text).toISOString().startsWith(text)

/** Of every setting the way to it: at the top, and below the name of a command. */
const keysIn = (written: Readonly<Record<string, unknown>>): readonly (readonly string[])[] =>
  Object.entries(written).flatMap(([key, value]) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.keys(value).map((name) => [key, name])
      : [[key]],
  )

/** @throws Trouble `usage` for one that cannot be read or understood; undefined where there is none */
export const readConfiguration = async (
  named: string | undefined,
  cwd: string,
  checks: readonly Check[],
): Promise<Configuration | undefined> => {
  const found = await findConfiguration(named === undefined ? undefined : resolve(cwd, named), cwd)
  if (found === undefined) return undefined
  const { file } = found
  // Only now: its compiler is large, and most runs have no configuration.
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  const validate = new Ajv2020({ strict: false }).compile(configurationSchema(checks))
  const todo = 'See `mlflow-doctor schema --of configuration`'
  if (!validate(found.value)) {
    const [first] = validate.errors ?? []
    throw trouble(file, first ? inWords(first) : 'it is not understood', todo)
  }
  const { ignore = [], severity, $schema, ...rest } = found.value as Written
  for (const { until } of ignore) {
    if (until !== undefined && !isDay(until)) throw trouble(file, `${until} is no day of the calendar`, todo)
  }
  const unknown = [...Object.keys(severity ?? {}), ...ignore.map(({ check }) => check)].find(
    (pattern) => !checks.some(({ id }) => id === pattern || matchesGlob(id, pattern)),
  )
  if (unknown !== undefined) {
    throw trouble(file, `there is no check "${unknown}"`, 'See `mlflow-doctor list` for the ids')
  }
  const unallowed = named === undefined ? keysIn(rest).find((path) => onlyWhenNamed.has(path.at(-1) ?? '')) : undefined
  if (unallowed !== undefined) {
    throw trouble(
      file,
      `"${unallowed.join('.')}" decides where credentials and files go or what is run, and this file was found, not named`,
      `Give --config ${file} if you trust it, or take that out`,
    )
  }
  return {
    file,
    ignore,
    valuesFor: (command) => {
      const names = new Set(Object.keys(optionsOf(command)).map(camel))
      const own = (rest[command.name] ?? {}) as Readonly<Record<string, unknown>>
      const occasion = command.name === 'check' ? 'check' : 'scan'
      const eligible = checks.filter(({ on }) => on.includes(occasion)).map(({ id }) => id as string)
      const meant = Object.entries(severity ?? {}).filter(([id]) => eligible.includes(id))
      // A file serves several commands: what it leaves out of another one's checks is no slip here.
      const skip = (rest.skip as readonly string[] | undefined)?.filter((pattern) =>
        eligible.some((id) => matchesGlob(id, pattern)),
      )
      const shared = Object.entries(rest).filter(([key]) => names.has(key) && !(key in command.options))
      return {
        ...Object.fromEntries(shared),
        ...(meant.length > 0 && { severity: meant.map(([id, level]) => `${id}=${level}`) }),
        ...(skip && { skip }),
        ...own,
      }
    },
  }
}

/** Settings of the file where the command line has none; one that contradicts what stands there gives way. */
export const withConfiguration = (
  command: Command,
  args: Readonly<Record<string, unknown>>,
  given: ReadonlySet<string>,
  values: Readonly<Record<string, unknown>>,
): { readonly args: Record<string, unknown>; readonly configured: ReadonlySet<string> } => {
  const options = Object.entries(optionsOf(command))
  const conflicts = new Map<string, Set<string>>()
  for (const [name, { conflicts: others }] of options) {
    for (const other of [others ?? []].flat() as string[]) {
      conflicts.set(camel(name), (conflicts.get(camel(name)) ?? new Set()).add(camel(other)))
      conflicts.set(camel(other), (conflicts.get(camel(other)) ?? new Set()).add(camel(name)))
    }
  }
  const merged: Record<string, unknown> = { ...args }
  const configured = new Set<string>()
  for (const [key, value] of Object.entries(values)) {
    if (given.has(key) || [...(conflicts.get(key) ?? [])].some((other) => given.has(other))) continue
    merged[key] = value
    configured.add(key)
  }
  return { args: merged, configured }
}
