/** The licences of everything that is bundled: each asks to go with the code. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

interface Found {
  readonly name: string
  readonly version: string
  readonly licence: string
  readonly text: string
}

/** `/x/node_modules/@scope/name/dist/a.js` lies in the package `/x/node_modules/@scope/name`. */
const packageOf = (module: string): string | undefined =>
  /^(?:\0[^/]*)?(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(module)?.[1]

const read = async (dir: string): Promise<Found> => {
  const { name, version, license } = JSON.parse(await readFile(join(dir, 'package.json'), 'utf8'))
  const file = (await readdir(dir)).find((entry) => /^(licen[cs]e|copying)/i.test(entry))
  const text = file === undefined ? '' : await readFile(join(dir, file), 'utf8')
  const licence = typeof license === 'string' ? license : (license?.type ?? 'not stated')
  return { name, version, licence, text: text.trim() }
}

/** One section a package; equal texts stand once, below all that have them. */
export const licencesOf = async (modules: Iterable<string>): Promise<string> => {
  const dirs = new Set([...modules].flatMap((module) => packageOf(module) ?? []))
  const found = await Promise.all([...dirs].map(read))
  const byText = Map.groupBy(
    found.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    ({ licence, text }) => `${licence}\n${text}`,
  )
  const sections = [...byText.values()].map((same) => {
    const names = [...new Set(same.map(({ name, version, licence }) => `- ${name} ${version} (${licence})`))]
    const text = same[0]?.text ?? ''
    return [...names, ...(text === '' ? [] : ['', ...text.split('\n').map((line) => `    ${line}`.trimEnd())])].join(
      '\n',
    )
  })
  return `# Licences of what is bundled\n\n${sections.join('\n\n')}\n`
}
