import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readSettings } from '../../src/mlflow/settings.ts'
import { signedTls, storeTls, trustOf } from '../../src/mlflow/trust.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tru-'))
})
afterEach(() => rmSync(dir, { recursive: true }))
const settingsOf = (env: Record<string, string> = {}) =>
  readSettings({ env: { MLFLOW_TRACKING_URI: 'https://mlflow.test', ...env }, cwd: dir, home: dir })

test('a folder of certificates may hold folders and broken links', () => {
  writeFileSync(join(dir, 'a.pem'), 'A')
  mkdirSync(join(dir, 'more'))
  symlinkSync('nowhere', join(dir, 'b.pem'))
  expect(trustOf({ insecure: false, caFile: dir })).toEqual({ rejectUnauthorized: true, ca: ['A'] })
})

test('a stale bundle is not looked at where nothing is checked', () => {
  const env = { MLFLOW_TRACKING_INSECURE_TLS: 'true', MLFLOW_S3_IGNORE_TLS: 'true', REQUESTS_CA_BUNDLE: '/no/such' }
  const settings = settingsOf(env)
  const open = { rejectUnauthorized: false }
  expect(trustOf(settings.tls)).toEqual(open)
  expect(trustOf(storeTls(settings, env))).toEqual(open)
  expect(trustOf(signedTls(settings, env))).toEqual(open)
})

test('each peer has its own variables, as in requests and botocore', () => {
  const env = { AWS_CA_BUNDLE: '/aws', REQUESTS_CA_BUNDLE: '/req', CURL_CA_BUNDLE: '/curl' }
  const settings = settingsOf()
  expect(storeTls(settings, env)).toEqual({ insecure: false, caFile: '/aws', caVariable: 'AWS_CA_BUNDLE' })
  expect(storeTls(settings, { ...env, AWS_CA_BUNDLE: '' }).caFile).toBe('/req')
  expect(signedTls(settings, env).caFile).toBe('/req')
  expect(signedTls(settings, { CURL_CA_BUNDLE: '/curl' }).caFile).toBe('/curl')
})

test('a file that cannot be read is told by the variable that names it', () => {
  const files = storeTls(settingsOf(), { AWS_CA_BUNDLE: '/no/such' })
  expect(() => trustOf(files)).toThrow(
    expect.objectContaining({ kind: 'usage', todo: 'Correct the path in AWS_CA_BUNDLE' }),
  )
})
