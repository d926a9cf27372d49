import { describe, expect, test } from 'vitest'
import { azureSettings, googleSettings, transferTimeout } from '../../src/mlflow/clouds.ts'
import { requestBytes, resolveRoute } from '../../src/mlflow/route.ts'
import { s3Compatible } from '../../src/mlflow/s3-compatible.ts'
import { readSettings } from '../../src/mlflow/settings.ts'

const noted: string[] = []
const note = (name: string) => void noted.push(name)

describe('Azure', () => {
  test.each([
    ['AccountName=a;AccountKey=aGk=', 'https://a.blob.core.windows.net'],
    [
      'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=k;EndpointSuffix=core.chinacloudapi.cn',
      'http://a.blob.core.chinacloudapi.cn',
    ],
    ['AccountName=a;AccountKey=k;BlobEndpoint=http://127.0.0.1:10000/a/', 'http://127.0.0.1:10000/a'],
    [
      'blobendpoint=https://a.z01.blob.storage.azure.net;SharedAccessSignature=sv=1&sig=x',
      'https://a.z01.blob.storage.azure.net',
    ],
    ['AccountName=a;AccountKey=', undefined],
    ['nonsense', undefined],
  ])('the endpoint of %j is %s', (text, endpoint) => {
    const settings = azureSettings({ AZURE_STORAGE_CONNECTION_STRING: text }, note)
    expect(settings.endpoint).toBe(endpoint)
    expect(settings.login).toBe('connection-string')
    expect(JSON.stringify(settings)).not.toMatch(/sig=|aGk/)
  })

  test('the connection string goes before the key, and the key before the identity', () => {
    expect(azureSettings({ AZURE_STORAGE_ACCESS_KEY: 'k' }, note)).toEqual({ login: 'access-key', signature: false })
    expect(azureSettings({ AZURE_STORAGE_SAS_TOKEN: 's' }, note)).toEqual({ login: 'identity', signature: true })
  })
})

test('Google: the emulator with and without a scheme, the chunk size, and what cannot be read', () => {
  expect(googleSettings({ STORAGE_EMULATOR_HOST: 'localhost:4443' }, note)).toEqual({
    endpoint: 'http://localhost:4443',
  })
  expect(googleSettings({ STORAGE_EMULATOR_HOST: 'http://h:1/x' }, note)).toEqual({ endpoint: 'http://h:1' })
  expect(googleSettings({ MLFLOW_GCS_UPLOAD_CHUNK_SIZE: '262144' }, note)).toEqual({ chunk: 262_144 })
  expect(googleSettings({ MLFLOW_GCS_UPLOAD_CHUNK_SIZE: 'big' }, note)).toEqual({})
  expect(googleSettings({ GOOGLE_APPLICATION_CREDENTIALS: '/secret/file' }, note)).toEqual({})
  expect(noted).toContain('GOOGLE_APPLICATION_CREDENTIALS')
})

test.each([
  ['600', 600_000],
  ['-1', Number.POSITIVE_INFINITY],
  ['0', undefined],
  ['-2', undefined],
  ['soon', undefined],
])('MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT=%s is %s ms', (value, ms) => {
  expect(transferTimeout({ MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT: value }, note)).toBe(ms)
})

const MiB = 1024 ** 2
const routeOf = (location: string, env: Record<string, string> = {}) =>
  resolveRoute(
    { name: location, kind: 'uri', artifactUri: location },
    readSettings({
      env: { MLFLOW_TRACKING_URI: 'https://mlflow.example.org', ...env },
      cwd: '/x',
      home: '/nonexistent',
    }),
  )

test.each([
  ['wasbs://c@a.blob.core.windows.net/x', 64 * MiB, 64 * MiB],
  ['wasbs://c@a.blob.core.windows.net/x', 64 * MiB + 1, 4 * MiB],
  ['abfss://c@a.dfs.core.windows.net/x', 99 * MiB, 99 * MiB],
  ['abfss://c@a.dfs.core.windows.net/x', 500 * MiB, 100 * MiB],
  ['gs://b/x', 8 * MiB, 8 * MiB],
  ['gs://b/x', 500 * MiB, 100 * MiB],
])('%s: the largest request of a file of %i bytes has %i', async (location, size, largest) => {
  expect(requestBytes(await routeOf(location), size)).toBe(largest)
})

test('the way of the client leads to the endpoint of the connection string, and for abfss never', async () => {
  const env = { AZURE_STORAGE_CONNECTION_STRING: 'AccountName=a;AccountKey=k;BlobEndpoint=http://127.0.0.1:10000/a' }
  expect((await routeOf('wasbs://c@a.blob.core.windows.net/x', env)).firstHop).toBe('http://127.0.0.1:10000')
  expect((await routeOf('abfss://c@a.dfs.core.windows.net/x', env)).firstHop).toBe('https://a.dfs.core.windows.net')
  expect((await routeOf('gs://b/x', { STORAGE_EMULATOR_HOST: 'http://h:1' })).firstHop).toBe('http://h:1')
})

test.each([
  [
    'r2://b@1a2b.r2.cloudflarestorage.com/x/',
    { endpoint: 'https://1a2b.r2.cloudflarestorage.com', own: true, region: 'auto', prefix: 'x' },
  ],
  ['b2://b@s3.us-east-005.backblazeb2.com/x', { own: true, region: 'us-east-005', addressing: 'path' }],
  ['b2://b@s3.us-east-005.backblazeb2.com.example.org/x', { own: false }],
  ['r2://b@r2.cloudflarestorage.com.example.org/x', { own: false }],
])('%s speaks S3', async (location, found) => {
  expect(s3Compatible(location)).toMatchObject({ bucket: 'b', ...found })
  expect(await routeOf(location)).toMatchObject({ multipart: true, multipartChunk: 10 * MiB })
})

test('other schemes are no S3-compatible ones, and a location without a bucket is an error', () => {
  expect(s3Compatible('s3://b/x')).toBeUndefined()
  expect(() => s3Compatible('r2://b/x')).toThrow('it names no bucket and endpoint')
})
