import { expect, test } from 'vitest'
import { signedPlace } from '../../src/stores/learned.ts'
import { proxiedPaths, proxiedRoot } from '../../src/stores/proxied-location.ts'

const server = 'https://mlflow.example.org:5000/prefix'

test.each([
  ['mlflow-artifacts:/1/abc/artifacts', '1/abc/artifacts'],
  ['mlflow-artifacts:///1/abc/artifacts/', '1/abc/artifacts'],
  ['mlflow-artifacts:/', ''],
  ['mlflow-artifacts://mlflow.example.org:5000/1', '1'],
  ['https://mlflow.example.org:5000/api/2.0/mlflow-artifacts/artifacts/1/abc', '1/abc'],
])('%s', (location, root) => {
  expect(proxiedRoot(location, server)).toBe(root)
})

test.each([
  'mlflow-artifacts://elsewhere.example.org/1',
  'https://elsewhere.example.org/api/2.0/mlflow-artifacts/artifacts/1',
  'https://mlflow.example.org:5000/some/page',
  'mlflow-artifacts:/1/../../etc',
  's3://bucket/x',
])('%s is refused', (location) => {
  expect(() => proxiedRoot(location, server)).toThrow(expect.objectContaining({ kind: 'unsupported' }))
})

test('names are percent-encoded once, and those that the server would misread are refused', () => {
  const paths = proxiedPaths('1/a b')
  expect(paths.file('ü?.bin')).toBe('/api/2.0/mlflow-artifacts/artifacts/1/a%20b/%C3%BC%3F.bin')
  expect(paths.multipart('create', 'sub/x')).toBe('/api/2.0/mlflow-artifacts/mpu/create/1/a%20b/sub')
  expect(proxiedPaths('').multipart('abort', 'x')).toBe('/api/2.0/mlflow-artifacts/mpu/abort')
  for (const name of ['a%2fb', 'a#b', '../x']) expect(() => paths.file(name)).toThrow()
})

const signature = '?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=planted'
test.each([
  ['http://127.0.0.1:9000/bucket/mlflow/1/x/MLmodel', 'http://127.0.0.1:9000', 'bucket', 'mlflow/1/x/MLmodel'],
  [
    'https://bucket.s3.eu-west-1.amazonaws.com/1/x/MLmodel',
    'https://s3.eu-west-1.amazonaws.com',
    'bucket',
    '1/x/MLmodel',
  ],
  ['https://my.bucket.s3.amazonaws.com/1/x/MLmodel', 'https://s3.amazonaws.com', 'my.bucket', '1/x/MLmodel'],
  [
    'https://s3.us-gov-west-1.amazonaws.com/bucket/a%20b/1/x/MLmodel',
    'https://s3.us-gov-west-1.amazonaws.com',
    'bucket',
    'a b/1/x/MLmodel',
  ],
])('%s shows where the store is', (url, endpoint, bucket, key) => {
  expect(signedPlace(url + signature, '1/x/MLmodel')).toEqual({ endpoint, bucket, key })
})

test.each([
  ['not signed', 'http://127.0.0.1:9000/bucket/1/x/MLmodel'],
  ['another file', `http://127.0.0.1:9000/bucket/1/x/other${signature}`],
  ['only ends alike', `http://127.0.0.1:9000/bucket/11/x/MLmodel${signature}`],
  ['another scheme', `ftp://127.0.0.1/bucket/1/x/MLmodel${signature}`],
  ['no address', 'nonsense'],
])('%s shows nothing', (_, url) => {
  expect(signedPlace(url, '1/x/MLmodel')).toBeUndefined()
})

test.each([
  ['https://evil-s3.amazonaws.com.example.org/bucket/1/x/MLmodel', 'https://evil-s3.amazonaws.com.example.org'],
  ['https://s3.amazonaws.com.example.org/bucket/1/x/MLmodel', 'https://s3.amazonaws.com.example.org'],
])('%s is a host of its own, not AWS', (url, endpoint) => {
  expect(signedPlace(url + signature, '1/x/MLmodel')?.endpoint).toBe(endpoint)
})
