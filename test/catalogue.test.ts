import { readdir, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { checks } from '../checks/index.ts'
import { catalogue, docsOf, explained, unitsOf } from '../src/catalogue.ts'
import { paced, transfers } from '../src/needs/declarations.ts'

const root = new URL('../', import.meta.url)
const ids = checks.map((check) => check.id)

test('checks/README.md is what the declarations say; `npm run docs` writes it', async () => {
  expect(await readFile(new URL('checks/README.md', root), 'utf8')).toBe(catalogue(checks))
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

test('links from findings lead to a heading of the page', async () => {
  const page = catalogue(checks)
  for (const id of ids) {
    expect(page).toContain(`\n## ${id}\n`)
    expect(docsOf(id)).toBe(`checks/README.md#${id.replace('/', '')}`)
  }
})

test('a fact means one thing', () => {
  expect(() => unitsOf(checks)).not.toThrow()
})
