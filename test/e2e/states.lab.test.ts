/** What a real tracking server says of runs and versions, held against what is stored: states that no file shows. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Report } from '../../src/report.ts'
import { examined } from '../doctor.ts'
import { eventsOf, python, scratch, shared, startMlflow } from '../lab/index.ts'
import { findings } from './story.ts'

const day = 86_400_000

let mlflow: Awaited<ReturnType<typeof startMlflow>>
let env: Record<string, string>
beforeAll(async () => {
  mlflow = await startMlflow()
  env = { MLFLOW_TRACKING_URI: mlflow.url }
})
afterAll(() => mlflow?.stop())

const call = async (method: string, path: string, body: object): Promise<Record<string, never>> => {
  const response = await fetch(`${mlflow.url}/api/2.0/mlflow/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${text}`)
  return JSON.parse(text)
}
const experiment = async (name: string, location?: string): Promise<string> => {
  const made = await call('POST', 'experiments/create', { name, ...(location && { artifact_location: location }) })
  return String(made.experiment_id)
}
const begin = async (experimentId: string, ageMs: number, tags: Record<string, string> = {}): Promise<string> => {
  const start_time = Date.now() - ageMs
  const list = Object.entries(tags).map(([key, value]) => ({ key, value }))
  const made = await call('POST', 'runs/create', { experiment_id: experimentId, start_time, tags: list })
  return (made.run as unknown as { info: { run_id: string } }).info.run_id
}
const logModel = async (experimentId: string, runId: string): Promise<string> => {
  const made = await call('POST', 'logged-models', { experiment_id: experimentId, name: 'm', source_run_id: runId })
  const id = (made.model as unknown as { info: { model_id: string } }).info.model_id
  await call('POST', 'runs/outputs', { run_id: runId, models: [{ model_id: id, step: 0 }] })
  return id
}
const scan = (...targets: string[]): Promise<Report> => examined(['scan', ...targets], { env })
const stored = async (path: string): Promise<void> => {
  const put = await fetch(`${mlflow.url}/api/2.0/mlflow-artifacts/artifacts/${path}`, { method: 'PUT', body: 'x' })
  expect(put.status).toBe(200)
}
const inDatabase = (sql: string): void => {
  const db = new DatabaseSync(join(mlflow.dir, 'mlflow.db'), { timeout: 10_000 })
  db.exec(sql)
  db.close()
}

describe('a run that stays RUNNING', () => {
  test('is told with its age; a metric, a child that trains, or the end of the run silences it', async () => {
    const e = await experiment('running')
    const [old, metric, parent, ended] = [
      await begin(e, 3 * day),
      await begin(e, 3 * day),
      await begin(e, 3 * day),
      await begin(e, 3 * day),
    ]
    const [point, child] = [{ run_id: metric, key: 'loss', value: 1, step: 0 }, { 'mlflow.parentRunId': parent }]
    await call('POST', 'runs/log-metric', { ...point, timestamp: Date.now() - 3_600_000 })
    await begin(e, 60_000, child)
    await call('POST', 'runs/update', { run_id: ended, status: 'KILLED', end_time: Date.now() })
    const report = await scan(...[old, metric, parent, ended].map((id) => `runs:/${id}`))
    expect(findings(report, 'model/abandoned-run')).toMatchObject([
      { at: `runs:/${old}`, severity: 'warning', says: 'the run is RUNNING, and nothing of it is newer than 3 days' },
    ])
    expect(report.exitCode).toBe(0)
    // As an experiment, where the runs come many in one answer.
    const whole = await examined(['scan', '--experiment', 'running'], { env })
    expect(findings(whole, 'model/abandoned-run').map(({ at }) => at)).toEqual([`runs:/${old}`])
  })

  test('with files that carry no time it is told as one that may be alive', async () => {
    const e = await experiment('undated')
    const run = await begin(e, 3 * day)
    await stored(`${e}/${run}/artifacts/a.txt`)
    expect(findings(await scan(run), 'model/abandoned-run')).toMatchObject([
      { severity: 'info', says: expect.stringMatching(/unknown: 1 stored file/) },
    ])
  })

  test('of a folder that this machine has, a fresh file is a sign of life', async () => {
    const dir = await scratch()
    const e = await experiment('dated', pathToFileURL(dir).href)
    const [fresh, empty] = [await begin(e, 3 * day), await begin(e, 3 * day)]
    await mkdir(join(dir, fresh, 'artifacts'), { recursive: true })
    await writeFile(join(dir, fresh, 'artifacts', 'a.txt'), 'x')
    const report = await scan(fresh, empty)
    expect(findings(report, 'model/abandoned-run').map(({ at }) => at)).toEqual([`runs:/${empty}`])
    // The empty one's folder may as well lie on another machine.
    expect(report.covered.gaps.filter(({ because }) => /this machine does not have/.test(because))).toMatchObject([
      { at: `runs:/${empty}`, unexpected: false },
    ])
    // The database itself says the same.
    const sqlite = { MLFLOW_TRACKING_URI: `sqlite:///${join(mlflow.dir, 'mlflow.db')}` }
    const again = await examined(['scan', fresh, empty], { env: sqlite })
    expect(findings(again, 'model/abandoned-run').map(({ at }) => at)).toEqual([`runs:/${empty}`])
  })
})

describe('what a run names', () => {
  test('a logged model that was deleted is told, and the rest of the run is looked at', async () => {
    const e = await experiment('outputs')
    const run = await begin(e, 0)
    const [kept, deleted] = [await logModel(e, run), await logModel(e, run)]
    await stored(`${e}/models/${kept}/artifacts/MLmodel`)
    await call('DELETE', `logged-models/${deleted}`, {})
    const report = await scan(`runs:/${run}`)
    expect(findings(report, 'model/outputs')).toMatchObject([
      { at: `runs:/${run}`, facts: { missingModel: deleted }, severity: 'warning' },
    ])
    expect(report.checks.some(({ target }) => target === `models:/${kept}`)).toBe(true)
    expect(report.exitCode).toBe(1)
  })

  test('a bucket that is gone is a finding, and never an empty run', async () => {
    const { seaweed } = shared()
    const e = await experiment('no bucket', 's3://no-such-bucket-here/x')
    const run = await begin(e, 0)
    const report = await examined(['scan', run], { env: { ...env, ...seaweed.env } })
    expect(findings(report, 'model/artifact-root')).toMatchObject([
      {
        severity: 'error',
        says: expect.stringMatching(/^its artifact root s3:\/\/no-such-bucket-here\/.* is gone: .*NoSuchBucket/),
      },
    ])
    expect(report.covered.objects).toBe(0)
    expect(report.exitCode).toBe(3)
  })

  test('a deleted run that is named is judged, and its state said', async () => {
    const e = await experiment('deleted')
    const run = await begin(e, 0)
    await stored(`${e}/${run}/artifacts/model/MLmodel`)
    await call('POST', 'runs/delete', { run_id: run })
    const report = await scan(run)
    expect(report.covered.active).toMatchObject([
      { at: `runs:/${run}`, says: expect.stringMatching(/^the run is deleted/) },
    ])
    expect(report.covered.objects).toBe(1)
  })
})

describe('registered versions', () => {
  test('of a model that is gone, of a run that is unknown, of nothing stored; PENDING and FAILED ones', async () => {
    const e = await experiment('registered')
    const run = await begin(e, 0)
    const [model, gone] = [await logModel(e, run), await logModel(e, run)]
    await call('POST', 'registered-models/create', { name: 'r' })
    const version = (source: string, of: { model_id: string } | { run_id: string }) =>
      call('POST', 'model-versions/create', { name: 'r', source, ...of })
    await version(`models:/${model}`, { model_id: model })
    await version(`models:/${gone}`, { model_id: gone })
    const nowhere = `mlflow-artifacts:/${e}/${run}/artifacts/nowhere`
    await version(nowhere, { run_id: run })
    await call('DELETE', `logged-models/${gone}`, {})
    const first = await scan('models:/r/1', 'models:/r/2', 'models:/r/3')
    const told = (report: Report) => findings(report, 'model/registration')
    expect(told(first)).toMatchObject([
      { at: 'models:/r/1', says: expect.stringMatching(/nothing is stored there/) },
      { at: 'models:/r/2', says: expect.stringMatching(new RegExp(`logged model ${gone} is deleted or unknown`)) },
      { at: 'models:/r/3', says: expect.stringMatching(/nothing is stored there/) },
    ])
    expect(first.exitCode).toBe(1)
    // A scan of everything comes upon the orphaned ones by itself.
    const all = await examined(['scan', '--all'], { env })
    expect(told(all).filter(({ at }) => at === 'models:/r/2')).toMatchObject([{ severity: 'error' }])
    // The same from the run and the model that they were registered from.
    expect(
      told(await scan(run))
        .map(({ at }) => at)
        .sort(),
    ).toEqual(['models:/r/1', 'models:/r/3'])

    await stored(`${e}/models/${model}/artifacts/MLmodel`)
    inDatabase(
      `UPDATE model_versions SET status = 'FAILED_REGISTRATION', status_message = 'no room' WHERE name = 'r' AND version = 1`,
    )
    expect(told(await scan('models:/r/1'))).toMatchObject([
      { says: expect.stringMatching(/FAILED_REGISTRATION for .*: no room$/) },
    ])
    inDatabase(
      `UPDATE model_versions SET status = 'PENDING_REGISTRATION', last_updated_time = last_updated_time - ${3 * day} WHERE name = 'r' AND version = 1`,
    )
    expect(told(await scan('models:/r/1'))).toMatchObject([
      { says: 'the version is PENDING_REGISTRATION for 3 days: no room', severity: 'error' },
    ])
  })
})

test('a folder of a tracking folder that was removed is told', async () => {
  const root = join(await scratch(), 'mlruns')
  const result = await python('../../mlflow/python/entities.py', {
    env: { MLFLOW_TRACKING_URI: root, MLFLOW_ALLOW_FILE_STORE: 'true' },
  })
  const logged = eventsOf(result)[0] as unknown as { run: string; experiment: string }
  const own = { MLFLOW_TRACKING_URI: root }
  expect(findings(await examined(['scan', logged.run], { env: own }), 'model/artifact-root')).toEqual([])
  await rm(join(root, logged.experiment, logged.run, 'artifacts'), { recursive: true })
  const report = await examined(['scan', logged.run], { env: own })
  expect(findings(report, 'model/artifact-root')).toMatchObject([{ says: expect.stringMatching(/no such folder/) }])
  expect(findings(report, 'model/registration')).toMatchObject([
    { at: 'models:/registered one/2', says: expect.stringMatching(/nothing is stored there/) },
  ])
})

test('MLflow 2.22.1: the folder of a model that the run notes is empty', async () => {
  const old = await startMlflow({ version: '2.22.1' })
  try {
    const own = { MLFLOW_TRACKING_URI: old.url }
    const result = await python('../../mlflow/python/entities.py', { version: '2.22.1', env: own })
    const logged = eventsOf(result)[0] as unknown as { run: string; experiment: string }
    const whole = await examined(['scan', logged.run], { env: own })
    expect(whole.checks.flatMap(({ findings: found }) => found)).toEqual([])
    await rm(join(old.destination, logged.experiment, logged.run, 'artifacts', 'finished'), { recursive: true })
    const report = await examined(['scan', logged.run], { env: own })
    expect(findings(report, 'model/artifact-root')).toMatchObject([
      { at: `runs:/${logged.run}/finished`, severity: 'error' },
    ])
    expect(findings(report, 'model/registration')).toMatchObject([{ at: 'models:/registered one/1' }])
    expect(report.exitCode).toBe(1)
  } finally {
    await old.stop()
  }
})
