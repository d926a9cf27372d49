/** `--load`: checks of the user's own, beside those that come with the tool. */
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { unitsOf } from './catalogue.ts'
import { areas, type Check, severities } from './check.ts'
import { Trouble } from './errors.ts'

const refused = (spec: string, why: string, todo: string, cause?: unknown): Trouble =>
  new Trouble({ kind: 'usage', what: `cannot load the checks of ${spec}`, why, todo, cause })

/** A path is one by its first character; everything else is the name of a package that is installed where the command runs. */
const addressOf = (spec: string, cwd: string): string => {
  if (/^(\.{0,2}\/|\.{1,2}$)/.test(spec) || /^[a-z]:[\\/]/i.test(spec)) return pathToFileURL(resolve(cwd, spec)).href
  try {
    return pathToFileURL(createRequire(join(cwd, 'index.js')).resolve(spec)).href
  } catch (error) {
    const todo = 'Install the package there, or give a path that begins with ./ or /'
    throw refused(spec, `no package of this name is installed below ${cwd}`, todo, error)
  }
}

/** What keeps this from being a check, in words; undefined for a check. */
const wrongWith = (found: unknown): string | undefined => {
  if (found === null || typeof found !== 'object') return 'it exports something else than checks'
  const { id, title, severity, on, needs, wants, facts, explain, run } = found as Partial<Check>
  if (id === undefined) return 'it exports something else than checks'
  const [area = '', name = ''] = typeof id === 'string' ? id.split('/') : []
  if (!(areas as readonly string[]).includes(area) || !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) {
    return `the id ${JSON.stringify(id)} is not of the form AREA/NAME with one of the areas ${areas.join(', ')}`
  }
  const lacks = Object.entries({
    title: typeof title === 'string',
    severity: severities.some((known) => known === severity),
    on: Array.isArray(on) && on.length > 0 && on.every((one) => one === 'check' || one === 'scan'),
    needs: Array.isArray(needs),
    wants: Array.isArray(wants),
    facts: facts !== null && typeof facts === 'object',
    explain: explain !== null && typeof explain === 'object',
    run: typeof run === 'function',
  }).find(([, is]) => !is)
  return lacks && `the check ${id} has no usable \`${lacks[0]}\``
}

/**
 * The checks that a module exports, as its default or by the name `checks`, one or a list.
 * @throws Trouble `usage` for what cannot be imported, is no check, or has the id of another one
 */
const loadOne = async (spec: string, cwd: string): Promise<readonly Check[]> => {
  const address = addressOf(spec, cwd)
  let exported: { readonly default?: unknown; readonly checks?: unknown }
  try {
    exported = await import(address)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw refused(spec, why, 'Give a JavaScript or TypeScript module that Node can import', error)
  }
  const found = [exported.default ?? exported.checks].flat()
  const wrong = found.map(wrongWith).find((why) => why !== undefined)
  if (wrong === undefined) return found as readonly Check[]
  throw refused(spec, wrong, 'Export what `defineCheck` returns, or a list of such')
}

/** `own` and those of every module that is named. @throws Trouble `usage` */
export const withLoaded = async (
  own: readonly Check[],
  specs: readonly string[],
  cwd: string,
): Promise<readonly Check[]> => {
  const all = [...own]
  for (const spec of specs) {
    for (const check of await loadOne(spec, cwd)) {
      if (all.some(({ id }) => id === check.id)) {
        throw refused(spec, `there is a check ${check.id} already`, 'Give yours another name')
      }
      all.push(check)
    }
    try {
      unitsOf(all)
    } catch (error) {
      throw refused(spec, (error as Error).message, 'Name the figure differently, or give it the unit it has', error)
    }
  }
  return all
}
