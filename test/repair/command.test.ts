import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checks } from '../../checks/index.ts'
import command from '../../src/commands/repair.ts'
import { writeTrackingStore } from '../../src/demo/tracking-store.ts'
import type { Report } from '../../src/report.ts'
import { examined } from '../doctor.ts'

const modelId = `m-${'c'.repeat(32)}`
const target = `models:/${modelId}`
const weights = Buffer.alloc(50_000, 'weights')
const long = 48 * 3_600_000

let dir: string
let artifacts: string
let from: string
let db: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-rc-'))
  artifacts = join(dir, 'artifacts')
  from = join(dir, 'from')
  db = join(dir, 'mlflow.db')
  await mkdir(join(from, 'data'), { recursive: true })
  const model = `flavors:\n  python_function:\n    loader_module: x\n    data: data\nmodel_id: ${modelId}\nmodel_size_bytes: ${weights.length}\n`
  await writeFile(join(from, 'MLmodel'), model)
  await writeFile(join(from, 'data', 'weights.bin'), weights)
  await cp(from, artifacts, { recursive: true })
  const row = {
    modelId,
    name: 'm',
    status: 'PENDING',
    artifacts,
    runId: 'a'.repeat(32),
    changed: Date.now() - long,
  } as const
  writeTrackingStore(db, dir, [row])
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const repair = (...args: readonly string[]): Promise<Report> =>
  examined(['repair', target, '--yes', ...args], {
    env: { MLFLOW_TRACKING_URI: `sqlite:///${db}`, XDG_STATE_HOME: join(dir, 'state') },
  })
const status = (): unknown => {
  const open = new DatabaseSync(db, { readOnly: true })
  try {
    return open.prepare('SELECT status FROM logged_models').get()?.status
  } finally {
    open.close()
  }
}
const stepsOf = ({ steps = [] }: Report) => steps.map(({ action, state, because = '' }) => ({ action, state, because }))
const pending = 1
const ready = 2

describe('an interruption', () => {
  const MiB = 1024 * 1024

  /** Runs the command in this process, so that the interruption comes at a known point. */
  const interruptedAt = async (point: RegExp) => {
    const stop = new AbortController()
    const env = { MLFLOW_TRACKING_URI: `sqlite:///${db}`, XDG_STATE_HOME: join(dir, 'state') }
    const args = {
      ...{ targets: [target], from, yes: true, dryRun: false, overwrite: [], abortOrphans: false },
      ...{ olderThan: '24h', settle: '0s', memory: '4MiB', only: [], skip: [], severity: [], trustHost: [] },
      ...{ timeout: '60s', readOnly: false, require: [] },
    }
    return command.report?.(args as never, {
      host: { env, cwd: dir, home: dir, platform: process.platform, ask: undefined },
      checks,
      version: '0',
      signal: stop.signal,
      progress: (says, moved) => {
        if (says !== undefined && point.test(`${says}: ${moved?.done ?? 'not moving'}`)) stop.abort()
      },
      whileChild: (_pass, ended) => ended,
      tell: () => undefined,
    })
  }

  test('keeps the steps and the first look in the report, and says what is kept', async () => {
    await writeFile(join(from, 'data', 'large.bin'), Buffer.alloc(12 * MiB, 'large'))
    const report = await interruptedAt(/^data\/large\.bin: [1-9]/)
    expect(report?.steps).toMatchObject([
      {
        path: 'data/large.bin',
        state: 'failed',
        because: expect.stringMatching(/^interrupted; .* of 12 MiB are kept/),
      },
      { action: 'write-manifest', state: 'planned' },
      { action: 'set-ready', state: 'planned' },
    ])
    expect(report?.steps?.[0]?.sent).toBeGreaterThan(0)
    const found = report?.checks.flatMap(({ findings }) => findings).map(({ at }) => at)
    expect(found).toContain(`${target}/data/large.bin`)
    expect(report?.covered).toMatchObject({ targets: 1, objects: 2 })
    const again = await repair('--from', from, '--settle', '0')
    expect(again.steps?.map(({ state }) => state)).toEqual(['verified', 'verified', 'verified'])
    expect(again.steps?.[0]?.reused).toBeGreaterThanOrEqual(report?.steps?.[0]?.sent ?? 0)
  })

  test('while nothing was done yet keeps what was seen', async () => {
    const report = await interruptedAt(/: model\/status/)
    expect(report?.checks.length).toBeGreaterThan(0)
    expect(status()).toBe(pending)
  })
})

describe('READY', () => {
  test('is set on a whole model, and the proof is told', async () => {
    const report = await repair('--from', from)
    expect(stepsOf(report)).toMatchObject([
      {
        action: 'set-ready',
        state: 'verified',
        because: expect.stringContaining('2 files by: CRC32 of the whole object'),
      },
    ])
    expect(report.exitCode).toBe(0)
    expect(status()).toBe(ready)
  })

  test.each([
    ['--only', ['--only', 'model/status']],
    ['--skip', ['--skip', 'artifact/*']],
  ])('is not set on a broken model whatever %s leaves out', async (_name, chosen) => {
    await rm(join(artifacts, 'data', 'weights.bin'))
    const report = await repair('--from', from, ...chosen)
    expect(stepsOf(report)).toMatchObject([
      { action: 'set-ready', state: 'failed', because: expect.stringContaining('it is not stored') },
    ])
    expect(report.exitCode).toBe(1)
    expect(status()).toBe(pending)
  })

  test('is not set over zeros of the same size, which --overwrite replaces', async () => {
    await writeFile(join(artifacts, 'data', 'weights.bin'), Buffer.alloc(weights.length))
    const report = await repair('--from', from)
    expect(stepsOf(report)).toMatchObject([
      { action: 'set-ready', state: 'failed', because: expect.stringContaining('--overwrite data/weights.bin') },
    ])
    expect(report.exitCode).toBe(1)
    expect(status()).toBe(pending)
    const again = await repair('--from', from, '--overwrite', 'data/weights.bin')
    expect(stepsOf(again)).toMatchObject([
      { action: 'upload', state: 'verified' },
      { action: 'write-manifest', state: 'verified' },
      { action: 'set-ready', state: 'verified' },
    ])
    expect(status()).toBe(ready)
  })

  test('is not set without the local folder, though all sizes agree', async () => {
    const report = await repair()
    expect(stepsOf(report)).toMatchObject([
      { action: 'set-ready', state: 'declined', because: expect.stringContaining('give --from') },
    ])
    expect(report.exitCode).toBe(1)
    expect(status()).toBe(pending)
  })

  test('does not wait for an unfinished upload of a name that the model does not have', async () => {
    const left = join(artifacts, '.artifact.uploading.k2v9')
    await writeFile(left, 'x')
    const past = new Date(Date.now() - long)
    await utimes(left, past, past)
    const report = await repair('--from', from)
    expect(stepsOf(report)).toMatchObject([
      { action: 'abort-upload', state: 'declined' },
      { action: 'set-ready', state: 'verified' },
    ])
    expect(status()).toBe(ready)
    const gone = await repair('--abort-orphans', '--older-than', '0s')
    expect(stepsOf(gone)).toMatchObject([{ action: 'abort-upload', state: 'verified' }])
    expect(gone.exitCode).toBe(0)
  })
})

test('a folder that names no owner is put into no run when there are several to choose from', async () => {
  const loose = join(dir, 'loose')
  await mkdir(loose)
  await writeFile(join(loose, 'metrics.csv'), 'a,b\n1,2\n')
  const other = { name: 'n', status: 'READY', changed: 0 } as const
  const rows = ['1', '2'].map((n) => ({
    ...other,
    modelId: `m-${n.repeat(32)}`,
    runId: n.repeat(32),
    artifacts: join(dir, 'models', n),
  }))
  const two = join(dir, 'two.db')
  writeTrackingStore(two, join(dir, 'runs'), rows)
  const env = { MLFLOW_TRACKING_URI: `sqlite:///${two}`, XDG_STATE_HOME: join(dir, 'state') }
  const report = await examined(['repair', '--experiment', 'demo', '--from', loose, '--yes'], { env })
  expect(report).toMatchObject({
    exitCode: 2,
    trouble: { kind: 'usage', why: expect.stringMatching(/whose they are/) },
  })
  expect(existsSync(join(dir, 'runs', '1'.repeat(32), 'artifacts', 'metrics.csv'))).toBe(false)
  const one = await examined(['repair', `runs:/${'1'.repeat(32)}`, '--from', loose, '--yes'], { env })
  expect(one.steps?.map(({ path, state }) => `${path} ${state}`)).toContain('metrics.csv verified')
})
