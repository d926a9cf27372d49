import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { doctor, reportOf } from '../doctor.ts'
import { expectValid } from '../schema.ts'

/** Names as a store or an MLmodel may hold them; none may be obeyed, followed or shown raw. */
const hostile = [
  '::error::planted',
  'a\u001b[31mred',
  '##[error]planted',
  'b\u009bc',
  '<script>x</script>',
  'line\nbreak',
  '\u202egnp.exe',
]
const outside = ['../../etc/passwd', '/etc/passwd', 'a/../../b', '..', 'file:///etc/passwd', 's3://other/key']

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-names-'))
  await mkdir(join(dir, 'model'))
  const names = [...hostile, ...outside]
  const artifacts = names.map((name, n) => `      a${n}:\n        path: ${JSON.stringify(name)}\n`).join('')
  await writeFile(
    join(dir, 'model', 'MLmodel'),
    `flavors:\n  python_function:\n    artifacts:\n${artifacts}    python_model: gone.pkl\n`,
  )
  for (const name of hostile.filter((name) => !name.includes('/'))) await writeFile(join(dir, 'model', name), 'x')
})
afterAll(() => rm(dir, { recursive: true, force: true }))

// What a terminal or a CI log would obey: control codes but line feeds, bidirectional marks, workflow commands.
const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]|^\s*::|##\[/m

describe.each([[['pretty']], [['--json']], [['--verbose']], [['--json', '--verbose']]])('%s', (form) => {
  const args = form[0] === 'pretty' ? [] : form

  test('planted names are escaped, and outside ones refused', async () => {
    const ran = await doctor(['scan', join(dir, 'model'), ...args])
    // Files with such names are never opened, so whether they are whole is unknown.
    expect(ran.code).toBe(3)
    expect(ran.stdout).not.toMatch(obeyed)
    expect(ran.stderr).not.toMatch(obeyed)
    expect(ran.stdout).not.toContain('<script>'.padEnd(form.includes('--json') ? 8 : 99, '!'))
    expect(ran.stdout).toContain('is not followed')
    expect(ran.stdout).toContain('gone.pkl')
    if (args.includes('--json')) {
      const report = reportOf(ran)
      expectValid(report)
      const refused = report.checks
        .flatMap((check) => check.findings)
        .filter(({ says }) => says.includes('is not followed'))
      expect(refused.length).toBeGreaterThanOrEqual(outside.length)
    }
  })

  test('so are words of the command line', async () => {
    const ran = await doctor(['scan', '::error::x\u001b[2J', ...args])
    expect(ran.code).toBe(2)
    expect(ran.stdout + ran.stderr).not.toMatch(obeyed)
  })
})

test('repair sends nothing that an MLmodel names outside its folder', async () => {
  const [stored, from] = [join(dir, 'stored'), join(dir, 'from')]
  await mkdir(stored)
  await mkdir(from)
  const text =
    'flavors:\n  python_function:\n    python_model: ../outside.pkl\n    artifacts:\n      a:\n        path: /etc/hostname\n'
  await writeFile(join(dir, 'outside.pkl'), 'secret')
  await writeFile(join(stored, 'MLmodel'), text)
  await writeFile(join(from, 'MLmodel'), text)
  await writeFile(join(from, 'inside.txt'), 'inside')
  const ran = await doctor(['repair', stored, '--from', from, '--yes', '--json'], {
    env: { HOME: dir, XDG_STATE_HOME: join(dir, 'state') },
  })
  const report = reportOf(ran)
  expectValid(report)
  expect(report.steps?.map(({ path }) => path)).toEqual(['inside.txt', '.mlflow-doctor/manifest.json'])
  expect(ran.code).toBe(1)
})
