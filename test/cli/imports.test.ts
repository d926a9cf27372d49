/** Who uses one store does not load the libraries of the others. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { doctor } from '../doctor.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-im-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const libraries = [
  '@aws-sdk/client-s3',
  '@azure/storage-blob',
  '@azure/identity',
  '@google-cloud/storage',
  'google-auth-library',
]
/** Nobody listens there. */
const nowhere = 'http://127.0.0.1:9'

test.each([
  [
    's3://bucket/path',
    { MLFLOW_S3_ENDPOINT_URL: nowhere, AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' },
    ['@aws-sdk/client-s3'],
  ],
  [
    'wasbs://models@acc.blob.core.windows.net/path',
    { AZURE_STORAGE_CONNECTION_STRING: `AccountName=acc;AccountKey=a2V5;BlobEndpoint=${nowhere}/acc` },
    ['@azure/storage-blob'],
  ],
  ['gs://bucket/path', { STORAGE_EMULATOR_HOST: nowhere }, ['@google-cloud/storage', 'google-auth-library']],
  ['./folder', {}, []],
] as const)('scan of %s', async (target, env, expected) => {
  const loaded = join(dir, `${target.slice(0, 4).replace(/\W/g, '')}.txt`)
  const ran = await doctor(['scan', target, '--json'], {
    cwd: dir,
    env: { ...env, LOADED_MODULES: loaded, NODE_OPTIONS: `--import=${new URL('../loaded.mjs', import.meta.url).href}` },
  })
  expect(ran.code, ran.stderr).toBe(3)
  const modules = await readFile(loaded, 'utf8')
  expect(libraries.filter((name) => modules.includes(`/node_modules/${name}/`))).toEqual(expected)
})
