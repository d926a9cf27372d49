import { describe, expect, test } from 'vitest'
import { FileRows, rowsOf } from '../src/file-map.ts'
import type { Contents, Listing, Structures } from '../src/needs/declarations.ts'
import type { CheckReport, FileRow } from '../src/report.ts'

const listing = (files: Readonly<Record<string, number>>): Listing => ({
  files: new Map(Object.entries(files).map(([path, size]) => [path, { path, size }])),
  bytes: 0,
})
const structures = (unproved: readonly string[] | undefined): Structures => ({
  ...{ files: 0, reads: 0, bytes: 0, doubtful: [], refers: [], untold: [] },
  ...(unproved && { unproved }),
})
const contents = (proved: readonly string[], different: readonly string[] = []): Contents => ({
  proved: new Set(proved),
  different: different.map((path) => ({ path, because: 'other bytes', with: 'folder' })),
  untold: [],
})
const found = (path: string, bytes?: number, expected?: number): CheckReport => ({
  ...{ id: 'artifact/x', title: 'x', state: 'found', ms: 0 },
  findings: [
    {
      ...{ at: `t/${path}`, says: 's', severity: 'error', remedy: { text: 'r', docs: '' } },
      facts: expected === undefined ? {} : { expected },
      wants: [{ want: 'file', target: 't', path, ...(bytes !== undefined && { bytes }) }],
    },
  ],
})
const states = (rows: Iterable<FileRow>) =>
  [...rows].map(({ path, state, bytes, expected }) => [path, state, bytes, expected])

describe('the state of a file', () => {
  test('by what the checks want, what formats show, and what was compared', () => {
    const rows = rowsOf(
      't',
      listing({ 'b.bin': 5, a: 3, whole: 4, empty: 0, equal: 9, other: 9, '.mlflow-doctor/manifest.json': 1 }),
      {
        structures: structures(['a', 'equal', 'other', 'empty']),
        contents: contents(['equal'], ['other']),
        checks: [found('b.bin', 10), found('gone', undefined, 7)],
      },
    )
    expect(states(rows)).toEqual([
      ['a', 'unproved', 3, undefined],
      ['b.bin', 'cut', 5, 10],
      ['empty', 'unproved', 0, undefined],
      ['equal', 'whole', 9, undefined],
      ['gone', 'missing', 0, 7],
      ['other', 'cut', 9, undefined],
      ['whole', 'whole', 4, undefined],
    ])
  })

  test('nothing is whole that nobody looked into', () => {
    for (const of of [undefined, structures(undefined)]) {
      const rows = rowsOf('t', listing({ a: 1 }), { structures: of, contents: undefined, checks: [] })
      expect(states(rows)).toEqual([['a', 'unproved', 1, undefined]])
    }
  })

  test('what another target wants is no matter of this one', () => {
    const rows = rowsOf('u', listing({ a: 1 }), { structures: undefined, contents: undefined, checks: [found('a', 9)] })
    expect(states(rows)).toEqual([['a', 'unproved', 1, undefined]])
  })
})

describe('rows of many targets', () => {
  const row = (n: number, state: FileRow['state']): FileRow => ({ target: 't', path: `${n}`, state, bytes: 1 })

  test('are kept up to a number, the damaged ones longest, and the others counted', () => {
    const rows = new FileRows()
    rows.add(
      Array.from({ length: 5000 }, (_, n) => row(n, 'whole')),
      true,
    )
    rows.add(
      Array.from({ length: 2500 }, (_, n) => row(n, 'missing')),
      true,
    )
    expect(rows.map?.rows.length).toBe(3000)
    expect(rows.map?.more).toEqual({ whole: 4000, missing: 500, cut: 0, unproved: 0 })
  })

  test('of a broad scan are the damaged ones alone', () => {
    const rows = new FileRows()
    rows.add([row(1, 'whole'), row(2, 'cut'), row(3, 'unproved')], false)
    expect(rows.map?.rows.map(({ path }) => path)).toEqual(['2'])
    expect(rows.map?.more).toMatchObject({ whole: 1, unproved: 1 })
  })

  test('go on where a kept state ends', () => {
    const rows = new FileRows()
    rows.add([row(1, 'cut'), row(2, 'whole')], false)
    const again = new FileRows(rows.map)
    again.add([row(3, 'cut')], false)
    expect(again.map).toEqual({
      rows: [row(1, 'cut'), row(3, 'cut')],
      more: { whole: 1, missing: 0, cut: 0, unproved: 0 },
    })
    expect(new FileRows().map).toBeUndefined()
  })
})
