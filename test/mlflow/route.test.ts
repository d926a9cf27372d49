import { describe, expect, test } from 'vitest'
import { resolveRoute, routeFor } from '../../src/mlflow/route.ts'
import type { TrackingServer } from '../../src/mlflow/server.ts'
import { readSettings } from '../../src/mlflow/settings.ts'

const http = { MLFLOW_TRACKING_URI: 'https://mlflow.test/team' }
const settings = (env: Record<string, string> = http) => readSettings({ env, cwd: '/', home: '/nonexistent' })
const advertising = (multipartUploads?: boolean) => ({ info: { multipartUploads } }) as unknown as TrackingServer
const route = (artifactUri: string, env?: Record<string, string>, server?: TrackingServer, client?: string) =>
  resolveRoute({ name: 'x', kind: 'uri', artifactUri }, settings(env), server, client)
const GiB = 1024 ** 3

describe('through the tracking server', () => {
  test('mlflow-artifacts without a host goes to the tracking server', async () => {
    expect(await route('mlflow-artifacts:/1/a')).toEqual({
      location: 'mlflow-artifacts:/1/a',
      scheme: 'mlflow-artifacts',
      proxied: true,
      multipart: false,
      multipartMinimum: 524_288_000,
      multipartChunk: 10_485_760,
      credentials: 'the server',
      firstHop: 'https://mlflow.test',
    })
  })
  test('a host in the location wins, and what the tracking server advertises does not hold there', async () => {
    const found = await route('mlflow-artifacts://other.test:8080/1', http, advertising(true))
    expect(found).toMatchObject({ firstHop: 'https://other.test:8080', multipart: false })
  })
  test.each([
    [undefined, true, true],
    [undefined, undefined, false],
    ['false', true, false],
    ['true', false, false],
    ['true', undefined, true],
  ])('the variable is %s and the server says %s: parts %s', async (variable, says, parts) => {
    const env = variable === undefined ? http : { ...http, MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: variable }
    expect((await route('mlflow-artifacts:/1', env, advertising(says))).multipart).toBe(parts)
  })
  test.each([
    ['2.8.1', undefined, false],
    ['2.8.1', 'true', false],
    ['2.9.0', undefined, false],
    ['2.9.0', 'true', true],
    ['3.14.0', undefined, false],
    ['3.15.0rc0', undefined, false],
    ['3.15.0', undefined, true],
    ['3.15.0', 'false', false],
    ['3.17.2', undefined, true],
  ])('a client %s with the variable %s, and a server that offers parts: %s', async (client, variable, parts) => {
    const env = variable === undefined ? http : { ...http, MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: variable }
    expect((await route('mlflow-artifacts:/1', env, advertising(true), client)).multipart).toBe(parts)
  })
  test('parts begin at the minimum', async () => {
    const found = await route('mlflow-artifacts:/1', http, advertising(true))
    expect(routeFor(found, 524_287_999)).toBe('proxied-put')
    expect(routeFor(found, 524_288_000)).toBe('signed-parts')
  })
  test('an http location never asks the server about parts', async () => {
    const found = await route('https://u:pw@files.test/a?sig=1', http, advertising(true))
    expect(found).toMatchObject({
      location: 'https://files.test/a',
      firstHop: 'https://files.test',
      proxied: true,
      multipart: false,
    })
    const on = { ...http, MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: 'true' }
    expect((await route('https://files.test/a', on)).multipart).toBe(true)
  })
  test('mlflow-artifacts without a server cannot be reached', async () => {
    await expect(route('mlflow-artifacts:/1', { MLFLOW_TRACKING_URI: 'sqlite:////x.db' })).rejects.toMatchObject({
      kind: 'unsupported',
    })
  })
})

describe('straight to the store', () => {
  test.each([
    ['/abs/x', '/abs/x'],
    ['file:///abs/a%20b', '/abs/a b'],
    // MLflow decodes bare paths, too.
    ['/abs/a%20b', '/abs/a b'],
    ['./rel', `${process.cwd()}/rel`],
    ['file:rel', `${process.cwd()}/rel`],
  ])('the folder %s', async (uri, firstHop) => {
    const found = await route(uri)
    expect(found).toMatchObject({ scheme: 'file', proxied: false, credentials: 'none needed', firstHop })
    expect(routeFor(found, 5 * GiB)).toBe('folder-copy')
  })
  test('S3: the endpoint of the settings, else the address of the bucket', async () => {
    const own = { ...http, MLFLOW_S3_ENDPOINT_URL: 'http://minio.test:9000/' }
    expect(await route('s3://b/x', own)).toMatchObject({
      firstHop: 'http://minio.test:9000',
      credentials: 'this machine',
      proxied: false,
    })
    const region = { ...http, AWS_DEFAULT_REGION: 'eu-west-1' }
    expect((await route('s3://b/x', region)).firstHop).toBe('https://b.s3.eu-west-1.amazonaws.com')
    const path = { ...region, MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE: 'path' }
    expect((await route('s3://b/x', path)).firstHop).toBe('https://s3.eu-west-1.amazonaws.com')
    // A wildcard certificate does not cover a bucket with dots, so boto3 puts it into the path.
    expect((await route('s3://b.c/x', region)).firstHop).toBe('https://s3.eu-west-1.amazonaws.com')
    expect(routeFor(await route('s3://b/x'), GiB)).toBe('store-multipart')
  })
  test('Azure: the account, never a password in the location', async () => {
    const found = await route('wasbs://box:key@acc.blob.core.windows.net/x')
    expect(found).toMatchObject({
      firstHop: 'https://acc.blob.core.windows.net',
      location: 'wasbs://box@acc.blob.core.windows.net/x',
    })
  })
  test('Google', async () => {
    expect((await route('gs://b/x')).firstHop).toBe('https://storage.googleapis.com')
  })
})
