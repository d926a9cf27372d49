import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { prepare } from '../lab/prepare.ts'
import type { MlflowVersion } from '../lab/venv.ts'
import { type Row, runCell } from './cell.ts'
import { cells } from './cells.ts'
import { type RunningSite, Shared, Stack, startSite } from './deploy.ts'
import known from './known.json' with { type: 'json' }
import { markdown } from './table.ts'
import type { Cell, Site } from './types.ts'
import { startUploader, type Uploader } from './uploader.ts'

/** `all`, or a regular expression over the names of cells; those of `npm test` unless set. */
const wanted = process.env.MLFLOW_DOCTOR_MATRIX
/** Gets the table, as JSON where it ends in `.json`, else as Markdown. */
const tableFile = process.env.MLFLOW_DOCTOR_MATRIX_TABLE

const chosen = cells.filter(({ name, usual }) =>
  wanted === undefined ? usual === true : wanted === 'all' || new RegExp(wanted).test(name),
)
const listed: Readonly<Record<string, Readonly<Record<string, string>>>> = known

const shared = new Shared()
const uploaders = new Map<MlflowVersion, Promise<Uploader>>()
const rows: Row[] = []

const uploaderOf = (version: MlflowVersion = '3.17.2'): Promise<Uploader> => {
  const uploader = uploaders.get(version) ?? startUploader(version)
  uploaders.set(version, uploader)
  return uploader
}

/** A site runs while cells that need it are to come; only one of them at a time is on it. */
class Place {
  readonly #site: Site
  readonly #stack = new Stack()
  #running: Promise<RunningSite> | undefined
  #queue: Promise<unknown> = Promise.resolve()
  #toCome = 0
  constructor(site: Site) {
    this.#site = site
  }
  expect(): void {
    this.#toCome += 1
  }
  run<T>(job: (site: RunningSite) => Promise<T>): Promise<T> {
    const done = this.#queue.then(async () => {
      try {
        this.#running ??= startSite(this.#site, shared, this.#stack)
        return await job(await this.#running)
      } finally {
        this.#toCome -= 1
        if (this.#toCome === 0) await this.#stack.end()
      }
    })
    this.#queue = done.catch(() => {})
    return done
  }
  end(): Promise<void> {
    return this.#stack.end()
  }
}

const places = new Map<string, Place>()
const placeOf = ({ site }: Cell): Place => {
  const key = JSON.stringify(site)
  const place = places.get(key) ?? new Place(site)
  places.set(key, place)
  return place
}
for (const cell of chosen) placeOf(cell).expect()

beforeAll(prepare, 900_000)

afterAll(async () => {
  const order = new Map(chosen.map(({ name }, index) => [name, index]))
  rows.sort((a, b) => (order.get(a.cell) ?? 0) - (order.get(b.cell) ?? 0))
  const table = markdown(rows, listed)
  console.log(`\n${table}`)
  if (tableFile !== undefined) {
    await writeFile(tableFile, tableFile.endsWith('.json') ? `${JSON.stringify(rows, undefined, 1)}\n` : `${table}\n`)
  }
  for (const place of places.values()) await place.end()
  for (const uploader of uploaders.values()) await (await uploader).stop()
  await shared.end()
})

test.concurrent.for(chosen)('$name', async (cell, { expect }) => {
  const uploader = await uploaderOf(cell.client)
  const row = await placeOf(cell).run((site) => runCell(cell, site, shared, uploader))
  rows.push(row)
  const found = row.problems.map(({ id }) => id).toSorted()
  const allowed = Object.keys(listed[cell.name] ?? {}).toSorted()
  const details = row.problems.map(({ id, says }) => `${id}: ${says}`).join('\n')
  expect(found, details).toEqual(allowed)
})

test('known.json lists cells that exist', () => {
  const names = new Set(cells.map(({ name }) => name))
  expect(Object.keys(listed).filter((name) => !names.has(name))).toEqual([])
})
