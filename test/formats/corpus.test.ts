import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { page, sectionIn, sweepCommitted, tablesOf } from '../corpus/committed.ts'
import { ratesOf } from '../corpus/rates-table.ts'
import { alarming } from '../corpus/sweep.ts'
import { belowThreshold } from '../corpus/thresholds.ts'

const swept = await sweepCommitted()

test('no valid file of the corpus is called broken or suspect', () => {
  const alarms = swept.filter(({ intact }) => alarming(intact))
  expect(alarms.map(({ path, format, intact }) => `${path}: ${format}, ${intact.because}`)).toEqual([])
})

test('the corpus is there, in all its formats', () => {
  expect(swept.length).toBeGreaterThan(700)
  expect(ratesOf(swept).length).toBeGreaterThan(25)
})

test('every format notices at least the share of cuts that is asked of it', () => {
  expect(belowThreshold(ratesOf(swept))).toEqual([])
})

test('the table of rates in the documentation is the one that the corpus gives (npm run rates)', async () => {
  expect(sectionIn(await readFile(page, 'utf8'), 'committed')).toBe(tablesOf(swept))
})
