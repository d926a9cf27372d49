import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { prepare } from '../lab/prepare.ts'
import type { Row } from './cell.ts'
import { cells } from './cells.ts'
import known from './known.json' with { type: 'json' }
import { schedule } from './schedule.ts'
import { markdown } from './table.ts'

/** `all`, or a regular expression over the names of cells; those of `npm test` unless set. */
const wanted = process.env.MLFLOW_DOCTOR_MATRIX
/** Gets the table, as JSON where it ends in `.json`, else as Markdown. */
const tableFile = process.env.MLFLOW_DOCTOR_MATRIX_TABLE

const chosen = cells.filter(({ name, usual }) =>
  wanted === undefined ? usual === true : wanted === 'all' || new RegExp(wanted).test(name),
)
/** Cell to what disagrees in it, each with the reason; one that begins with `sometimes` may agree as well. */
const listed: Readonly<Record<string, Readonly<Record<string, string>>>> = known

const rows: Row[] = []
let running: ReturnType<typeof schedule> | undefined

const inOrder = (): Row[] => {
  const order = new Map(chosen.map(({ name }, index) => [name, index]))
  return rows.toSorted((a, b) => (order.get(a.cell) ?? 0) - (order.get(b.cell) ?? 0))
}

/** After each cell, so that a run that is ended leaves what it found. */
const writeTable = (file: string): void => {
  const sorted = inOrder()
  const text = file.endsWith('.json') ? JSON.stringify(sorted, undefined, 1) : markdown(sorted, listed)
  writeFileSync(file, `${text}\n`)
}

beforeAll(async () => {
  await prepare()
  running = schedule(chosen, (row) => {
    rows.push(row)
    if (tableFile !== undefined) writeTable(tableFile)
  })
}, 900_000)

afterAll(async () => {
  console.log(`\n${markdown(inOrder(), listed)}`)
  await running?.end()
})

test.for(chosen)('$name', async (cell) => {
  const row = await running?.rowOf(cell)
  if (row === undefined) throw new Error('nothing runs')
  const found = row.problems.map(({ id }) => id).toSorted()
  const allowed = Object.entries(listed[cell.name] ?? {})
    .filter(([id, why]) => !why.startsWith('sometimes') || found.includes(id))
    .map(([id]) => id)
    .toSorted()
  const details = row.problems.map(({ id, says }) => `${id}: ${says}`).join('\n')
  expect(found, details).toEqual(allowed)
})

test('known.json lists cells that exist', () => {
  const names = new Set(cells.map(({ name }) => name))
  expect(Object.keys(listed).filter((name) => !names.has(name))).toEqual([])
})

test('between a third and two thirds of the cells pass, of all and of the usual ones', () => {
  for (const some of [cells, cells.filter(({ usual }) => usual)]) {
    const share = some.filter(({ upload }) => upload === 'passes').length / some.length
    expect(share).toBeGreaterThan(1 / 3)
    expect(share).toBeLessThan(2 / 3)
  }
  expect(cells.length).toBeGreaterThanOrEqual(80)
  expect(cells.filter(({ usual }) => usual).length).toBeGreaterThanOrEqual(24)
})
