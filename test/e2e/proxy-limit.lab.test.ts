import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { examined } from '../doctor.ts'
import { scratch, shared, startNginx } from '../lab/index.ts'
import { expectLoaded, findings, home, lose, repair } from './story.ts'

test('proxied behind nginx with a 1 MiB limit: forecast to the byte, found, repaired by signed parts, loaded', async () => {
  const { mlflowS3, seaweed } = shared()
  const nginx = await startNginx({ upstream: mlflowS3.url, directives: 'client_max_body_size 1m;' })
  try {
    // No store credentials: what is known here is the tracking server alone.
    const env = { ...(await home()), MLFLOW_TRACKING_URI: nginx.url }
    const forecast = await examined(['check', '--size', '12000000'], { env })
    expect(forecast.exitCode).toBe(1)
    expect(forecast.forecast).toEqual([
      expect.objectContaining({
        verdict: 'fails',
        hop: 'proxy',
        route: 'proxied-put',
        limit: { setting: expect.stringContaining('client_max_body_size'), max: 1_048_576, unit: 'bytes' },
      }),
    ])
    const lost = await lose(['--experiment', 'proxy-limit', '--file', 'data.bin=12000000'], env)
    expect(lost.stderr).toMatch(/413/)
    const scan = await examined(['scan', `runs:/${lost.runId}`], { env })
    expect(scan.exitCode).toBe(1)
    expect(findings(scan, 'artifact/missing-files').map(({ at }) => at)).toContain(
      `models:/${lost.modelId}/artifacts/data.bin`,
    )
    expect(findings(scan, 'model/status')[0]?.facts).toMatchObject({ modelStatus: 'UPLOAD_FAILED' })
    // Without credentials nobody can see unfinished uploads behind a proxying server, and the report says so.
    expect(scan.covered.gaps).toContainEqual(expect.objectContaining({ about: 'orphans', unexpected: false }))
    const report = await repair(lost, env)
    expect(report.steps?.filter(({ action }) => action === 'upload')).toContainEqual(
      expect.objectContaining({
        path: 'artifacts/data.bin',
        route: 'signed-parts',
        effect: 'adds',
        sent: 12_000_000,
        reused: 0,
      }),
    )
    await expectLoaded(lost, { ...seaweed.env, MLFLOW_TRACKING_URI: mlflowS3.url })
  } finally {
    await nginx.stop()
  }
})

test('a single PUT that nginx would refuse is not sent: the repair names the limit, and ends with 1; below the limit it passes', async () => {
  const { mlflowFolder } = shared()
  const nginx = await startNginx({ upstream: mlflowFolder.url, directives: 'client_max_body_size 1m;' })
  try {
    const created = await fetch(`${mlflowFolder.url}/api/2.0/mlflow/runs/create`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ experiment_id: '0' }),
    })
    const { run } = (await created.json()) as { run: { info: { run_id: string } } }
    const dir = await scratch()
    await writeFile(join(dir, 'data.bin'), Buffer.alloc(12_000_000, 1))
    const env = { ...(await home()), MLFLOW_TRACKING_URI: nginx.url }
    const report = await examined(['repair', `runs:/${run.info.run_id}`, '--from', dir, '--yes'], { env })
    expect(report.steps).toEqual([
      expect.objectContaining({
        ...{ path: 'data.bin', state: 'failed', sent: 0 },
        because: expect.stringMatching(
          /nginx.* takes request bodies of at most 1 MiB \(1048576 bytes\).*Nothing was sent/,
        ),
      }),
    ])
    expect(report.exitCode).toBe(1)
    await writeFile(join(dir, 'data.bin'), Buffer.alloc(1_000_000, 1))
    const below = await examined(['repair', `runs:/${run.info.run_id}`, '--from', dir, '--yes'], { env })
    expect(below.steps?.map(({ path, route, state }) => [path, route, state])).toEqual([
      ['data.bin', 'proxied-put', 'verified'],
      ['.mlflow-doctor/manifest.json', 'proxied-put', 'verified'],
    ])
    expect(below.exitCode).toBe(0)
  } finally {
    await nginx.stop()
  }
})
