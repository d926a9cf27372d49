import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { doctor, examined, reportOf } from '../doctor.ts'
import { expectValid } from '../schema.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-config-'))
  await mkdir(join(dir, 'below/model'), { recursive: true })
  await writeFile(join(dir, 'below/model/MLmodel'), 'flavors: {}\nmodel_size_bytes: 5000\n')
  await writeFile(join(dir, 'below/model/weights.bin'), 'short')
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const configure = (value: unknown, file = 'mlflow-doctor.config.json') =>
  writeFile(join(dir, file), typeof value === 'string' ? value : JSON.stringify(value))
const scan = (...args: string[]) => examined(['scan', './model', ...args], { cwd: join(dir, 'below') })
const states = (report: Awaited<ReturnType<typeof scan>>) => report.checks.map(({ id }) => id)

const reason = 'the archive keeps only a part'

describe('is found', () => {
  test.each([
    ['a file of its own', 'mlflow-doctor.config.json', { only: ['artifact/empty-files'] }],
    ['package.json', 'package.json', { name: 'x', 'mlflow-doctor': { only: ['artifact/empty-files'] } }],
    [
      'pyproject.toml',
      'pyproject.toml',
      '[project]\nname = "x"\n[tool.mlflow-doctor]\nonly = ["artifact/empty-files"]\n',
    ],
  ])('in %s, from a folder below', async (_, file, value) => {
    await configure(value, file)
    const report = await scan()
    expect(states(report)).toEqual(['artifact/empty-files'])
    expect(report.configuration?.file).toBe(join(dir, file))
    expectValid(report)
  })

  test('not in files that say nothing of it, nor in broken ones of others', async () => {
    await configure({ name: 'x' }, 'package.json')
    await configure('[project\nname', 'pyproject.toml')
    expect((await scan()).configuration).toBeUndefined()
  })

  test('by name, before any other', async () => {
    await configure({ skip: ['artifact/*'] })
    await configure({ only: ['artifact/empty-files'] }, 'other.json')
    const report = await scan('--config', '../other.json')
    expect(states(report)).toEqual(['artifact/empty-files'])
  })
})

describe('what it holds', () => {
  test('gives way to the command line, and to what contradicts it', async () => {
    await configure({ only: ['artifact/empty-files'], check: { size: '1GiB' } })
    expect(states(await scan('--only', 'artifact/structure'))).toEqual(['artifact/structure'])
    const model = await examined(['check', '--model', 'below', '--only', 'host/*'], { cwd: dir })
    expect(model.forecast?.map(({ path }) => path)).toEqual(['model/MLmodel', 'model/weights.bin'])
    const size = await examined(['check', '--only', 'host/*'], { cwd: dir })
    expect(size.forecast?.map(({ bytes }) => bytes)).toEqual([2 ** 30])
  })

  test('serves all commands: what another one looks at is no slip', async () => {
    await configure({
      skip: ['store/leftovers', 'artifact/empty-files'],
      severity: { 'host/memory': 'info', 'artifact/size-mismatch': 'warning' },
    })
    const report = await scan()
    expect(states(report)).not.toContain('artifact/empty-files')
    expect(report.counts.findings).toEqual({ info: 0, warning: 1, error: 0 })
    expect(report.exitCode).toBe(0)
    expect((await scan('--fail-on', 'warning')).exitCode).toBe(1)
  })

  test.each([
    ['no JSON', '{"only": [', /Mend its JSON/],
    ['an unknown key', { onyl: ['x'] }, /unknown key "onyl"/],
    ['a wrong type', { only: 'host/*' }, /only must be array/],
    ['an unknown severity', { severity: { 'host/memory': 'fatal' } }, /severity\.host~1memory is none of|is none of/],
    ['an unknown check', { severity: { 'host/memmory': 'info' } }, /no check "host\/memmory"/],
    [
      'an ignored check that is none',
      { ignore: [{ check: 'artifact/strukture', reason }] },
      /no check "artifact\/strukture"/,
    ],
    ['an ignore entry without a reason', { ignore: [{ check: 'artifact/structure' }] }, /required property 'reason'/],
    [
      'a day that is none',
      { ignore: [{ check: 'artifact/structure', reason, until: '2026-02-30' }] },
      /2026-02-30 is no day/,
    ],
    ['a consent', { repair: { yes: true } }, /unknown key "yes"/],
    ['an option of another command', { scan: { size: '1' } }, /unknown key "size"/],
  ])('%s ends with 2 and one sentence', async (_, value, says) => {
    await configure(value)
    const report = await scan()
    expect(report.exitCode).toBe(2)
    expect(`${report.trouble?.what}: ${report.trouble?.why}. ${report.trouble?.todo}`).toMatch(says)
  })

  test.each([
    ['trackingUri', { trackingUri: 'http://evil.invalid' }],
    ['artifactsDestination', { artifactsDestination: 's3://evil' }],
    ['trustHost', { trustHost: ['evil.invalid'] }],
    ['load', { load: ['./evil.js'] }],
    ['check.python', { check: { python: './evil' } }],
  ])(
    '%s counts only in a file that was named: a repository from elsewhere must not choose where credentials go',
    async (key, value) => {
      await configure(value)
      const report = await scan()
      expect(report.exitCode).toBe(2)
      expect(report.trouble?.why).toContain(`"${key}"`)
      if (key === 'trackingUri') {
        const named = await examined(
          ['check', '--config', join(dir, 'mlflow-doctor.config.json'), '--only', 'network/reach'],
          { cwd: dir },
        )
        expect(JSON.stringify(named)).toContain('evil.invalid')
      }
    },
  )

  test('the schema that editors read takes what works, and refuses what does not', async () => {
    const schema = JSON.parse((await doctor(['schema', '--of', 'configuration'])).stdout)
    const validate = new Ajv2020({ strict: false }).compile(schema)
    expect(
      validate({
        $schema: './x.json',
        failOn: 'warning',
        ignore: [{ check: 'store/*', reason }],
        check: { size: '20GiB' },
      }),
    ).toBe(true)
    expect(validate({ failOn: 'never' })).toBe(false)
  })
})

describe('ignore', () => {
  const size = 'artifact/size-mismatch'

  test('takes a finding out of the count, and tells it with its reason', async () => {
    await configure({ ignore: [{ check: size, reason, until: '2999-12-31' }] })
    const report = await scan()
    expectValid(report)
    expect(report.exitCode).toBe(0)
    expect(report.counts.findings.error).toBe(0)
    expect(report.ignored).toMatchObject([{ check: size, reason, until: '2999-12-31', severity: 'error' }])
    expect(report.checks.find(({ id }) => id === size)).toMatchObject({ state: 'found', findings: [], ignored: 1 })
    const { stdout } = await doctor(['scan', './model'], { cwd: join(dir, 'below') })
    expect(stdout).toContain(reason)
    expect(stdout).toContain('1 ignored')
  })

  test('ends with its day, and that is told', async () => {
    await configure({ ignore: [{ check: size, reason, until: '2020-01-01' }] })
    const report = await scan()
    expect(report.exitCode).toBe(1)
    expect(report.configuration?.expired).toEqual([`${size}, until 2020-01-01`])
    const { stdout } = await doctor(['scan', './model'], { cwd: join(dir, 'below') })
    expect(stdout).toContain('is over and counts no more')
  })

  test.each([
    ['elsewhere', '**/other', 1],
    ['there', '**/below/model/*', 0],
  ])('holds only where it says: %s', async (_, at, code) => {
    await configure({ ignore: [{ check: size, at, reason }] })
    const report = reportOf(await doctor(['scan', join(dir, 'below/model'), '--json'], { cwd: dir }))
    expect(report.exitCode).toBe(code)
    if (code === 1) expect(report.configuration?.unused).toEqual([`${size} at ${at}`])
  })

  test('does not hide what could not be looked at', async () => {
    await configure({ ignore: [{ check: '*/*', reason }] })
    const report = reportOf(await doctor(['check', '--tracking-uri', 'http://127.0.0.1:9', '--json'], { cwd: dir }))
    expect(report.exitCode).toBe(3)
  })
})
