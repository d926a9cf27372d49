import { expect, test } from 'vitest'
import { readSettings } from '../../src/mlflow/settings.ts'
import { connectS3 } from '../../src/stores/s3-client.ts'

const keys = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'planted-secret' }

test.each([
  [{ AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true', AWS_ENDPOINT_URL_S3: 'http://other.test' }, 'AWS'],
  [{ AWS_ENDPOINT_URL_S3: '', AWS_ENDPOINT_URL: 'http://s3.test:9000' }, 'http://s3.test:9000'],
  [{ AWS_ENDPOINT_URL_S3: '' }, 'AWS'],
])('the endpoint is the one that the settings name: %j', async (more, endpoint) => {
  const env = { ...keys, ...more }
  const before = { ...process.env }
  // The SDK's own credential chain reads the process's environment.
  Object.assign(process.env, keys)
  try {
    const settings = readSettings({ env, cwd: '/', home: '/nonexistent' })
    const connection = await connectS3(settings, env)
    expect(connection.endpoint).toBe(endpoint)
    connection.close()
  } finally {
    process.env = before
  }
})

test('a SOCKS proxy is told, not passed over', async () => {
  const env = { ...keys, HTTP_PROXY: 'socks5://p.test:1080', MLFLOW_S3_ENDPOINT_URL: 'http://s3.test:9000' }
  const settings = readSettings({ env, cwd: '/', home: '/nonexistent' })
  await expect(connectS3(settings, env)).rejects.toMatchObject({
    kind: 'unsupported',
    why: expect.stringMatching(/HTTP_PROXY names a socks5/),
  })
})
