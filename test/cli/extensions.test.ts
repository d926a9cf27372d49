import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repair, scan } from '../../src/index.ts'
import { doctor, examined } from '../doctor.ts'

const api = pathToFileURL(join(import.meta.dirname, '../../src/index.ts')).href

const check = (over: string, id = 'model/naming') => `
import { defineCheck, needs } from '${api}'
export default defineCheck({
  id: '${id}', title: 'Files have names in lower case', severity: 'warning', on: ['scan'],
  needs: [needs.target, needs.listing], wants: [], facts: { capitals: 'count' },
  explain: { measures: 'The names.', breaks: 'A tool of ours.', remedy: 'Rename them.' },
  async *run({ target, listing }) {
    for (const path of listing.files.keys()) {
      const capitals = path.replace(/[^A-Z]/g, '').length
      if (capitals > 0) yield { kind: 'finding', at: target.name + '/' + path, says: 'it has capitals', facts: { capitals }, remedy: { text: 'Rename it.' } }
    }
  },
  ${over}
})`

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-load-'))
  await mkdir(join(dir, 'files'))
  await writeFile(join(dir, 'files/Big.txt'), 'x')
  await writeFile(join(dir, 'naming.ts'), check(''))
  await mkdir(join(dir, 'node_modules/their-checks'), { recursive: true })
  await writeFile(
    join(dir, 'node_modules/their-checks/package.json'),
    '{"name":"their-checks","type":"module","main":"i.js"}',
  )
  await writeFile(
    join(dir, 'node_modules/their-checks/i.js'),
    check('').replace('export default', 'export const checks = [').concat(']'),
  )
})
afterAll(() => rm(dir, { recursive: true, force: true }))

test.each([
  ['a file', './naming.ts'],
  ['a package', 'their-checks'],
])('a check of one’s own, from %s, runs like any other', async (_, load) => {
  const report = await examined(['scan', './files', '--load', load, '--only', 'model/naming'], { cwd: dir })
  expect(report.checks).toMatchObject([
    { id: 'model/naming', state: 'found', findings: [{ says: 'it has capitals', facts: { capitals: 1 } }] },
  ])
  expect(report.units.capitals).toBe('count')
  expect((await doctor(['list', '--load', load], { cwd: dir })).stdout).toContain('model/naming')
  expect((await doctor(['explain', 'model/naming', '--load', load], { cwd: dir })).stdout).toContain('A tool of ours.')
  expect((await doctor(['schema', '--load', load], { cwd: dir })).stdout).toContain('model/naming')
})

test('it is weighed, chosen and left out like any other', async () => {
  const of = (...args: string[]) => examined(['scan', './files', '--load', './naming.ts', ...args], { cwd: dir })
  expect((await of('--fail-on', 'warning')).exitCode).toBe(1)
  expect((await of('--fail-on', 'warning', '--skip', 'model/naming')).exitCode).toBe(0)
  expect((await of('--severity', 'model/naming=error')).exitCode).toBe(1)
})

describe('what is refused, with 2 and one sentence', () => {
  test.each([
    ['a file that is not there', './none.js', '', /Cannot find module/],
    ['a package that is not there', 'no-such-package', '', /no package of this name/],
    ['a module that throws', './throws.js', 'throw new Error("oh dear")', /oh dear/],
    ['something that is no check', './odd.js', 'export default 42', /something else than checks/],
    ['nothing at all', './empty.js', '', /something else than checks/],
    ['an id of another area', './area.js', check('', 'acme/naming'), /not of the form AREA\/NAME/],
    ['an id that is taken', './taken.js', check('', 'model/status'), /there is a check model\/status already/],
    ['a check without a run', './run.js', check('run: undefined'), /no usable `run`/],
    ['a figure with another unit', './unit.js', check("facts: { stored: 'ms' }"), /two units/],
  ])('%s', async (_, load, text, says) => {
    if (text !== '' || load === './empty.js') await writeFile(join(dir, load), text)
    const report = await examined(['scan', './files', '--load', load], { cwd: dir })
    expect(report.exitCode).toBe(2)
    expect(`${report.trouble?.what}: ${report.trouble?.why}`).toMatch(says)
  })
})

describe('for programs', () => {
  const around = { env: { HOME: '/nonexistent', PATH: '' } }

  test('the same report as the command line gives', async () => {
    const files = join(dir, 'files')
    const { startedAt, durationMs, checks, ...report } = await scan({ targets: [files] }, around)
    const line = await examined(['scan', files], { cwd: dir })
    expect(report).toEqual({ ...line, startedAt: undefined, durationMs: undefined, checks: undefined })
    expect(checks.map(({ id, state }) => [id, state])).toEqual(line.checks.map(({ id, state }) => [id, state]))
  })

  test('nothing is thrown: what goes wrong is in the report', async () => {
    expect(await scan({ targets: ['bogus://x'] }, around)).toMatchObject({ exitCode: 2, trouble: { kind: 'usage' } })
    expect(await scan({ targest: ['x'] } as never, around)).toMatchObject({
      exitCode: 2,
      trouble: { why: 'it has no option "targest"' },
    })
    const stopped = AbortSignal.abort()
    expect(await scan({ targets: [join(dir, 'files')] }, { ...around, signal: stopped })).toMatchObject({
      exitCode: 130,
      interrupted: true,
    })
  })

  test('without `yes` a repair does nothing', async () => {
    const [from, to] = [join(dir, 'from'), join(dir, 'to')]
    await mkdir(from)
    await mkdir(to)
    await writeFile(join(from, 'a.bin'), 'whole')
    await writeFile(join(from, 'b.bin'), 'whole')
    await writeFile(join(to, 'a.bin'), 'whole')
    const plan = await repair(
      { targets: [to], from },
      { ...around, env: { ...around.env, XDG_STATE_HOME: join(dir, 'state') } },
    )
    expect(plan.steps?.filter(({ action }) => action === 'upload')).toMatchObject([{ path: 'b.bin', state: 'planned' }])
  })

  test('secrets of the environment leave by no report', async () => {
    const report = await scan(
      { targets: [join(dir, 'pl4nt3d-token-value')] },
      { env: { ...around.env, MLFLOW_TRACKING_TOKEN: 'pl4nt3d-token-value' } },
    )
    expect(JSON.stringify(report)).not.toContain('pl4nt3d')
  })
})
