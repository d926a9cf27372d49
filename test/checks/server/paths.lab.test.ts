/** Servers that are well and that this address, or this experiment, does not get artifacts to. */
import { expect, test } from 'vitest'
import type { Report } from '../../../src/report.ts'
import { examined } from '../../doctor.ts'
import { findings, home } from '../../e2e/story.ts'
import { startMlflow, startNginx } from '../../lab/index.ts'
import { expectValid } from '../../schema.ts'

const reasons = (report: Report): string[] => [
  ...new Set(report.checks.flatMap(({ state, reason }) => (state === 'blocked' && reason ? [reason] : []))),
]

const look = async (uri: string, more: readonly string[] = []): Promise<Report> => {
  const report = await examined(['check', '--size', '2MB', '--traffic', '4MB', ...more], {
    env: { ...(await home()), MLFLOW_TRACKING_URI: uri },
  })
  expectValid(report)
  return report
}

test('--static-prefix: the address without it, with too much behind it, and the right one', async () => {
  const mlflow = await startMlflow({ args: ['--static-prefix', '/mlflow'] })
  const nginx = await startNginx({
    upstream: mlflow.url,
    directives:
      'client_max_body_size 0; location = / { default_type text/html; return 200 "<html><title>Portal</title></html>"; }',
  })
  try {
    for (const base of [mlflow.url, nginx.url]) {
      const right = `${base}/mlflow`
      for (const path of ['', '/', '/mlflow/experiments', '/mlflow/#/experiments/1']) {
        const report = await look(`${base}${path}`)
        if (path.includes('#')) {
          // What follows # is never sent: this address is right.
          expect(report.exitCode, JSON.stringify(report, undefined, 1)).toBe(0)
          continue
        }
        expect(report.exitCode).toBe(3)
        const said = `Set MLFLOW_TRACKING_URI to ${right}: an MLflow server answers there.`
        expect(reasons(report)).toEqual([expect.stringContaining(said)])
      }
    }
  } finally {
    await nginx.stop()
    await mlflow.stop()
  }
})

test('--no-serve-artifacts under an experiment that wants them served: one finding, and the forecast is that it fails', async () => {
  const mlflow = await startMlflow({ args: ['--no-serve-artifacts'] })
  try {
    const made = await fetch(`${mlflow.url}/api/2.0/mlflow/experiments/create`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'served', artifact_location: 'mlflow-artifacts:/1' }),
    })
    expect(made.status).toBe(200)
    const report = await look(mlflow.url, ['--experiment', 'served'])
    expect(findings(report, 'server/artifact-route').map(({ says }) => says)).toEqual([
      expect.stringMatching(/started with --no-serve-artifacts and refuses all artifacts \(503\)/),
    ])
    expect(report.forecast).toEqual([
      expect.objectContaining({ verdict: 'fails', hop: 'server', limit: expect.objectContaining({ max: 0 }) }),
    ])
    const elsewhere = report.checks.filter(
      ({ id, findings: found }) => id !== 'server/artifact-route' && found.length > 0,
    )
    expect(elsewhere).toEqual([])
    for (const { state, blockedBy } of report.checks)
      if (state === 'blocked') expect(blockedBy).toBe('server/artifact-route')
  } finally {
    await mlflow.stop()
  }
})
