import { HeadObjectCommand } from '@aws-sdk/client-s3'
import { expect, onTestFinished, test } from 'vitest'
import { examined } from '../../doctor.ts'
import { eventsOf, python, s3Sdk, shared, startMlflow } from '../../lab/index.ts'
import { type MlflowVersion, mlflowPython } from '../../lab/venv.ts'

const state = { XDG_STATE_HOME: '/nonexistent', XDG_CONFIG_HOME: '/nonexistent' }
const small = { MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: '5500000', MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE: '5242880' }

/** Says before the upload, by the version found in the environment alone, how the file will go. */
const forecastFor = async (version: MlflowVersion, env: Record<string, string>) => {
  const { checks, forecast } = await examined(
    ['check', '--size', '6000000', '--read-only', '--python', await mlflowPython(version)],
    { env: { MLFLOW_TRACKING_URI: shared().mlflowS3.url, ...state, ...small, ...env } },
  )
  const found = checks.find(({ id }) => id === 'client/version')
  expect(found?.measured).toMatchObject({ clientVersion: version })
  return { route: forecast?.[0]?.route, says: found?.findings.map(({ says }) => says) }
}

/** An object that came in parts has an ETag that ends in their number; a server that is given 6 MB whole stores them whole. */
const partsOf = async (version: MlflowVersion, env: Record<string, string>): Promise<number> => {
  const { mlflowS3, seaweed } = shared()
  const experiment = `parts-${version}-${Object.keys(env).length}`
  const result = await python('log_model.py', {
    version,
    args: ['--experiment', experiment, '--file', 'big.bin=6000000'],
    env: { MLFLOW_TRACKING_URI: mlflowS3.url, ...small, ...env },
  })
  expect(result.code, result.stderr).toBe(0)
  const uri = String(eventsOf(result).at(-1)?.artifact_uri).replace('mlflow-artifacts:/', '')
  const { ETag = '' } = await s3Sdk(seaweed).send(
    new HeadObjectCommand({ Bucket: mlflowS3.bucket, Key: `mlflow/${uri}/artifacts/big.bin` }),
  )
  return Number(/-(\d+)"$/.exec(ETag)?.[1] ?? 1)
}

const on = { MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: 'true' }

test.each([
  ['3.14.0', {}, 1, 'proxied-put', 1],
  ['3.14.0', on, 2, 'signed-parts', 0],
  ['3.17.2', {}, 2, 'signed-parts', 0],
] as const)(
  'MLflow %s with %o sends a file of 6 MB in %i, and that was forecast',
  async (version, env, parts, route, findings) => {
    const said = await forecastFor(version, env)
    expect(said.route).toBe(route)
    expect(said.says).toHaveLength(findings)
    expect(await partsOf(version, env)).toBe(parts)
  },
)

test('a client of 3 cannot log a model to a server of 2, and that was told', async () => {
  const server = await startMlflow({ version: '2.22.1' })
  onTestFinished(() => server.stop())
  const env = { MLFLOW_TRACKING_URI: server.url }
  const { checks } = await examined(['check', '--read-only', '--python', await mlflowPython('3.17.2')], {
    env: { ...env, ...state },
  })
  expect(checks.find(({ id }) => id === 'client/version')?.findings).toMatchObject([
    { severity: 'error', says: expect.stringContaining('404 for logged-models') },
  ])
  const logged = await python('log_model.py', { env })
  expect(logged.code).toBe(1)
  expect(logged.stderr).toMatch(/logged-models.* 404/)
})
