import { afterAll, beforeAll, expect, test } from 'vitest'
import { doctor, reportOf } from '../doctor.ts'
import { LOGIN, shared, startMlflow } from '../lab/index.ts'
import type { MlflowServer } from '../lab/mlflow.ts'
import { expectValid } from '../schema.ts'
import { home } from './story.ts'

let server: MlflowServer
beforeAll(async () => {
  server = await startMlflow({ auth: true })
})
afterAll(() => server.stop())

test.each([
  ['the right password', { MLFLOW_TRACKING_USERNAME: LOGIN.username, MLFLOW_TRACKING_PASSWORD: LOGIN.password }, 0],
  ['a wrong password', { MLFLOW_TRACKING_USERNAME: LOGIN.username, MLFLOW_TRACKING_PASSWORD: 'wr0ng-password' }, 3],
  ['a wrong token', { MLFLOW_TRACKING_TOKEN: 'wr0ng-token' }, 3],
  ['no login', {}, 3],
] as const)('basic auth, %s', async (_, login, code) => {
  const env = { ...(await home()), ...login, MLFLOW_TRACKING_URI: server.url }
  const ran = await doctor(['check', '--json'], { env })
  const report = reportOf(ran)
  expectValid(report)
  expect(ran.code, ran.stdout).toBe(code)
  expect(report.exitCode).toBe(code)
  expect(ran.stdout).not.toMatch(/wr0ng/)
  if (code === 3) {
    expect(report.checks.find(({ id }) => id === 'server/artifact-route')).toMatchObject({ state: 'blocked' })
    expect(ran.stdout).toMatch(/401/)
  }
})

test('a healthy deployment gives 0, one with a finding 1, and both are what the schema promises', async () => {
  const { mlflowFolder } = shared()
  const env = { ...(await home()), MLFLOW_TRACKING_URI: mlflowFolder.url }
  for (const [args, code] of [
    [['check'], 0],
    [['check', '--size', '1PiB'], 1],
  ] as const) {
    const ran = await doctor([...args, '--json'], { env })
    expectValid(reportOf(ran))
    expect(ran.code, ran.stdout).toBe(code)
  }
})
