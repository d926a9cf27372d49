import { describe, expect, test } from 'vitest'
import { Trouble } from '../../src/errors.ts'
import { readSettings } from '../../src/mlflow/settings.ts'
import { destination, parseTarget, resolveTargets } from '../../src/mlflow/target.ts'
import type { LoggedModel, Run, Target, TargetSpec, Tracking } from '../../src/mlflow/types.ts'

const id = '0123456789abcdef0123456789abcdef'
const parse = (text: string) => parseTarget(text, '/here')

describe('what a target may look like', () => {
  const forms: [string, TargetSpec][] = [
    [id, { kind: 'run', runId: id }],
    ['my-run_1', { kind: 'run', runId: 'my-run_1' }],
    [`runs:/${id}`, { kind: 'run', runId: id }],
    [`runs:/${id}/model/`, { kind: 'run', runId: id, path: 'model' }],
    [`runs:/${id}/a/b c`, { kind: 'run', runId: id, path: 'a/b c' }],
    [`m-${id}`, { kind: 'model', modelId: `m-${id}` }],
    [`models:/m-${id}`, { kind: 'model', modelId: `m-${id}` }],
    ['models:/a b/3', { kind: 'version', name: 'a b', version: '3' }],
    ['models:/a/latest', { kind: 'version', name: 'a', version: 'latest' }],
    ['models:/a/Production', { kind: 'version', name: 'a', version: 'Production' }],
    ['models:/a@b@c', { kind: 'version', name: 'a@b', version: '@c' }],
    ['s3://b/x/', { kind: 'uri', uri: 's3://b/x' }],
    ['gs://b', { kind: 'uri', uri: 'gs://b' }],
    ['wasbs://c@a.blob.core.windows.net/x', { kind: 'uri', uri: 'wasbs://c@a.blob.core.windows.net/x' }],
    ['abfss://c@a.dfs.core.windows.net/x', { kind: 'uri', uri: 'abfss://c@a.dfs.core.windows.net/x' }],
    ['mlflow-artifacts:/1/x', { kind: 'uri', uri: 'mlflow-artifacts:/1/x' }],
    ['file:///a%20b', { kind: 'uri', uri: '/a b' }],
    ['./model', { kind: 'uri', uri: '/here/model' }],
    ['model/', { kind: 'uri', uri: '/here/model' }],
    ['/', { kind: 'uri', uri: '/' }],
  ]
  test.each(forms)('%s', (text, spec) => expect(parse(text)).toEqual(spec))

  const wrong = [
    '',
    'a\nb',
    'runs:/',
    `runs:/${id}/../x`,
    `runs:/${id}/a//b`,
    'runs:/a%2fb',
    'models:/',
    'models:/churn',
    'models:/a/b/c',
    'models:/@x',
    'models:/a@',
    'models:/a:b/1',
    'gopher://h/x',
    'databricks:/x',
    'two words',
  ]
  test.each(wrong)('%j is wrong usage', (text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ kind: 'usage' }))
  })
})

const run: Run = {
  runId: 'r1',
  experimentId: '7',
  status: 'FINISHED',
  artifactUri: 's3://b/7/r1?x=1',
  lifecycle: 'active',
}
const model = (modelId: string, name: string): LoggedModel => ({
  modelId,
  experimentId: '7',
  name,
  status: 'PENDING',
  artifactUri: `s3://b/7/models/${modelId}/artifacts`,
  sourceRunId: 'r1',
})
const gone = (): never => {
  throw new Trouble({ kind: 'not-found', what: 'x', why: 'y', todo: 'z' })
}

const none = async function* () {}

/** Stands in for a tracking store; the real ones are in tracking.lab.test.ts. */
const fake = (more: Partial<Tracking> = {}): Tracking => ({
  kind: 'server',
  uri: 'http://h',
  record: async () => ({ outputs: [], modelFolders: [] }),
  children: none,
  versions: none,
  versionsOf: none,
  experiment: async (by) =>
    'id' in by && ['0', '7'].includes(by.id)
      ? { experimentId: by.id, name: 'x', artifactLocation: `s3://b/${by.id}`, lifecycle: 'active' }
      : gone(),
  async *experiments() {
    yield { experimentId: '9', name: 'nine', artifactLocation: 's3://b/9', lifecycle: 'active' }
  },
  run: async () => run,
  async *runs() {
    yield run
  },
  model: async (modelId) => model(modelId, 'one'),
  async *models() {
    yield model('m-1', 'one')
    yield model('m-2', 'two')
  },
  version: async (name, version) => ({ name, version, source: 'models:/m-1', status: 'READY' }),
  knows: async () => false,
  setModelReady: gone,
  ...more,
})
const names = async (spec: TargetSpec, tracking: Tracking | undefined = fake()): Promise<string[]> => {
  const found: Target[] = await Array.fromAsync(resolveTargets(spec, tracking))
  return found.map((one) => `${one.kind} ${one.name} ${one.artifactUri}`)
}

describe('what a target leads to (a stand-in for the tracking store)', () => {
  const m1 = 'model models:/m-1 s3://b/7/models/m-1/artifacts'
  const m2 = 'model models:/m-2 s3://b/7/models/m-2/artifacts'
  const r1 = 'run runs:/r1 s3://b/7/r1?x=1'
  test('a run: itself, then each model that it logged', async () => {
    expect(await names({ kind: 'run', runId: 'r1' })).toEqual([r1, m1, m2])
  })
  test('a path in a run: the model of that name, else the folder', async () => {
    expect(await names({ kind: 'run', runId: 'r1', path: 'two' })).toEqual([m2])
    expect(await names({ kind: 'run', runId: 'r1', path: 'a/b' })).toEqual(['run runs:/r1/a/b s3://b/7/r1/a/b?x=1'])
  })
  test('a version whose source is a model, a run, or a store', async () => {
    const spec = { kind: 'version', name: 'n', version: '1' } as const
    const from = (source: string, artifactUri?: string) =>
      fake({ version: async () => ({ ...spec, source, status: 'READY', ...(artifactUri && { artifactUri }) }) })
    expect(await names(spec)).toEqual([m1])
    expect(await names(spec, from('runs:/r1/two'))).toEqual([m2])
    expect(await names(spec, from('runs:/r1/old'))).toEqual(['run runs:/r1/old s3://b/7/r1/old?x=1'])
    expect(await names(spec, from('s3://b/other'))).toEqual(['uri models:/n/1 s3://b/other'])
    expect(await names(spec, from('mlflow-artifacts:/x', 's3://b/resolved'))).toEqual([
      'uri models:/n/1 s3://b/resolved',
    ])
    await expect(names(spec, from('models:/other/2', 'models:/other/2'))).rejects.toThrow(/version of another model/)
  })
  test('a hostile source is refused', async () => {
    const tracking = fake({
      version: async () => ({ name: 'n', version: '1', source: 'runs:/r1/../../x', status: 'READY' }),
    })
    await expect(names({ kind: 'version', name: 'n', version: '1' }, tracking)).rejects.toThrow(Trouble)
  })
  test('an experiment: each run and each model once', async () => {
    expect(await names({ kind: 'experiment', by: { id: '7' } })).toEqual([r1, m1, m2])
  })
  test('an experiment is streamed: the first target comes before the last run is asked for', async () => {
    let asked = 0
    const tracking = fake({
      async *runs() {
        for (;;) {
          asked += 1
          yield run
        }
      },
    })
    for await (const one of resolveTargets({ kind: 'experiment', by: { id: '7' } }, tracking)) {
      expect(one.name).toBe('runs:/r1')
      break
    }
    expect(asked).toBe(1)
  })
  test('a store URI needs no tracking store, everything else says so', async () => {
    expect(await Array.fromAsync(resolveTargets({ kind: 'uri', uri: 's3://b/x' }, undefined))).toEqual([
      { name: 's3://b/x', kind: 'uri', artifactUri: 's3://b/x' },
    ])
    await expect(Array.fromAsync(resolveTargets({ kind: 'run', runId: 'r1' }, undefined))).rejects.toThrow(
      /MLFLOW_TRACKING_URI/,
    )
  })
})

describe('where a new upload would go (a stand-in for the tracking store)', () => {
  const settings = (env: Record<string, string> = {}) =>
    readSettings({ env: { MLFLOW_TRACKING_URI: 'http://h', ...env }, cwd: '/', home: '/nonexistent' })
  test('the Default experiment, or the one that is named', async () => {
    expect(await destination(settings(), fake())).toEqual({
      name: 'experiments:/0',
      kind: 'experiment',
      artifactUri: 's3://b/0',
      experimentId: '0',
    })
    expect((await destination(settings({ MLFLOW_EXPERIMENT_ID: '7' }), fake())).artifactUri).toBe('s3://b/7')
  })
  test('the experiment of the run that MLFLOW_RUN_ID names, unless an experiment is named', async () => {
    expect((await destination(settings({ MLFLOW_RUN_ID: 'r1' }), fake())).artifactUri).toBe('s3://b/7')
    expect((await destination(settings({ MLFLOW_RUN_ID: 'r1', MLFLOW_EXPERIMENT_ID: '0' }), fake())).artifactUri).toBe(
      's3://b/0',
    )
  })
  test('a name that does not exist yet: the location of another experiment, and it says so', async () => {
    const found = await destination(settings({ MLFLOW_EXPERIMENT_NAME: 'new' }), fake())
    expect(found).toMatchObject({ experimentId: '0', assumed: expect.stringContaining('does not exist yet') })
    const none = fake({ experiment: gone })
    expect(await destination(settings(), none)).toMatchObject({
      experimentId: '9',
      assumed: expect.stringContaining('no Default'),
    })
  })
  test('an id that does not exist is not found, as in MLflow', async () => {
    await expect(destination(settings({ MLFLOW_EXPERIMENT_ID: '8' }), fake())).rejects.toMatchObject({
      kind: 'not-found',
    })
  })
  test('a deleted experiment is refused, as in MLflow', async () => {
    const deleted = { experimentId: '7', name: 'x', artifactLocation: 's3://b/7', lifecycle: 'deleted' } as const
    const tracking = fake({ experiment: async () => deleted })
    await expect(destination(settings({ MLFLOW_EXPERIMENT_ID: '7' }), tracking)).rejects.toThrow(/restore/)
  })
})
