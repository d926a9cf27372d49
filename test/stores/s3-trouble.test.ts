import { S3ServiceException } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { Trouble } from '../../src/errors.ts'
import { parseS3Uri } from '../../src/stores/s3.ts'
import { isAmazon } from '../../src/stores/s3-client.ts'
import { plausible } from '../../src/stores/s3-lists.ts'
import { s3Trouble } from '../../src/stores/s3-trouble.ts'
import { crcFromBase64, crcToBase64 } from '../../src/stores/wire-text.ts'

const doing = { what: 'cannot do it', action: 's3:PutObject', endpoint: 'https://s3.example.org', clockOffset: 600_000 }
const answered = (name: string, status: number, message = '', headers: Record<string, string> = {}) => {
  const error = new S3ServiceException({ name, $fault: 'client', message, $metadata: { httpStatusCode: status } })
  return Object.assign(error, { $response: { statusCode: status, headers, body: undefined } })
}
const judged = (error: unknown): Trouble => {
  const trouble = s3Trouble(doing, error)
  if (trouble instanceof Trouble) return trouble
  throw trouble
}

test.each([
  ['AccessDenied', 403, 'denied'],
  ['InvalidAccessKeyId', 403, 'unauthenticated'],
  ['SignatureDoesNotMatch', 403, 'unauthenticated'],
  ['ExpiredToken', 400, 'unauthenticated'],
  ['NoSuchBucket', 404, 'not-found'],
  ['NoSuchUpload', 404, 'not-found'],
  ['EntityTooLarge', 400, 'too-large'],
  ['SlowDown', 503, 'unavailable'],
  ['InternalError', 500, 'unavailable'],
  ['BadDigest', 400, 'unavailable'],
  ['XAmzContentChecksumMismatch', 400, 'unavailable'],
  ['PreconditionFailed', 412, 'conflict'],
  ['XMinioStorageFull', 507, 'full'],
  ['Unheard', 507, 'full'],
  ['NotImplemented', 501, 'unsupported'],
  ['InvalidPart', 400, 'unexpected-answer'],
])('%s (%i) is %s', (name, status, kind) => {
  expect(judged(answered(name, status))).toMatchObject({ kind, status })
})

test('what was denied is named', () => {
  expect(judged(answered('AccessDenied', 403))).toMatchObject({
    action: 's3:PutObject',
    todo: 'Ask for the permission s3:PutObject',
  })
})

test.each([
  ['PermanentRedirect', 301, '', { 'x-amz-bucket-region': 'eu-west-1' }],
  ['AuthorizationHeaderMalformed', 400, "the region 'us-east-1' is wrong; expecting 'eu-west-1'", {}],
  ['AuthorizationHeaderMalformed', 400, 'the region "us-east-1" is wrong; expecting "eu-west-1"', {}],
  ['UnknownError', 301, '', { 'x-amz-bucket-region': 'eu-west-1' }],
])('%s names the region', (name, status, message, headers) => {
  expect(judged(answered(name, status, message, headers))).toMatchObject({
    why: expect.stringContaining('lies in the region eu-west-1'),
    todo: 'Set AWS_DEFAULT_REGION=eu-west-1',
  })
})

test('the difference of the clocks is told', () => {
  expect(judged(answered('RequestTimeTooSkewed', 403)).why).toBe(
    "the clocks differ: the store's is 10 min 0 s ahead of this machine's",
  )
})

test('no signature, no query and no control code of an answer is shown', () => {
  const message = 'see https://u:planted@s3.example.org/b/k?X-Amz-Signature=planted&x=1 \u001b[2Jnow'
  const { message: shown } = judged(answered('Whatever', 400, message))
  expect(shown).not.toMatch(/planted|\u001b/)
  expect(shown).toContain('https://s3.example.org/b/k')
})

test('a refused connection is unreachable, and names the endpoint', () => {
  const error = new AggregateError([Object.assign(new Error('x'), { code: 'ECONNREFUSED' })])
  expect(judged(error)).toMatchObject({
    kind: 'unreachable',
    why: 'https://s3.example.org: nothing listens there (ECONNREFUSED)',
  })
})

test('an interruption stays one, a defect too', () => {
  const stopped = new DOMException('stopped', 'AbortError')
  expect(s3Trouble(doing, stopped)).toBe(stopped)
  const defect = new TypeError('x is not a function')
  expect(s3Trouble(doing, defect)).toBe(defect)
})

test.each([
  ['s3://bucket/a/b/', { bucket: 'bucket', prefix: 'a/b' }],
  ['s3://bucket', { bucket: 'bucket', prefix: '' }],
  ['s3://bucket/', { bucket: 'bucket', prefix: '' }],
  ['s3a://my.bucket//double', { bucket: 'my.bucket', prefix: '/double' }],
  ['s3://bucket/100%/a b', { bucket: 'bucket', prefix: '100%/a b' }],
])('%s', (uri, root) => {
  expect(parseS3Uri(uri)).toEqual(root)
})

test.each(['s3://', 's3:///x', 's3://buc ket/x', 's3://bucket/../x', 's3://bucket/a\u0001', 'gs://bucket/x'])(
  '%j is no S3 address',
  (uri) => {
    expect(() => parseS3Uri(uri)).toThrow(expect.objectContaining({ kind: 'usage' }))
  },
)

test.each([
  ['https://s3.eu-west-1.amazonaws.com', true],
  [undefined, true],
  ['https://s3.cn-north-1.amazonaws.com.cn', true],
  ['https://amazonaws.com.example.org', false],
  ['https://s3.amazonaws.com', true],
  ['https://s3.dualstack.us-west-2.amazonaws.com', true],
  ['https://bucket.s3.us-east-1.amazonaws.com', true],
  ['https://notamazonaws.com', false],
  ['https://ec2-1-2-3-4.compute-1.amazonaws.com', false],
  ['https://s3.evil.elb.amazonaws.com', false],
  ['http://127.0.0.1:9000', false],
])('%s is AWS: %s', (endpoint, expected) => {
  expect(isAmazon(endpoint)).toBe(expected)
})

test('a CRC32 is four bytes in base64', () => {
  expect(crcToBase64(0xaffcc16f)).toBe('r/zBbw==')
  expect(crcFromBase64('r/zBbw==')).toBe(0xaffcc16f)
  for (const text of [undefined, '', 'r/zBbw==-2', 'PbvLEkWUSgg=']) expect(crcFromBase64(text)).toBeUndefined()
})

const now = Date.UTC(2026, 10, 23)
test.each([
  ['an hour ago', now - 3_600_000, true],
  ['a second ahead', now + 1000, true],
  ['a day ahead', now + 86_400_000, false],
  ['the epoch', 0, false],
  ['year 1', Date.UTC(1, 0, 1), false],
  ["moto's constant", Date.UTC(2010, 10, 10, 20, 48, 33), false],
])('the time of an upload, %s, counts: %s', (_, time, counts) => {
  expect(plausible(new Date(time), now)).toBe(counts ? time : undefined)
})
