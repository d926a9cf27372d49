import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { doctor } from '../doctor.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-g-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const env = (): Record<string, string> => ({
  HOME: dir,
  XDG_STATE_HOME: join(dir, 'state'),
  TMPDIR: dir,
  MLFLOW_TRACKING_URI: `sqlite:///${join(dir, 'none.db')}`,
})
const guard = (...command: string[]) =>
  doctor(['guard', '--json', '--output', join(dir, 'report.json'), '--', ...command], { env: env(), cwd: dir })
const report = async () => JSON.parse(await readFile(join(dir, 'report.json'), 'utf8'))
const leftovers = async () => (await readdir(dir)).filter((name) => name.startsWith('mdg-'))

test("the command's output and exit code are its own", async () => {
  const ran = await guard('sh', '-c', 'echo out; echo err >&2; echo "$MLFLOW_RUN_CONTEXT" > ctx; exit 7')
  expect(ran).toMatchObject({ code: 7, stdout: 'out\n' })
  expect(ran.stderr).toContain('err')
  expect(await report()).toMatchObject({ command: 'guard', childExit: 7 })
  expect(JSON.parse(await readFile(join(dir, 'ctx'), 'utf8'))).toHaveProperty(['mlflow_doctor.guard'])
  expect(await leftovers()).toEqual([])
})

test('a command that a signal ended gives 128 and its number', async () => {
  const ran = await guard('sh', '-c', 'kill -9 $$')
  expect(ran.code).toBe(137)
})

test('words after -- are the command, also those that look like options', async () => {
  const ran = await guard('sh', '-c', 'echo "$@"', 'x', '--json', '--help', '--')
  expect(ran.stdout).toBe('--json --help --\n')
})

test('a command that does not exist is wrong usage, and nothing is left', async () => {
  const ran = await guard('no-such-command-here')
  expect(ran.code).toBe(2)
  expect(await report()).toMatchObject({ trouble: { kind: 'usage', why: 'there is no such command' } })
  expect(await leftovers()).toEqual([])
})

test('no command, or options that cannot be used, are told before anything runs', async () => {
  expect((await doctor(['guard'], { env: env(), cwd: dir })).code).toBe(2)
  const ran = await doctor(['guard', '--keep', 'much', '--', 'sh', '-c', 'echo ran'], { env: env(), cwd: dir })
  expect(ran).toMatchObject({ code: 2, stdout: '' })
})

test('signals are passed on, and what the command makes of them is its own', async () => {
  const bin = fileURLToPath(new URL('../../src/bin.js', import.meta.url))
  const script = 'trap "echo got; exit 9" TERM; echo ready; while :; do sleep 0.05; done'
  const child = spawn(process.execPath, [bin, 'guard', '--', 'sh', '-c', script], {
    env: { PATH: process.env.PATH, ...env() },
    cwd: dir,
  })
  let out = ''
  child.stdout.on('data', (data: Buffer) => {
    out += data
    if (out === 'ready\n') child.kill('SIGTERM')
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect(out).toBe('ready\ngot\n')
  expect(code).toBe(9)
})

test('what the command leaves in its temp folder stays', async () => {
  await guard('sh', '-c', 'echo kept > "$TMPDIR/mine"')
  const [left] = await leftovers()
  expect(await readFile(join(dir, left ?? '', 't', 'mine'), 'utf8')).toBe('kept\n')
})
