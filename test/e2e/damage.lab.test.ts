/** Damage of every kind, made in stores that the real client filled, is found by `scan` with the check and the file that it should be found with. */
import { rm } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Severity } from '../../src/check.ts'
import type { Report } from '../../src/report.ts'
import { examined } from '../doctor.ts'
import { eventsOf, python, shared, startThrottle } from '../lab/index.ts'
import { lose } from './story.ts'

/** The check, how bad it is, and the path below the target; the target itself is the empty path. */
type Found = readonly [id: string, severity: Severity, path: string]

interface Recipe {
  readonly damage: string
  readonly found: readonly Found[]
  readonly exitCode: 0 | 1
}

const missing = (path: string): Found => ['artifact/missing-files', 'error', path]
const cut = (path: string): Found => ['artifact/structure', 'error', path]
const empty = (path: string): Found => ['artifact/empty-files', 'error', path]
const zeros = (path: string): Found => ['artifact/structure', 'warning', path]
/** The sum in MLmodel says that bytes are missing; where, only when every other file is whole by its own format. */
const shortAt = (path: string): Found => ['artifact/size-mismatch', 'error', path]
const short = shortAt('')

const models: readonly Recipe[] = [
  { damage: 'none', found: [], exitCode: 0 },
  { damage: 'missing:MLmodel', found: [missing('MLmodel')], exitCode: 1 },
  { damage: 'missing:python_model.pkl', found: [missing('python_model.pkl'), short], exitCode: 1 },
  { damage: 'missing:artifacts/graph.onnx', found: [missing('artifacts/graph.onnx'), short], exitCode: 1 },
  {
    damage: 'missing:python_env.yaml+missing:requirements.txt',
    found: ['python_env.yaml', 'requirements.txt'].map((path) => ['artifact/missing-files', 'warning', path]),
    exitCode: 0,
  },
  { damage: 'truncated:python_model.pkl', found: [cut('python_model.pkl'), short], exitCode: 1 },
  { damage: 'truncated:artifacts/data.bin', found: [shortAt('artifacts/data.bin')], exitCode: 1 },
  { damage: 'truncated:artifacts/archive.zip', found: [cut('artifacts/archive.zip'), short], exitCode: 1 },
  { damage: 'emptied:python_model.pkl', found: [empty('python_model.pkl'), short], exitCode: 1 },
  { damage: 'emptied:artifacts/data.bin', found: [shortAt('artifacts/data.bin')], exitCode: 1 },
  { damage: 'zero-tail:artifacts/weights.safetensors', found: [zeros('artifacts/weights.safetensors')], exitCode: 0 },
]

/** Artifacts of a run, which no MLmodel tells anything of: every damage lies in one run. */
const runs: readonly Recipe[] = [
  { damage: 'none', found: [], exitCode: 0 },
  {
    damage:
      'truncated:outputs/weights.safetensors+truncated:outputs/graph.onnx+truncated:outputs/archive.zip+emptied:outputs/table.npy+zero-tail:outputs/data.bin',
    found: [
      ...['weights.safetensors', 'graph.onnx', 'archive.zip'].map((name) => cut(`outputs/${name}`)),
      empty('outputs/table.npy'),
      zeros('outputs/data.bin'),
    ],
    exitCode: 1,
  },
  {
    damage: 'zero-tail:outputs/table.npy+truncated:outputs/data.bin',
    // Half of a file without a format of its own is a file like any other: nothing says that it was longer.
    found: [zeros('outputs/table.npy')],
    exitCode: 0,
  },
]

interface Route {
  readonly env: Record<string, string>
  /** Where the server keeps what is sent through it. */
  readonly destination?: string
  /** Where the experiments are kept, for clients that write to the store themselves. */
  readonly location?: string
  /** How a client is killed here in mid-upload: the hop that is slow, the variable that names it, and the moment. */
  readonly kill: { readonly slow: string; readonly variable: string; readonly when: readonly string[] }
}

const routes: Readonly<Record<string, () => Route>> = {
  folder: () => ({
    env: { MLFLOW_TRACKING_URI: shared().mlflowFolder.url },
    destination: shared().mlflowFolder.destination,
    kill: {
      slow: shared().mlflowFolder.url,
      variable: 'MLFLOW_TRACKING_URI',
      when: ['--kill-written', '5000000'],
    },
  }),
  'proxied S3': () => ({
    env: {
      ...shared().seaweed.env,
      MLFLOW_TRACKING_URI: shared().mlflowS3.url,
      MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: '20000000',
    },
    destination: shared().mlflowS3.destination,
    kill: { slow: shared().mlflowS3.url, variable: 'MLFLOW_TRACKING_URI', when: ['--kill-parts', '2'] },
  }),
  'direct S3': () => ({
    env: { ...shared().seaweed.env, MLFLOW_TRACKING_URI: shared().mlflowS3.url },
    location: `s3://${shared().mlflowS3.bucket}/damage`,
    kill: {
      slow: shared().seaweed.endpoint,
      variable: 'MLFLOW_S3_ENDPOINT_URL',
      when: ['--kill-parts', '2', '--store-endpoint', shared().seaweed.endpoint],
    },
  }),
}

/** Every finding of a report but those of the bucket as a whole, whose rules are looked at where an upload was left open. */
const foundIn = ({ checks }: Report, target: string): Found[] =>
  checks
    .filter(({ id }) => id !== 'store/lifecycle')
    .flatMap(({ id, findings }) =>
      findings.map(({ at, severity }): Found => {
        expect(at === target || at.startsWith(`${target}/`), at).toBe(true)
        return [id, severity, at.slice(target.length + 1)]
      }),
    )

const sorted = (found: readonly Found[]): string[] => found.map((one) => one.join(' ')).sort()

/** The options of the real client's scripts that say where an experiment lies, and where the scripts find its store. */
const placed = ({ destination, location }: Route, experiment: string): string[] => [
  ...['--experiment', experiment],
  ...(destination === undefined ? [] : ['--destination', destination]),
  ...(location === undefined ? [] : ['--artifact-location', `${location}/${experiment}`]),
]

/** Logs and damages, all in one process of the client; gives the target of each damage. */
const damaged = async (
  route: Route,
  experiment: string,
  damages: readonly string[],
  more: readonly string[] = [],
): Promise<Map<string, string>> => {
  const args = [...damages, '--formats', ...placed(route, experiment), ...more]
  const ran = await python('damage.py', { args, env: route.env })
  expect(ran.code, ran.stderr).toBe(0)
  const events = eventsOf(ran).filter(({ event }) => event === 'damaged')
  return new Map(
    events.map(({ damage, model_id, run_id }) => [
      String(damage),
      model_id === undefined ? `runs:/${run_id}` : `models:/${model_id}`,
    ]),
  )
}

describe.each(Object.keys(routes))('%s', (name) => {
  let route: Route
  let targets: { readonly models: Map<string, string>; readonly runs: Map<string, string> }

  const scan = async (target: string | undefined, more: readonly string[] = []): Promise<Report> => {
    expect(target).toBeDefined()
    return examined(['scan', target ?? '', ...more], { env: route.env })
  }
  const expectFound = (report: Report, target: string, { found, exitCode }: Omit<Recipe, 'damage'>): void => {
    expect(sorted(foundIn(report, target)), JSON.stringify(report, undefined, 1)).toEqual(sorted(found))
    expect(report.exitCode).toBe(exitCode)
  }

  beforeAll(async () => {
    const made = routes[name]?.()
    if (made === undefined) throw new Error('no such route')
    route = made
    const left = ['staged:artifacts/data.bin', ...(name === 'folder' ? [] : ['orphan:artifacts/orphan.bin'])]
    const slug = name.replace(' ', '-')
    targets = {
      models: await damaged(route, `models-${slug}`, [...models.map(({ damage }) => damage), ...left]),
      runs: await damaged(
        route,
        `runs-${slug}`,
        runs.map(({ damage }) => damage),
        ['--run'],
      ),
    }
    // Eighteen models and runs by the real client, which is slow on a machine with other things to do.
  }, 900_000)

  test.each(models)('a model: $damage', async (recipe) => {
    const target = targets.models.get(recipe.damage) ?? ''
    expectFound(await scan(target), target, recipe)
  })

  test.each(runs)('a run: $damage', async (recipe) => {
    const target = targets.runs.get(recipe.damage) ?? ''
    expectFound(await scan(target), target, recipe)
  })

  // A folder has no uploads.
  if (name !== 'folder') {
    test('an upload that was begun and never completed, while young and when old', async () => {
      const target = targets.models.get('orphan:artifacts/orphan.bin') ?? ''
      const young = await scan(target)
      expectFound(young, target, { found: [], exitCode: 0 })
      expect(young.covered.active.map(({ at }) => at)).toEqual([`${target}/artifacts/orphan.bin`])
      const old = await scan(target, ['--older-than', '0s', '--fail-on', 'warning'])
      expectFound(old, target, {
        found: [['artifact/unfinished-uploads', 'warning', 'artifacts/orphan.bin']],
        exitCode: 1,
      })
      expect(old.covered.active).toEqual([])
    })
  }

  test('what a killed writer staged', async () => {
    const target = targets.models.get('staged:artifacts/data.bin') ?? ''
    const path = 'artifacts/.artifact.uploading.lab0damage'
    if (name !== 'folder') {
      // Nothing is in progress there: an object is whole, so it was copied from a folder.
      const report = await scan(target)
      expectFound(report, target, { found: [['artifact/staged-leftovers', 'warning', path]], exitCode: 0 })
      return
    }
    // MLflow's server hides it; who may look into its folder sees it.
    expectFound(await scan(target), target, { found: [], exitCode: 0 })
    const inside = ['--artifacts-destination', route.destination ?? '']
    const young = await scan(target, inside)
    expectFound(young, target, { found: [], exitCode: 0 })
    expect(young.covered.active.map(({ at }) => at)).toEqual([`${target}/${path}`])
    const old = await scan(target, [...inside, '--older-than', '0s', '--fail-on', 'warning'])
    expectFound(old, target, { found: [['artifact/unfinished-uploads', 'warning', path]], exitCode: 1 })
    // Others look into this folder, too.
    const root = old.checks.flatMap(({ measured }) => (measured?.storeUri === undefined ? [] : [measured.storeUri]))[0]
    await rm(new URL(`${root}/${path}`))
  })

  test('a client killed in mid-upload', async () => {
    const { slow, variable, when } = route.kill
    const link = await startThrottle({ upstream: slow, bytesPerSecond: 30_000_000 })
    const killed = await lose(
      [...placed(route, `killed-${name.replace(' ', '-')}`), '--file', 'data.bin=60000000', ...when],
      {
        ...route.env,
        [variable]: link.url,
      },
    ).finally(() => link.stop())
    const target = `models:/${killed.modelId}`
    const report = await scan(target)
    const path = 'artifacts/data.bin'
    // A server over a folder was once seen with the beginning of the file under its final name: then its size tells, else its absence.
    const begun = foundIn(report, target).some(
      (one) => String(one).includes('size-mismatch') && String(one).endsWith(path),
    )
    const lost: Found[] = begun ? [['artifact/size-mismatch', 'error', path]] : [missing(path), short]
    expectFound(report, target, { found: [...lost, ['model/status', 'info', '']], exitCode: 1 })
    expect(report.covered.active.map(({ at }) => at)).toEqual(name === 'folder' ? [] : [`${target}/${path}`])
  })
})
