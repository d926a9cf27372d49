import { expect, test } from 'vitest'
import { shared, startMlflow, startNginx } from './index.ts'

test('the shared MLflow servers answer', async () => {
  const { mlflowS3, mlflowFolder } = shared()
  for (const { url } of [mlflowS3, mlflowFolder]) {
    const response = await fetch(`${url}/version`)
    expect(await response.text()).toBe('3.17.2')
  }
})

test('nginx refuses a body over its limit with 413 and forwards a smaller one', async () => {
  const nginx = await startNginx({ upstream: shared().mlflowFolder.url, directives: 'client_max_body_size 100k;' })
  try {
    const put = (bytes: number) =>
      fetch(`${nginx.url}/api/2.0/mlflow-artifacts/artifacts/nginx/x`, { method: 'PUT', body: Buffer.alloc(bytes) })
    expect((await put(100_000)).status).toBe(200)
    expect((await put(110_000)).status).toBe(413)
  } finally {
    await nginx.stop()
  }
})

test('MLflow 2.22.1 runs under gunicorn', async () => {
  const server = await startMlflow({ version: '2.22.1' })
  try {
    expect(await (await fetch(`${server.url}/version`)).text()).toBe('2.22.1')
    expect(server.log()).toContain('gunicorn')
  } finally {
    await server.stop()
  }
})
