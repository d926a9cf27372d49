import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { expiringLogins, jwtExpiry } from '../../src/mlflow/expiry.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'expiry-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

const at = Date.parse('2026-11-25T12:00:00Z')
const token = (payload: unknown): string =>
  ['{"alg":"none"}', JSON.stringify(payload), 'signature']
    .map((one) => Buffer.from(one).toString('base64url'))
    .join('.')
const write = async (path: string, content: string) => {
  await mkdir(dirname(join(home, path)), { recursive: true })
  await writeFile(join(home, path), content)
}
type Auth = { username?: string; password?: string; token?: string }
const found = (env: Record<string, string>, auth: Auth = {}) =>
  expiringLogins({ settings: { auth, trackingKind: 'server' }, env, home })

test.each([
  [{ exp: at / 1000 }, at],
  [{ exp: 'soon' }, undefined],
  [{ exp: 2 ** 63 }, undefined],
  [{}, undefined],
  [null, undefined],
])('a token with %j', (payload, expected) => {
  expect(jwtExpiry(token(payload))).toBe(expected)
})
test.each(['', 'dapi0123456789', 'a.b', 'a.b.c.d', 'not.json.here'])('%j is no token with an end', (text) => {
  expect(jwtExpiry(text)).toBeUndefined()
})

test('the login that MLflow sends is judged: name and password win over a token', () => {
  const jwt = token({ exp: at / 1000 })
  expect(found({}, { token: jwt })).toEqual([{ name: 'MLFLOW_TRACKING_TOKEN', to: 'server', at }])
  expect(found({}, { token: jwt, username: 'me', password: 'secret' })).toEqual([])
  expect(found({}, { username: 'me', password: jwt })).toEqual([
    { name: 'the password for the tracking server', to: 'server', at },
  ])
})

const keys = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }

test('keys in the environment end where a session token is among them', () => {
  expect(found(keys)).toEqual([])
  expect(found({ ...keys, AWS_SESSION_TOKEN: 'c' })).toEqual([{ name: 'AWS_SESSION_TOKEN', to: 's3' }])
  const told = { ...keys, AWS_SESSION_TOKEN: 'c', AWS_CREDENTIAL_EXPIRATION: '2026-11-25T12:00:00+00:00' }
  expect(found({ ...told, AWS_PROFILE: 'team' })).toEqual([{ name: 'AWS_SESSION_TOKEN', to: 's3', at }])
})

test.each([
  ['x_security_token_expires', '2026-11-25T13:00:00+01:00'],
  ['expiration', '2026-11-25 12:00:00'],
])('a profile that was written by a login tool, with %s', async (key, value) => {
  await write(
    '.aws/credentials',
    `[default]\naws_access_key_id=a\naws_secret_access_key=b\naws_session_token=c\n${key} = ${value}\n`,
  )
  expect(found({})).toEqual([{ name: 'the AWS profile default', to: 's3', at }])
})

test('an SSO session ends where it has no refresh token', async () => {
  await write('.aws/config', '[profile team]\nsso_session = corp\n[sso-session corp]\nsso_start_url = https://x.test\n')
  const file = `.aws/sso/cache/${createHash('sha1').update('corp').digest('hex')}.json`
  await write(file, JSON.stringify({ expiresAt: '2026-11-25T12:00:00Z', accessToken: 'secret' }))
  expect(found({ AWS_PROFILE: 'team' })).toEqual([
    {
      name: 'the SSO session of the AWS profile team',
      to: 's3',
      at,
      unless: expect.any(String),
      renew: 'aws sso login --profile team',
    },
  ])
  await write(file, JSON.stringify({ expiresAt: '2026-11-25T12:00:00Z', refreshToken: 'secret' }))
  expect(found({ AWS_PROFILE: 'team' })).toEqual([])
})

test('a web identity token ends, and may be renewed in its file', async () => {
  await write('token', token({ exp: at / 1000 }))
  const env = { AWS_WEB_IDENTITY_TOKEN_FILE: join(home, 'token'), AWS_ROLE_ARN: 'arn:aws:iam::1:role/x' }
  expect(found(env)).toEqual([{ name: 'AWS_WEB_IDENTITY_TOKEN_FILE', to: 's3', at, unless: expect.any(String) }])
})

test('a web identity token that a kubelet renews has no end', async () => {
  const bound = { namespace: 'ml', pod: { name: 'train-0', uid: 'u' }, serviceaccount: { name: 'train', uid: 's' } }
  await write('token', token({ exp: at / 1000, 'kubernetes.io': bound }))
  const env = { AWS_WEB_IDENTITY_TOKEN_FILE: join(home, 'token'), AWS_ROLE_ARN: 'arn:aws:iam::1:role/x' }
  expect(found(env)).toEqual([])
})

test('a role that botocore takes and renews by itself has no end', async () => {
  await write('.aws/config', '[default]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = base\n')
  await write('.aws/credentials', '[default]\naws_session_token = c\n')
  expect(found({})).toEqual([])
})

test('shared access signatures for Azure end, one for each kind of location', () => {
  const signature = 'sv=2024-11-04&ss=b&srt=co&sp=rwl&se=2026-11-25T12%3A00%3A00Z&sig=c2VjcmV0'
  const env = {
    AZURE_STORAGE_CONNECTION_STRING: `BlobEndpoint=https://a.blob.core.windows.net;SharedAccessSignature=${signature}`,
    AZURE_STORAGE_SAS_TOKEN: `?${signature}`,
  }
  expect(found(env)).toEqual([
    { name: 'the signature in AZURE_STORAGE_CONNECTION_STRING', to: 'wasbs', at },
    { name: 'AZURE_STORAGE_SAS_TOKEN', to: 'abfss', at },
  ])
  expect(found({ AZURE_STORAGE_CONNECTION_STRING: 'AccountName=a;AccountKey=se=x' })).toEqual([])
})
