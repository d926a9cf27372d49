import { join } from 'node:path'
import { cutsTable, damageTable, ratesOf } from './rates-table.ts'
import { damages } from './source.ts'
import { filesBelow, type Swept, sweep } from './sweep.ts'

/** The small files that generate.py wrote, as they lie in the repository. */
export const committed = join(import.meta.dirname, '../../fixtures/formats/corpus')

export const sweepCommitted = async (): Promise<Swept[]> => {
  const swept: Swept[] = []
  for (const path of await filesBelow(committed)) swept.push(await sweep(committed, path))
  return swept
}

/** What is written between the marks of a section in src/formats/README.md. */
export const tablesOf = (swept: readonly Swept[]): string =>
  `${cutsTable(ratesOf(swept))}\n\n${damageTable(swept, Object.keys(damages))}`

export const page = join(import.meta.dirname, '../../src/formats/README.md')
const marks = (section: string): { begin: string; end: string } => ({
  begin: `<!-- ${section}: begin, written by npm run rates -->`,
  end: `<!-- ${section}: end -->`,
})

export const sectionIn = (text: string, section: string): string => {
  const { begin, end } = marks(section)
  return text.slice(text.indexOf(begin) + begin.length, text.indexOf(end)).trim()
}

export const withSection = (text: string, section: string, content: string): string => {
  const { begin, end } = marks(section)
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`the page has no section ${section}`)
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`
}
