/** A tracking database with its artifacts in a folder, and the scan command run on it in this process. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { checks } from '../../checks/index.ts'
import type { CommandContext } from '../../src/commands/command.ts'
import { parseDepth } from '../../src/commands/depth.ts'
import command, { neededFor } from '../../src/commands/scan.ts'
import { openSession, seen } from '../../src/commands/session.ts'
import { writeTrackingStore } from '../../src/demo/tracking-store.ts'
import type { CheckReport, Covered } from '../../src/report.ts'
import { openMeter } from '../../src/sweep/meter.ts'
import { noState } from '../../src/sweep/state.ts'
import { keeper } from '../../src/sweep/sweep.ts'
import { lookInSections } from '../../src/sweep/target.ts'

export interface Place {
  readonly dir: string
  readonly db: string
  readonly root: string
  /** Writes files below the artifact root. */
  put(files: Readonly<Record<string, string | Uint8Array>>): Promise<void>
  /** Adds a run with artifacts at its usual place, or elsewhere. */
  run(id: string, more?: { experiment?: string; artifacts?: string; deleted?: boolean; changed?: number }): void
  model(id: string, more?: { experiment?: string; artifacts?: string; deleted?: boolean }): void
  experiment(id: string, location?: string): void
  remove(): Promise<void>
}

/** Experiment 1 at `<dir>/artifacts/1`, without runs. */
export const place = async (): Promise<Place> => {
  const dir = await mkdtemp(join(tmpdir(), 'md-sweep-'))
  const db = join(dir, 'mlflow.db')
  const root = join(dir, 'artifacts')
  writeTrackingStore(db, `${root}/1`, [])
  const within = <T>(act: (open: DatabaseSync) => T): T => {
    const open = new DatabaseSync(db)
    try {
      return act(open)
    } finally {
      open.close()
    }
  }
  return {
    dir,
    db,
    root,
    async put(files) {
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(root, path)), { recursive: true })
        await writeFile(join(root, path), content)
      }
    },
    run: (id, { experiment = '1', artifacts, deleted = false, changed = Date.now() } = {}) =>
      within((open) => {
        const sql = "INSERT INTO runs VALUES (?, ?, 'FINISHED', ?, ?, ?, ?, ?)"
        const at = artifacts ?? `${root}/${experiment}/${id}/artifacts`
        open.prepare(sql).run(id, id, changed, changed, deleted ? 'deleted' : 'active', at, Number(experiment))
      }),
    model: (id, { experiment = '1', artifacts, deleted = false } = {}) =>
      within((open) => {
        const sql = 'INSERT INTO logged_models VALUES (?, ?, ?, ?, ?, ?, 2, ?, NULL, NULL, NULL)'
        const at = artifacts ?? `${root}/${experiment}/models/${id}/artifacts`
        const now = Date.now()
        open.prepare(sql).run(id, Number(experiment), id, at, now, now, deleted ? 'deleted' : 'active')
      }),
    experiment: (id, location = `${root}/${id}`) =>
      within((open) => {
        const sql = "INSERT INTO experiments VALUES (?, ?, ?, 'active', 0, 0, 'default')"
        open.prepare(sql).run(Number(id), `experiment ${id}`, location)
      }),
    remove: () => rm(dir, { recursive: true, force: true }),
  }
}

export interface Scanned {
  readonly checks: readonly CheckReport[]
  readonly covered: Covered
  /** `<id> at <at>: <says>` of each finding. */
  readonly found: readonly string[]
}

const usual = {
  ...{ targets: [], all: false, stray: false, depth: 'sizes', olderThan: '24h' },
  ...{ trustHost: [], only: [], skip: [], severity: [], require: [], failOn: 'error' as const, readOnly: false },
}

const contextOf = (env: Readonly<Record<string, string>>, dir: string, options: Options): CommandContext => ({
  host: { env: { ...env, HOME: dir }, cwd: dir, home: dir, platform: process.platform, ask: undefined },
  version: '0',
  checks,
  signal: options.signal ?? new AbortController().signal,
  progress: options.progress ?? (() => {}),
  whileChild: (_pass, ended) => ended,
  tell: () => {},
})

interface Options {
  readonly signal?: AbortSignal
  readonly progress?: (says: string | undefined) => void
}

const scanned = (checks: readonly CheckReport[], covered: Covered): Scanned => ({
  checks,
  covered,
  found: checks.flatMap((check) => check.findings.map(({ at, says }) => `${check.id} at ${at}: ${says}`)),
})

/** Runs `scan` with the arguments that the command line would make of the options. */
export const scan = async (
  at: Pick<Place, 'db' | 'dir'>,
  args: Readonly<Record<string, unknown>>,
  options: Options = {},
): Promise<Scanned> => {
  const context = contextOf({ MLFLOW_TRACKING_URI: `sqlite:///${at.db}` }, at.dir, options)
  const report = await command.report?.({ ...usual, ...args } as never, context)
  if (report === undefined) throw new Error('scan gave no report')
  return scanned(report.checks, report.covered)
}

/** Looks at a folder as a scan of it does, in sections of `size` files. */
export const inSections = async (
  dir: string,
  size: number,
  args: { readonly depth: string; readonly only?: readonly string[] },
): Promise<Scanned> => {
  const context = contextOf({}, dir, {})
  const common = { ...usual, only: args.only ?? [] }
  const needed = neededFor(common, context, { localDir: undefined, olderThan: '24h', depth: parseDepth(args.depth) })
  const session = openSession('scan', needed, common, context)
  const target = { name: dir, kind: 'uri', artifactUri: pathToFileURL(dir).href } as const
  const state = noState(undefined)
  const { signal } = context
  const keep = keeper(session, signal, state, async () => {})
  const looking = { session, signal, meter: openMeter(() => {}), state, since: undefined, keep }
  await lookInSections(target, looking, size)
  await session.close()
  return scanned(session.results.checks, seen(session, []).covered)
}

/** An MLmodel that names one data file of `bytes` and says so. */
export const modelFile = (bytes: number): string =>
  [
    'flavors:',
    '  python_function:',
    '    artifacts:',
    '      data:',
    '        path: artifacts/data.bin',
    '    loader_module: mlflow.pyfunc.model',
    `model_size_bytes: ${bytes}`,
    '',
  ].join('\n')
