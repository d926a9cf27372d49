import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { doctor, examined, reportOf } from '../doctor.ts'
import { expectValid } from '../schema.ts'

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-cli-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const dead = 'http://127.0.0.1:9'

test('what follows -- is a target', async () => {
  const ran = await doctor(['scan', '--json', '--only', 'artifact/empty-files', '--', dir])
  expect(reportOf(ran)).toMatchObject({ exitCode: 0, target: dir })
})

describe('wrong usage ends with 2 and one sentence', () => {
  test.each([
    ['an unknown option', ['check', '--sise', '1'], /sise/],
    ['an unknown command', ['chekc'], /chekc/],
    ['no command', [], /no command was given/],
    ['a size that is none', ['check', '--size', 'huge'], /--size huge/],
    ['a time that is none', ['check', '--timeout', 'abc'], /--timeout abc/],
    ['an option given twice', ['check', '--size', '1', '--size', '2'], /--size is given more than once/],
    ['checks that leave none', ['check', '--only', 'host/*', '--skip', 'host/*'], /leave no check/],
    ['two plans', ['check', '--size', '1', '--model', '.'], /mutually exclusive/],
    ['an unknown format', ['check', '--format', 'xml'], /xml/],
    ['a pattern that matches nothing', ['check', '--only', 'stroe/*'], /--only stroe/],
    ['a depth that is none', ['scan', '.', '--depth', 'sample=0%'], /--depth sample=0%/],
    ['no target', ['scan'], /no target was given/],
    ['a target that is none', ['scan', 'bogus://x'], /bogus/],
    ['a tracking URI that is none', ['check', '--tracking-uri', 'http://'], /tracking URI/],
    ['an unknown check to explain', ['explain', 'host/none'], /host\/none/],
    ['a folder that is not there', ['check', '--model', '/no/such/folder'], /\/no\/such\/folder/],
    ['an output that cannot be written', ['scan', '/nowhere', '--output', '/no/such/folder/report.json'], /report/],
  ])('%s', async (_, args, says) => {
    const ran = await doctor(args, { env: { MLFLOW_TRACKING_URI: dead } })
    expect(ran.code, ran.stderr).toBe(2)
    expect(ran.stdout + ran.stderr).toMatch(says)
    expect(ran.stdout + ran.stderr).not.toMatch(/^\s+at .*:\d+/m)
  })

  test('as JSON too, valid by the schema', async () => {
    for (const args of [
      ['check', '--sise', '1', '--json'],
      ['scan', '--json'],
      ['--json'],
      ['check', '--format=json', '--fail-on', 'x'],
    ]) {
      const ran = await doctor(args)
      expect(ran.code).toBe(2)
      const report = reportOf(ran)
      expectValid(report)
      expect(report.trouble?.kind).toBe('usage')
    }
  })
})

describe('what cannot be looked at ends with 3, as a valid document', () => {
  test.each([
    ['a dead server', 'http://127.0.0.1:9'],
    ['a name that does not resolve', 'http://no-such-host.invalid'],
    ['a database server', 'postgresql://user:pw@db/mlflow'],
    ['Databricks', 'databricks'],
    ['an ARN', 'arn:aws:sagemaker:us-east-1:123456789012:mlflow-tracking-server/x'],
    ['a store in place of a tracking URI', 's3://bucket/mlflow'],
    ['a sqlite file that is not there', 'sqlite:////no/such/mlflow.db'],
  ])('check: %s', async (_, uri) => {
    const report = await examined(['check', '--size', '1GiB'], { env: { MLFLOW_TRACKING_URI: uri } })
    expectValid(report)
    expect(report.exitCode).toBe(3)
    // The rest is complete: this machine was looked at all the same.
    expect(report.checks.find(({ id }) => id === 'host/temp-disk')?.state).not.toBe('blocked')
    expect(report.checks.some(({ state }) => state === 'blocked')).toBe(true)
  })

  test('scan: a dead server', async () => {
    const report = await examined(['scan', 'runs:/0123456789abcdef0123456789abcdef'], {
      env: { MLFLOW_TRACKING_URI: dead },
    })
    expectValid(report)
    expect(report).toMatchObject({ exitCode: 3, trouble: { kind: 'unreachable' } })
  })

  test('scan: a folder of this machine needs no tracking server that lives', async () => {
    await writeFile(join(dir, 'x.bin'), 'x')
    const report = await examined(['scan', dir], { env: { MLFLOW_TRACKING_URI: dead } })
    expect(report.checks.filter(({ state }) => state === 'blocked')).toEqual([])
    expect(report.covered.objects).toBe(1)
  })

  test('a secret that is a number breaks no figure of the document', async () => {
    await writeFile(join(dir, 'x.bin'), 'x'.repeat(10_245))
    const ran = await doctor(['scan', dir, '--json'], { env: { MLFLOW_TRACKING_TOKEN: '1024' } })
    expectValid(reportOf(ran))
    expect(reportOf(ran).covered.bytes).toBeGreaterThanOrEqual(10_245)
  })

  test('a user without a home or a name is no crash', async () => {
    const ran = await doctor(['check', '--json'], { env: { HOME: '', USER: '', MLFLOW_TRACKING_URI: dead } })
    expectValid(reportOf(ran))
    expect(ran.code).toBe(3)
  })

  test('a time-out longer than any timer is no time-out of nothing', async () => {
    const ran = await doctor(['check', '--json', '--timeout', '99999999'], { env: { MLFLOW_TRACKING_URI: dead } })
    expect(reportOf(ran).checks.map(({ state }) => state)).not.toContain('crashed')
  })

  test('a pipe that is closed early ends quietly', () => {
    const line = `"${process.execPath}" src/bin.js schema | head -c 5 >&2; echo "\${PIPESTATUS[0]}"`
    const ran = spawnSync('bash', ['-c', line], { encoding: 'utf8' })
    expect(ran.stdout).toBe('0\n')
    expect(ran.stderr).toBe('{\n  "')
  })
})

test('an option that may be repeated keeps every value', async () => {
  const report = await examined([
    'check',
    '--only',
    'host/temp-disk',
    '--only',
    'host/memory',
    '--require',
    'sizes',
    '--require',
    'limits',
  ])
  expect(report.checks.map(({ id }) => id)).toEqual(['host/temp-disk', 'host/memory'])
  expect(report.required).toEqual(['sizes', 'limits'])
  expect(report.exitCode).toBe(3)
})

describe('what needs nothing', () => {
  test('--version is the version of the package, and imports nothing heavy', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    const ran = await doctor(['--version'], { env: { NODE_DEBUG: 'esm,module' } })
    expect(ran).toMatchObject({ code: 0, stdout: `${version}\n` })
    expect(ran.stderr).not.toMatch(/aws-sdk|@azure|@google-cloud|yargs|undici|node-fetch/)
    // The same eye sees them where they are used.
    const other = await doctor(['list'], { env: { NODE_DEBUG: 'esm,module' } })
    expect(other.stderr).toMatch(/yargs/)
    expect(other.stderr).not.toMatch(/@aws-sdk/)
  })

  test('an older Node is told in one sentence (a pretended version)', async () => {
    const old = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })"
    const ran = await doctor(['check'], {
      env: { NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(old)}"` },
    })
    expect(ran.code).toBe(2)
    expect(ran.stderr).toMatch(/^mlflow-doctor needs Node 22\.19 or newer, and this is Node 20\.20\.2: .*\n$/)
  })

  test('--help names every command and the exit codes', async () => {
    const ran = await doctor(['--help'])
    expect(ran.code).toBe(0)
    for (const word of ['check', 'scan', 'repair', 'explain', 'list', 'schema', 'Exit codes'])
      expect(ran.stdout).toContain(word)
  })

  test('list and explain are plain and JSON', async () => {
    const listed = JSON.parse((await doctor(['list', '--json'])).stdout) as { id: string }[]
    expect(listed.length).toBeGreaterThan(3)
    for (const { id } of listed.slice(0, 2)) {
      expect((await doctor(['explain', id])).stdout).toContain('Remedy')
      expect(JSON.parse((await doctor(['explain', id, '--json'])).stdout)).toMatchObject({ id })
    }
  })

  test('a machine format leaves standard output to itself; --output takes it away', async () => {
    const output = join(dir, 'report.json')
    const ran = await doctor(['scan', dir, '--json', '--output', output])
    expect(ran.stdout).toBe('')
    const report = JSON.parse(await readFile(output, 'utf8'))
    expectValid(report)
    expect(report.exitCode).toBe(ran.code)
  })
})

test('a terminal without a width gets the report, and no spinner that clears endless lines', () => {
  const inTerminal = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))'
  const bin = join(import.meta.dirname, '../../src/bin.js')
  const args = ['-c', inTerminal, process.execPath, bin, 'check', '--tracking-uri', dead]
  const ran = spawnSync('python3', args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', timeout: 50_000 })
  expect(ran.status, ran.stderr).toBe(3)
  expect(ran.stdout).toContain('exit code 3')
  expect(ran.stdout.length).toBeLessThan(100_000)
})
