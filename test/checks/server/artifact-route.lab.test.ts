import { expect, onTestFinished, test } from 'vitest'
import { examined } from '../../doctor.ts'
import { scratch, shared, startMlflow } from '../../lab/index.ts'

const only = (id: string, env: Record<string, string>) =>
  examined(['check', '--only', id, '--size', '1000000'], { env }).then(
    (report) => report.checks.find((check) => check.id === id) ?? { state: 'not run', findings: [] },
  )
const id = 'server/artifact-route'

test('servers that proxy artifacts, to a folder and to S3: nothing to say', async () => {
  const { mlflowFolder, mlflowS3 } = shared()
  for (const { url } of [mlflowFolder, mlflowS3]) {
    expect(await only(id, { MLFLOW_TRACKING_URI: url })).toMatchObject({ state: 'ok', findings: [] })
  }
})

test('a server with a plain path as artifact root: the client is said to write to its own disk', async () => {
  const root = await scratch()
  const mlflow = await startMlflow({ defaultArtifactRoot: root, args: ['--no-serve-artifacts'] })
  onTestFinished(() => mlflow.stop())
  const found = await only(id, { MLFLOW_TRACKING_URI: mlflow.url })
  expect(found).toMatchObject({
    state: 'found',
    findings: [{ severity: 'info', says: expect.stringContaining(`artifacts are written to ${root}`) }],
  })
})

test('an artifact location through a server that serves no artifacts', async () => {
  const mlflow = await startMlflow({ defaultArtifactRoot: 'mlflow-artifacts:/', args: ['--no-serve-artifacts'] })
  onTestFinished(() => mlflow.stop())
  const found = await only(id, { MLFLOW_TRACKING_URI: mlflow.url })
  expect(found).toMatchObject({
    state: 'found',
    findings: [{ severity: 'error', says: expect.stringContaining('--no-serve-artifacts'), facts: { status: 503 } }],
  })
})

test('an S3 root without and with credentials on this machine', async () => {
  const { seaweed, mlflowS3 } = shared()
  const mlflow = await startMlflow({ defaultArtifactRoot: `s3://${mlflowS3.bucket}/direct`, env: seaweed.env })
  onTestFinished(() => mlflow.stop())
  const env = { MLFLOW_TRACKING_URI: mlflow.url, MLFLOW_S3_ENDPOINT_URL: seaweed.endpoint }
  expect(await only(id, env)).toMatchObject({
    state: 'found',
    findings: [{ severity: 'error', says: expect.stringContaining('no credentials for that store') }],
  })
  expect(await only(id, { ...env, ...seaweed.env })).toMatchObject({ state: 'ok' })
})

test('an experiment that is older than the proxying: the other way is shown, and whose credentials open the store', async () => {
  const { seaweed, mlflowS3 } = shared()
  const created = await fetch(`${mlflowS3.url}/api/2.0/mlflow/experiments/create`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: `direct-${Date.now()}`, artifact_location: `s3://${mlflowS3.bucket}/old` }),
  })
  const { experiment_id: experiment } = (await created.json()) as { experiment_id: string }
  const env = { ...seaweed.env, MLFLOW_TRACKING_URI: mlflowS3.url, MLFLOW_EXPERIMENT_ID: experiment }
  expect(await only(id, env)).toMatchObject({
    state: 'found',
    findings: [{ severity: 'info', says: expect.stringContaining('other experiments of this server, such as') }],
    measured: { storeOpenedBy: 'this machine' },
  })
})
