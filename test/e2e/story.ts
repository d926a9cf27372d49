/** The steps that every story of a lost upload shares: the real client loses it, the doctor finds and repairs it, the real client loads it. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Report } from '../../src/report.ts'
import { examined } from '../doctor.ts'
import { eventsOf, python, scratch } from '../lab/index.ts'

export interface Lost {
  readonly runId: string
  readonly modelId: string
  /** The model folder that the client wrote, with what it should have uploaded. */
  readonly folder: string
  /** Path to bytes and SHA-256 of every file that should be stored. */
  readonly files: Readonly<Record<string, { bytes: number; sha256: string }>>
  readonly stderr: string
}

/** Logs a model with the real client, which does not get through. */
export const lose = async (args: readonly string[], env: Record<string, string>): Promise<Lost> => {
  const dir = await scratch()
  const result = await python('log_model.py', {
    args: [...args, '--keep', join(dir, 'kept')],
    env: { TMPDIR: dir, ...env },
  })
  const events = eventsOf(result)
  expect(
    events.map(({ event }) => event),
    result.stderr,
  ).not.toContain('logged')
  const saved = events.find(({ event }) => event === 'saved')
  expect(saved, result.stderr).toBeDefined()
  return {
    runId: String(saved?.run_id),
    modelId: String(saved?.model_id),
    folder: join(dir, 'kept'),
    files: saved?.files as Lost['files'],
    stderr: result.stderr,
  }
}

/** Loses a model like `lose`, killed once `due` says so, which looks at the store every few milliseconds. */
export const loseWhen = async (
  due: () => Promise<boolean>,
  args: readonly string[],
  env: Record<string, string>,
): Promise<Lost> => {
  const file = join(await scratch(), 'now')
  let over = false
  const watching = (async () => {
    while (!over && !(await due())) await sleep(10)
    await writeFile(file, '')
  })()
  try {
    return await lose([...args, '--kill-when-there', file], env)
  } finally {
    over = true
    await watching
  }
}

/** The real client downloads and loads it; every file is byte-equal to what should have been stored. */
export const expectLoaded = async (lost: Lost, env: Record<string, string>): Promise<void> => {
  const dir = await scratch()
  const loaded = await python('load_model.py', { args: [`models:/${lost.modelId}`, join(dir, 'back')], env })
  const event = eventsOf(loaded).at(-1)
  expect(event, loaded.stderr).toMatchObject({ event: 'loaded' })
  // MLflow's own download adds the first of these to what it fetched; the second is what the repair has proved.
  const beside = ['registered_model_meta', '.mlflow-doctor/manifest.json']
  const files = Object.entries((event?.files ?? {}) as Lost['files']).filter(([path]) => !beside.includes(path))
  expect(Object.fromEntries(files)).toEqual(lost.files)
}

export const findings = (report: Report, id: string) =>
  report.checks.filter((check) => check.id === id).flatMap((check) => check.findings)

/** Repairs by the command line and expects every step verified, and a scan afterwards to be clean. */
export const repair = async (
  lost: Lost,
  env: Record<string, string>,
  more: readonly string[] = [],
): Promise<Report> => {
  const target = `models:/${lost.modelId}`
  const report = await examined(['repair', target, '--from', lost.folder, '--yes', '--settle', '0', ...more], { env })
  expect(
    report.steps?.filter(({ state }) => state !== 'verified'),
    JSON.stringify(report, undefined, 1),
  ).toEqual([])
  expect(report.exitCode).toBe(0)
  const after = await examined(['scan', target, '--against', lost.folder], { env })
  expect(after.checks.flatMap((check) => check.findings)).toEqual([])
  expect(after.exitCode).toBe(0)
  return report
}

/** A scratch home for the doctor: its journal goes there. */
export const home = async (): Promise<Record<string, string>> => {
  const dir = await scratch()
  return { HOME: dir, XDG_STATE_HOME: join(dir, 'state') }
}
