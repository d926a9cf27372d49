import { expect, test } from 'vitest'
import { modelFoldersIn } from '../../src/mlflow/answers.ts'
import { type Registry, registryOf } from '../../src/mlflow/registry.ts'
import type { ModelVersion, Tracking } from '../../src/mlflow/types.ts'

const model = (n: number): string => `m-${n.toString(16).padStart(32, '0')}`
const ofModel = (n: number, status: ModelVersion['status']): ModelVersion => ({
  name: 'r',
  version: String(n),
  source: `models:/${model(n)}`,
  runId: 'run',
  status,
})

/** Stands in for a tracking store with these versions; counts what is asked. */
const registry = (all: readonly ModelVersion[]): Registry & { readonly asked: { one: number; all: number } } => {
  const asked = { one: 0, all: 0 }
  const tracking: Pick<Tracking, 'versions' | 'versionsOf'> = {
    async *versions() {
      asked.all += 1
      yield* all
    },
    async *versionsOf(source) {
      asked.one += 1
      for (const one of all)
        if ('runId' in source ? one.runId === source.runId : one.source === `models:/${source.modelId}`) yield one
    },
  }
  return { ...registryOf(tracking as Tracking), asked }
}

test('a few sources are asked for one by one, many cost one reading of all', async () => {
  const versions = Array.from({ length: 500 }, (_, n) => ofModel(n, n % 100 === 0 ? 'FAILED_REGISTRATION' : 'READY'))
  const { of, asked } = registry(versions)
  for (let n = 0; n < 500; n += 1) {
    const found = await of({ modelId: model(n) }, false)
    if (n < 20 || n % 100 === 0) expect(found).toEqual([versions[n]])
    // Of a READY one nothing is left to tell but whether its files are there.
    else expect(found).toEqual([])
  }
  expect(asked).toEqual({ one: 20, all: 1 })
  expect(await of({ modelId: model(333) }, true)).toEqual([versions[333]])
})

test('versions of a run are those that no logged model stands behind, READY ones included', async () => {
  const plain: ModelVersion = {
    name: 'p',
    version: '1',
    source: 's3://b/1/run/artifacts/model',
    runId: 'run',
    status: 'READY',
  }
  const { of } = registry([plain, ofModel(1, 'FAILED_REGISTRATION')])
  for (let n = 0; n < 30; n += 1) expect(await of({ runId: 'run' }, false)).toEqual([plain])
  expect(await of({ runId: 'another' }, false)).toEqual([])
})

test('the folders of models that a run notes: what is no plain path is left out', () => {
  const history = ['model', 'a/b/', '../x', '/etc', 'a//b', 'a\\b', '', 'model'].map((artifact_path) => ({
    artifact_path,
  }))
  expect(modelFoldersIn(JSON.stringify(history))).toEqual(['model', 'a/b'])
  for (const odd of ['', '{', '{}', '[1, null, "x", {"artifact_path": 7}]', `[${' '.repeat(2_000_000)}]`])
    expect(modelFoldersIn(odd)).toEqual(odd.includes('7') ? ['7'] : [])
  expect(modelFoldersIn(undefined)).toEqual([])
})
