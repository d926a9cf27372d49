import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { doctor, examined } from '../doctor.ts'
import { eventsOf, python, scratch, shared, startThrottle } from '../lab/index.ts'
import { home, type Lost } from './story.ts'

interface Logged {
  readonly runId: string
  readonly folder: string
  readonly files: Lost['files']
}

/** A model folder as `save_model` writes it, by the real client, which logs it once as well. */
const saved = async (env: Record<string, string>, ...files: readonly string[]): Promise<Logged> => {
  const dir = await scratch()
  const args = [...files.flatMap((file) => ['--file', file]), '--keep', join(dir, 'kept')]
  const result = await python('log_model.py', { args, env: { ...env, TMPDIR: dir } })
  const [first] = eventsOf(result)
  expect(first, result.stderr).toMatchObject({ event: 'saved' })
  return { runId: String(first?.run_id), folder: join(dir, 'kept'), files: first?.files as Lost['files'] }
}

const loaded = async (uri: string, env: Record<string, string>) => {
  const result = await python('load_model.py', { args: [uri, join(await scratch(), 'back')], env })
  const event = eventsOf(result).at(-1)
  expect(event, result.stderr).toMatchObject({ event: 'loaded' })
  return event?.files as Lost['files']
}

const modelIn = (target: string | undefined): string => /^models:\/(m-[0-9a-f]{32})$/.exec(target ?? '')?.[1] ?? ''

describe.each(['folder', 'S3'] as const)('upload through a server with a %s behind it', (kind) => {
  const env = async (): Promise<Record<string, string>> => {
    const { mlflowFolder, mlflowS3, seaweed } = shared()
    const base = await home()
    return kind === 'folder'
      ? { ...base, MLFLOW_TRACKING_URI: mlflowFolder.url }
      : { ...base, ...seaweed.env, MLFLOW_TRACKING_URI: mlflowS3.url }
  }

  test('makes a logged model that the real client loads, READY, with a manifest; again, it writes nothing', async () => {
    const own = await env()
    const logged = await saved(own, 'data.bin=12000000', 'odd name é.bin=3000', 'empty.bin=0')
    const command = ['upload', logged.folder, '--run', logged.runId, '--name', 'again', '--yes']
    const report = await examined(command, { env: own })
    expect(
      report.steps?.filter(({ state }) => state !== 'verified'),
      JSON.stringify(report),
    ).toEqual([])
    expect(report.exitCode, JSON.stringify(report.checks.filter(({ state }) => state !== 'ok'))).toBe(0)
    const modelId = modelIn(report.target)
    const files = await loaded(`models:/${modelId}`, own)
    for (const [path, file] of Object.entries(logged.files)) {
      if (path !== 'MLmodel') expect(files[path]).toEqual(file)
    }
    expect(files['.mlflow-doctor/manifest.json']?.bytes).toBeGreaterThan(100)
    const answer = await fetch(`${own.MLFLOW_TRACKING_URI}/api/2.0/mlflow/logged-models/${modelId}`)
    const { model } = (await answer.json()) as { model: { info: Record<string, unknown> } }
    expect(model.info).toMatchObject({ name: 'again', status: 'LOGGED_MODEL_READY', source_run_id: logged.runId })
    const run = await fetch(`${own.MLFLOW_TRACKING_URI}/api/2.0/mlflow/runs/get?run_id=${logged.runId}`)
    expect(await run.text()).toContain(modelId)
    // The local folder is as it was.
    expect(await readFile(join(logged.folder, 'MLmodel'), 'utf8')).not.toContain(modelId)

    const twice = await examined(command, { env: own })
    expect(twice.target).toBe(report.target)
    expect(twice.steps?.map(({ sent }) => sent).reduce((sum, sent) => sum + sent, 0)).toBe(0)
    expect(twice.steps?.some(({ action }) => action === 'write-manifest')).toBe(false)
    expect(twice.exitCode).toBe(0)
  })

  test("logs a folder into a run's artifacts, and refuses to replace what differs", async () => {
    const own = await env()
    const logged = await saved(own, 'data.bin=70000')
    const to = `runs:/${logged.runId}/copies`
    const report = await examined(['upload', logged.folder, to, '--yes'], { env: own })
    expect(report).toMatchObject({ target: to, exitCode: 0 })
    const other = await saved(own, 'data.bin=70000:other')
    const refused = await examined(['upload', other.folder, to, '--yes'], { env: own })
    expect(refused.exitCode).toBe(1)
    const step = refused.steps?.find(({ path }) => path === 'artifacts/data.bin')
    expect(step?.state, JSON.stringify(step)).toBe('declined')
  })
})

test('an upload that was killed with -9 goes on with the model that it had begun', async () => {
  const { mlflowS3, seaweed } = shared()
  const env = { ...(await home()), ...seaweed.env, MLFLOW_TRACKING_URI: mlflowS3.url }
  const logged = await saved(env, 'data.bin=60000000')
  const slow = await startThrottle({ upstream: seaweed.endpoint, bytesPerSecond: 15_000_000 })
  const command = ['upload', logged.folder, '--run', logged.runId, '--name', 'killed', '--yes', '--settle', '0']
  const direct = ['--artifacts-destination', mlflowS3.destination]
  const ran = await doctor([...command, ...direct], {
    env: { ...env, MLFLOW_S3_ENDPOINT_URL: slow.url },
    started: (kill, _pid) => void setTimeout(() => kill('SIGKILL'), 4000),
  }).finally(() => slow.stop())
  expect(ran.signal).toBe('SIGKILL')
  const report = await examined([...command, ...direct], { env })
  expect(
    report.steps?.filter(({ state }) => state !== 'verified'),
    JSON.stringify(report),
  ).toEqual([])
  expect(report.exitCode).toBe(0)
  const of = await fetch(`${mlflowS3.url}/api/2.0/mlflow/runs/get?run_id=${logged.runId}`)
  const { run } = (await of.json()) as { run: { info: { experiment_id: string } } }
  const search = await fetch(`${mlflowS3.url}/api/2.0/mlflow/logged-models/search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ experiment_ids: [run.info.experiment_id], filter: "name = 'killed'" }),
  })
  expect(((await search.json()) as { models: unknown[] }).models).toHaveLength(1)
  await loaded(report.target ?? '', env)
})
