import { describe, expect, test } from 'vitest'
import { parseGcsUri } from '../../src/stores/gcs.ts'
import { openSession } from '../../src/stores/gcs-session.ts'
import { gcsRefused } from '../../src/stores/gcs-trouble.ts'

test.each([
  ['gs://b/x/y/', { bucket: 'b', prefix: 'x/y' }],
  ['gs://b', { bucket: 'b', prefix: '' }],
  ['gs://b/x%20y?sig=1', { bucket: 'b', prefix: 'x%20y' }],
])('%s', (uri, parts) => {
  expect(parseGcsUri(uri)).toEqual(parts)
})

test('an address without a bucket is no address', () => {
  expect(() => parseGcsUri('gs:///x')).toThrow('it names no bucket')
})

describe('what a refusal means', () => {
  const doing = {
    what: 'cannot write it',
    action: 'storage.objects.create',
    endpoint: 'https://storage.googleapis.com',
  }
  test.each([
    [{ status: 401 }, 'unauthenticated'],
    [{ status: 403 }, 'denied'],
    [{ status: 403, reason: 'retentionPolicyNotMet' }, 'denied'],
    [{ status: 404 }, 'not-found'],
    [{ status: 410 }, 'not-found'],
    [{ status: 412, reason: 'conditionNotMet' }, 'conflict'],
    [{ status: 413 }, 'too-large'],
    [{ status: 429 }, 'unavailable'],
    [{ status: 503 }, 'unavailable'],
    [{ status: 400, message: "Provided CRC32C doesn't match" }, 'unavailable'],
    [{ status: 418 }, 'unexpected-answer'],
  ])('%j is %s', (refusal, kind) => {
    expect(gcsRefused(doing, refusal).kind).toBe(kind)
  })
  test('the permission that the message names is the one to ask for, and the message itself is not shown', () => {
    const message = 'a@b.iam does not have storage.objects.delete access to the Google Cloud Storage object. SECRET'
    const trouble = gcsRefused(doing, { status: 403, message })
    expect(trouble).toMatchObject({
      action: 'storage.objects.delete',
      todo: 'Ask for the permission storage.objects.delete',
    })
    expect(trouble.message).not.toContain('SECRET')
  })
})

test.each([
  [undefined, 0],
  ['bytes=0-0', 0],
  ['bytes=0-262143', 262_144],
])('a session that says Range: %s holds %i bytes', async (range, held) => {
  const asked: (string | undefined)[] = []
  const call: Parameters<typeof openSession>[0]['call'] = async ({ headers }) => {
    asked.push(headers?.['content-range'])
    const header = (name: string) => (name === 'range' ? range : undefined)
    return { status: 308, header, read: async () => new Uint8Array(), done: async () => undefined }
  }
  expect(await openSession({ call }, 'http://x/s', { uri: 'gs://b/x' }).held()).toBe(held)
  // A size in place of the second star makes some servers end the upload.
  expect(asked).toEqual(['bytes */*'])
})
