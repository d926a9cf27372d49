import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { examined } from '../doctor.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-ta-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

test('a folder that is not there is no healthy store', async () => {
  const report = await examined(['scan', './no-such-folder'], { cwd: dir })
  expect(report.exitCode).toBe(3)
  const said = report.checks.map(({ reason = '' }) => reason).join()
  expect(said).toContain('there is no such folder')
})

test('one that is there may be empty', async () => {
  expect((await examined(['scan', './'], { cwd: dir })).exitCode).toBe(0)
})

test('with a local folder to compare with, all of it is missing', async () => {
  await mkdir(join(dir, 'from'))
  await writeFile(join(dir, 'from', 'f'), 'x')
  const report = await examined(['scan', './stored', '--against', './from'], { cwd: dir })
  expect(report.exitCode).toBe(1)
  expect(report.counts.findings.error).toBe(1)
})

test.each(['a%20b', 'a%2520b', '100%', 'a b', 'a#b?c'])('the folder %j is taken as it is written', async (name) => {
  await mkdir(join(dir, name))
  await writeFile(join(dir, name, 'f'), 'x')
  const report = await examined(['scan', `./${name}`], { cwd: dir })
  expect(report).toMatchObject({ exitCode: 0, covered: { objects: 1 } })
})
