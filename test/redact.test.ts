import { expect, test } from 'vitest'
import { createRedactor, redactAll } from '../src/redact.ts'

const secret = 'pl4nted/s3cret+value=='

test.each([
  ['as it is', `x ${secret} y`],
  ['percent-encoded', `?p=${encodeURIComponent(secret)}`],
  ['in base64', Buffer.from(secret).toString('base64')],
  ['inside a word', `a${secret}b`],
])('a known secret %s', (_, text) => {
  const out = createRedactor([secret])(text)
  expect(out).toContain('[redacted]')
  expect(out).not.toContain('s3cret')
  expect(out).not.toContain(Buffer.from(secret).toString('base64'))
})

const unknown = createRedactor([])

test.each([
  ['user and password in a URL', 'http://alice:hunter22@host/x', 'hunter22'],
  ['a password with odd characters', 'https://a:p%40:ss@host:80/', 'p%40'],
  ['a password with a slash', "Invalid URL: http://pu:S3cret/x?#y@127.0.0.1:9'", 'S3cret'],
  ['a token as the user', 'https://ghp_t0ken@host/x', 'ghp_t0ken'],
  ['an AWS signature', 'https://b/k?X-Amz-Signature=abcdef0123&X-Amz-Expires=3600', 'abcdef0123'],
  ['an AWS credential', 'https://b/k?a=1&X-Amz-Credential=AKIAX%2F2026', 'AKIAX'],
  ['a shared access signature', 'https://b/k?sv=1&sig=s1gn4ture%3D&se=2', 's1gn4ture'],
  ['an authorization header', 'authorization: Bearer abc.def.ghi-jkl', 'abc.def'],
  ['a basic header in JSON', '{"authorization":"Basic dXNlcjpwYXNzd29yZA=="}', 'dXNlcjpwYXNz'],
  ['a JSON Web Token', 'got eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl back', 'eyJzdWIi'],
  ['a private key', '-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----', 'MIIabc'],
])('%s, though nobody told it', (_, text, part) => {
  expect(unknown(text)).not.toContain(part)
})

test.each([
  'wasbs://container@account.blob.core.windows.net/x',
  'http://127.0.0.1:5000/users/a@b.example',
  'https://host/path?prefix=a&max-keys=3',
  'mlflow-artifacts:/1/models/m-1/artifacts',
  'a@b.example, 12:30',
])('leaves %s alone', (text) => expect(unknown(text)).toBe(text))

test('a very short secret is replaced as a word only', () => {
  expect(createRedactor(['abc'])('abc alphabcd')).toBe('[redacted] alphabcd')
})

test('plain data is redacted in depth, and stays plain data', () => {
  const redact = createRedactor([secret])
  expect(redactAll({ says: [1, true, null, { a: secret }] }, redact)).toEqual({
    says: [1, true, null, { a: '[redacted]' }],
  })
})

test('a password that is one of the tool’s own words breaks no field of the report', () => {
  const report = { severity: 'error', failOn: 'error', counts: { error: 1 }, says: 'an error' }
  expect(redactAll(report, createRedactor(['error']))).toEqual({ ...report, says: 'an [redacted]' })
})

test('the address of an upload session of Google', () => {
  const redact = createRedactor([])
  const uri =
    'https://storage.googleapis.com/upload/storage/v1/b/x/o?uploadType=resumable&upload_id=ABPtcPlanted&name=y'
  expect(redact(uri)).not.toContain('ABPtcPlanted')
})
