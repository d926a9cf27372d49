import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Report } from '../../src/report.ts'
import { doctor, examined } from '../doctor.ts'
import { clientCommand, eventsOf, scratch, shared, startNginx } from '../lab/index.ts'
import { expectLoaded, type Lost } from './story.ts'

interface Guarded {
  readonly code: number | null
  readonly stderr: string
  readonly report: Report
  readonly lost: Lost
  /** What is left of the guard's own folders. */
  readonly leftovers: readonly string[]
  readonly home: Record<string, string>
}

/** Runs the real client under guard; its tracking server is `url`. */
const guarded = async (
  url: string,
  log: readonly string[],
  more: {
    readonly options?: readonly string[]
    readonly env?: Record<string, string>
    readonly guardUrl?: string
  } = {},
): Promise<Guarded> => {
  const dir = await scratch()
  const home = { HOME: dir, XDG_STATE_HOME: join(dir, 'state'), TMPDIR: dir }
  const { command, env } = await clientCommand('log_model.py', { args: log })
  const output = join(dir, 'report.json')
  const child = more.guardUrl === undefined ? command : ['env', `MLFLOW_TRACKING_URI=${url}`, ...command]
  const ran = await doctor(
    ['guard', '--json', '--output', output, '--settle', '0', ...(more.options ?? []), '--', ...child],
    {
      env: { ...home, ...env, MLFLOW_TRACKING_URI: more.guardUrl ?? url, ...more.env },
    },
  )
  const saved = eventsOf(ran).find(({ event }) => event === 'saved')
  expect(saved, ran.stderr).toBeDefined()
  const lost: Lost = {
    runId: String(saved?.run_id),
    modelId: String(saved?.model_id),
    folder: '',
    files: saved?.files as Lost['files'],
    stderr: ran.stderr,
  }
  const leftovers = (await readdir(dir)).filter((name) => name.startsWith('mdg-'))
  return { ...ran, report: JSON.parse(await readFile(output, 'utf8')) as Report, lost, leftovers, home }
}

/** The client sends by single PUTs, which the proxy before the server refuses; the store itself can be reached. */
const throughNginx = async (log: readonly string[]): Promise<Guarded> => {
  const { mlflowS3, seaweed } = shared()
  const nginx = await startNginx({ upstream: mlflowS3.url, directives: 'client_max_body_size 1m;' })
  try {
    return await guarded(nginx.url, ['--experiment', 'guarded', ...log], {
      options: ['--artifacts-destination', mlflowS3.destination],
      env: { ...seaweed.env, MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: 'false' },
    })
  } finally {
    await nginx.stop()
  }
}

const expectRepaired = async ({ report, lost }: Guarded): Promise<void> => {
  expect(
    report.steps?.filter(({ state }) => state !== 'verified'),
    JSON.stringify(report.steps),
  ).toEqual([])
  expect(report.steps).toContainEqual(expect.objectContaining({ path: 'artifacts/data.bin', state: 'verified' }))
  const { mlflowS3, seaweed } = shared()
  await expectLoaded(lost, { ...seaweed.env, MLFLOW_TRACKING_URI: mlflowS3.url })
}

test('a log_model of 1 GiB that nginx refuses fails as it would, and guard repairs it by another route', async () => {
  const ended = await throughNginx(['--file', 'data.bin=1073741824'])
  // The client's own exit code and words.
  expect(ended.code).toBe(1)
  expect(ended.report.childExit).toBe(1)
  expect(ended.stderr).toMatch(/413/)
  await expectRepaired(ended)
  expect(ended.report.kept).toBeUndefined()
  expect(ended.report.steps?.find(({ path }) => path === 'artifacts/data.bin')?.source).toMatch(/kept by guard/)
  const spools = await readdir(join(ended.home.XDG_STATE_HOME ?? '', 'mlflow-doctor', 'spools'))
  expect(spools).toEqual([])
})

test('the same with kill -9 of the training process', async () => {
  const ended = await throughNginx(['--file', 'data.bin=1073741824', '--kill-after', '0'])
  expect(ended.code).toBe(137)
  await expectRepaired(ended)
})

test('what could not be repaired is kept, and a later repair finds it', async () => {
  const { mlflowS3, seaweed } = shared()
  const nginx = await startNginx({ upstream: mlflowS3.url, directives: 'client_max_body_size 1m;' })
  const ended = await guarded(nginx.url, ['--experiment', 'guarded', '--file', 'data.bin=3000000'], {
    options: ['--no-repair'],
    env: { MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: 'false' },
  }).finally(() => nginx.stop())
  expect(ended.code).toBe(1)
  expect(ended.report.kept).toMatchObject({ models: 1 })
  const env = { ...ended.home, ...seaweed.env, MLFLOW_TRACKING_URI: mlflowS3.url }
  const report = await examined(['repair', `models:/${ended.lost.modelId}`, '--yes', '--settle', '0'], { env })
  expect(report.steps?.find(({ path }) => path === 'artifacts/data.bin')).toMatchObject({
    state: 'verified',
    source: expect.stringContaining('kept by guard'),
  })
  await expectLoaded(ended.lost, env)
})

test('kill -9 of guard itself: what it has kept is found by a later repair', async () => {
  const { mlflowS3, seaweed } = shared()
  const nginx = await startNginx({ upstream: mlflowS3.url, directives: 'client_max_body_size 1m;' })
  const dir = await scratch()
  const home = { HOME: dir, XDG_STATE_HOME: join(dir, 'state'), TMPDIR: dir }
  const spools = join(home.XDG_STATE_HOME, 'mlflow-doctor', 'spools')
  const args = ['--experiment', 'guarded', '--file', 'data.bin=3000000']
  const { command, env } = await clientCommand('log_model.py', { args })
  /** Whether the folder that guard has noted holds a whole model. */
  const isKept = async (): Promise<boolean> => {
    for (const name of await readdir(spools).catch(() => [])) {
      if (!name.endsWith('.json')) continue
      const { dir: spool } = JSON.parse(await readFile(join(spools, name), 'utf8')) as { dir: string }
      const kept = await readdir(spool, { recursive: true }).catch(() => [])
      if (['/MLmodel', '/data.bin'].every((end) => kept.some((path) => path.endsWith(end)))) return true
    }
    return false
  }
  const ran = await doctor(['guard', '--', ...command], {
    env: { ...home, ...env, MLFLOW_TRACKING_URI: nginx.url, MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: 'false' },
    started: async (kill) => {
      await expect.poll(isKept, { timeout: 60_000, interval: 2 }).toBe(true)
      kill('SIGKILL')
    },
  }).finally(() => nginx.stop())
  expect(ran.signal).toBe('SIGKILL')
  // The command lives on, and has failed by itself.
  const saved = eventsOf(ran).find(({ event }) => event === 'saved')
  const repairing = { ...home, ...seaweed.env, MLFLOW_TRACKING_URI: mlflowS3.url }
  const target = `models:/${saved?.model_id}`
  const report = await examined(['repair', target, '--yes', '--settle', '0'], { env: repairing })
  expect(report.steps?.find(({ path }) => path === 'artifacts/data.bin')).toMatchObject({
    state: 'verified',
    source: expect.stringContaining('kept by guard'),
  })
})

test('a run that was logged well is left as it is, and nothing is kept', async () => {
  const { mlflowFolder } = shared()
  const ended = await guarded(mlflowFolder.url, ['--experiment', 'guarded-well', '--file', 'data.bin=2000000'])
  expect(ended.code, JSON.stringify(ended.report.checks.filter(({ state }) => state === 'found'))).toBe(0)
  expect(ended.report).toMatchObject({ childExit: 0, steps: [], covered: { targets: 2 } })
  expect(ended.leftovers).toEqual([])
})
