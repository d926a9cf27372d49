import { readdir, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { checks } from '../checks/index.ts'
import { picture } from '../packaging/picture.ts'
import { catalogue, docsOf, explained, unitsOf } from '../src/catalogue.ts'
import { paced, transfers } from '../src/needs/declarations.ts'

const root = new URL('../', import.meta.url)
const ids = checks.map((check) => check.id)

test('the pages below checks/ are what the declarations say, no more and no fewer; `npm run docs` writes them', async () => {
  const pages = catalogue(checks)
  for (const [path, text] of pages) expect(await readFile(new URL(`checks/${path}`, root), 'utf8'), path).toBe(text)
  const files = await readdir(new URL('checks/', root), { recursive: true })
  expect(files.filter((file) => file.endsWith('.md')).sort()).toEqual([...pages.keys()].sort())
})

test('every id is the path of its file, every file is registered, and no id stands twice', async () => {
  const files = await readdir(new URL('checks/', root), { recursive: true })
  const paths = files.filter((file) => /^[^/]+\/[^/]+\.ts$/.test(file)).map((file) => file.replace(/\.ts$/, ''))
  expect([...ids].sort()).toEqual(paths.sort())
})

test('what is measured by writing is asked for after all that says whether it may be', () => {
  const writing = [transfers.name, paced.name]
  const stopping = ids.flatMap((id, at) => (['server/artifact-route', 'server/access'].includes(id) ? [at] : []))
  const asking = checks.flatMap((check, at) =>
    [...check.needs, ...check.wants].some(({ name }) => writing.includes(name as never)) ? [at] : [],
  )
  expect(stopping).toHaveLength(2)
  expect(Math.min(...asking)).toBeGreaterThan(Math.max(...stopping))
})

test.each(ids)('%s has a healthy and a broken case', async (id) => {
  const cases = await readdir(new URL(`fixtures/${id}/`, root))
  expect(cases.some((name) => name.startsWith('healthy'))).toBe(true)
  expect(cases.some((name) => name.startsWith('broken'))).toBe(true)
})

test('no fixture is left behind by a check that is gone', async () => {
  const entries = await readdir(new URL('fixtures/', root), { recursive: true })
  const cases = entries.filter((entry) => /\/(healthy|broken)[^/]*\.ts$/.test(entry))
  expect(cases.filter((entry) => !ids.some((id) => entry.startsWith(`${id}/`)))).toEqual([])
})

test.each(checks)('$id explains itself in whole sentences', (check) => {
  const { measures, breaks, remedy } = explained(check)
  for (const text of [measures, breaks, remedy]) expect(text).toMatch(/^[A-Z].*\.$/s)
  expect(check.title).toMatch(/^[A-Z].*[^.]$/)
})

test('the picture in the README is what the terminal shows; `npm run docs` draws it', async () => {
  expect(await readFile(new URL('docs/terminal.svg', root), 'utf8')).toBe(await picture())
})

test('links from findings lead to the page of the check', async () => {
  for (const id of ids) expect(await readFile(new URL(docsOf(id), root), 'utf8')).toMatch(new RegExp(`^# ${id}\n`))
})

test('a fact means one thing', () => {
  expect(() => unitsOf(checks)).not.toThrow()
})
