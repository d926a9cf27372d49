/** Real basic-auth servers with users of every permission: what the check says is what the real calls meet. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { examined } from '../../doctor.ts'
import { findings, home } from '../../e2e/story.ts'
import { LOGIN, startMlflow } from '../../lab/index.ts'
import type { MlflowServer } from '../../lab/mlflow.ts'

const password = 'lab-password-5678'
const basic = (username: string, secret: string): string =>
  `Basic ${Buffer.from(`${username}:${secret}`).toString('base64')}`

describe.each(['3.17.2', '2.22.1'] as const)('MLflow %s', (version) => {
  let server: MlflowServer
  let experiment = ''
  const call = async (path: string, json: object, authorization = basic(LOGIN.username, LOGIN.password)) => {
    const response = await fetch(
      `${server.url}/api/${path.startsWith('users/permissions') ? '3.0' : '2.0'}/mlflow/${path}`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization },
        body: JSON.stringify(json),
      },
    )
    return { status: response.status, body: (await response.json().catch(() => ({}))) as Record<string, unknown> }
  }
  beforeAll(async () => {
    server = await startMlflow({ version, auth: true })
    experiment = String((await call('experiments/create', { name: 'guarded' })).body.experiment_id)
    for (const permission of ['READ', 'EDIT', 'MANAGE']) {
      const username = permission.toLowerCase()
      expect((await call('users/create', { username, password })).status).toBe(200)
      const old = version === '2.22.1'
      const granted = old
        ? await call('experiments/permissions/create', { experiment_id: experiment, username, permission })
        : await call('users/permissions/grant', {
            ...{ username, permission, resource_type: 'experiment', resource_id: experiment },
          })
      expect(granted.status).toBe(200)
    }
  })
  afterAll(() => server.stop())

  test.each([
    ['read', [1, 3], { log: 403, says: /refuses this login to write to the experiment \(403\)/ }],
    ['edit', [0], { log: 200, gap: /may write artifacts and not delete them/ }],
    ['manage', [0], { log: 200 }],
  ] as const)('%s', async (username, exitCodes, expected) => {
    const env = {
      ...(await home()),
      MLFLOW_TRACKING_URI: server.url,
      MLFLOW_TRACKING_USERNAME: username,
      MLFLOW_TRACKING_PASSWORD: password,
    }
    const report = await examined(['check', '--experiment', 'guarded', '--size', '1MB'], { env })
    const told = JSON.stringify(report, undefined, 1)
    const found = findings(report, 'server/access').map(({ says }) => says)
    expect(found, told).toEqual('says' in expected ? [expect.stringMatching(expected.says)] : [])
    expect(exitCodes, told).toContain(report.exitCode)
    const gaps = report.covered.gaps.map(({ because }) => because)
    if ('gap' in expected) expect(gaps).toContainEqual(expect.stringMatching(expected.gap))
    const verdicts = { read: 'fails', edit: 'unknown', manage: 'passes' }
    expect(
      report.forecast?.map(({ verdict }) => verdict),
      told,
    ).toEqual([verdicts[username]])
    // What the check asked has changed nothing, and the real call meets what was said.
    const shown = await fetch(`${server.url}/api/2.0/mlflow/experiments/get?experiment_id=${experiment}`, {
      headers: { authorization: basic(username, password) },
    })
    expect(JSON.stringify(await shown.json())).not.toMatch(/"tags"/)
    const run = await call('runs/create', { experiment_id: experiment }, basic(username, password))
    expect(run.status).toBe(expected.log)
    // One cause is said once.
    const others = report.checks.filter(({ state, blockedBy }) => state === 'blocked' && blockedBy !== 'server/access')
    expect(others).toEqual([])
  })
})
