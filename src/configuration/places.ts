/** Where settings of a project stand. A module of its own, since the help speaks of them and must not read TOML for that. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Trouble } from '../errors.ts'

/** In a folder, the first of these that says something counts. `key` is where it stands in a file that others share. */
const places = [
  { name: 'mlflow-doctor.config.json', key: undefined },
  { name: 'package.json', key: ['mlflow-doctor'] },
  { name: 'pyproject.toml', key: ['tool', 'mlflow-doctor'] },
] as const

export const configurationPlaces = 'mlflow-doctor.config.json, package.json or pyproject.toml'

export interface Found {
  readonly file: string
  readonly value: unknown
}

export const trouble = (file: string, why: string, todo: string, cause?: unknown): Trouble =>
  new Trouble({ kind: 'usage', what: `cannot use the configuration of ${file}`, why, todo, cause })

const parsed = async (file: string): Promise<unknown> => {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw trouble(file, (error as Error).message, 'Give a file that this user may read', error)
  }
  try {
    // A comma too many is told by its line in TOML and JSON alike.
    return file.endsWith('.toml') ? (await import('smol-toml')).parse(text) : JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    const [why = ''] = (error as Error).message.split('\n')
    throw trouble(file, why, `Mend its ${file.endsWith('.toml') ? 'TOML' : 'JSON'}`, error)
  }
}

const below = (value: unknown, key: readonly string[] | undefined): unknown =>
  (key ?? []).reduce<unknown>(
    (at, name) => (at !== null && typeof at === 'object' ? (at as Record<string, unknown>)[name] : undefined),
    value,
  )

const keyOf = (file: string): readonly string[] | undefined => places.find(({ name }) => file.endsWith(name))?.key

/**
 * The configuration file that is named, else the nearest one from `cwd` upwards.
 * @throws Trouble `usage` for one that cannot be read or parsed
 */
export const findConfiguration = async (named: string | undefined, cwd: string): Promise<Found | undefined> => {
  if (named !== undefined) {
    const value = below(await parsed(named), keyOf(named))
    if (value !== undefined) return { file: named, value }
    throw trouble(named, `it has no key ${keyOf(named)?.join('.')}`, 'Add it, or name another file')
  }
  for (let dir = cwd; ; dir = dirname(dir)) {
    for (const { name, key } of places) {
      const file = join(dir, name)
      if (!existsSync(file)) continue
      // Somebody else's broken package.json is no matter of ours.
      const value = key === undefined ? await parsed(file) : below(await parsed(file).catch(() => undefined), key)
      if (value !== undefined) return { file, value }
    }
    if (dirname(dir) === dir) return undefined
  }
}
