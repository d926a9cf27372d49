import { describe, expect, test } from 'vitest'
import { parseAzureUri } from '../../src/stores/azure-address.ts'
import { blockId, idLength, newUpload, readBlockId, shortestId, usualId } from '../../src/stores/azure-block-id.ts'
import { connectAzure } from '../../src/stores/azure-client.ts'

describe('addresses', () => {
  test.each([
    [
      'wasbs://c@a.blob.core.windows.net/x/y/',
      { container: 'c', account: 'a', suffix: 'blob.core.windows.net', prefix: 'x/y' },
    ],
    ['abfss://c@a.dfs.core.usgovcloudapi.net/x%20y', { suffix: 'blob.core.usgovcloudapi.net', prefix: 'x y' }],
    ['wasbs://c@a.blob.core.windows.net/x%20y', { prefix: 'x%20y' }],
    ['WASB://c@a.blob.core.windows.net', { prefix: '', root: 'wasb://c@a.blob.core.windows.net' }],
  ])('%s', (uri, parts) => {
    expect(parseAzureUri(uri)).toMatchObject(parts)
  })
  test.each(['wasbs://a.blob.core.windows.net/x', 'abfss://c@a/x', 'wasbs://'])(
    '%s names no container and account',
    (uri) => {
      expect(() => parseAzureUri(uri)).toThrow('it names no container and account')
    },
  )
})

describe('block ids', () => {
  const now = Date.UTC(2026, 10, 26, 12, 34)
  test.each([shortestId, 14, 15, 16, usualId, 48, 64])('say the same at a length of %i bytes', (length) => {
    const upload = newUpload(now)
    const id = blockId({ upload, part: 50_000, crc32: 0xfedcba98 }, length)
    expect(idLength(id)).toBe(length)
    expect(readBlockId(id)).toEqual({ upload, part: 50_000, crc32: 0xfedcba98, begun: now })
  })
  test.each(['mlflow_block_1', 'mlflow_block_100', '000000000000000000000000000000000000000000000000', ''])(
    '%j of another client is none',
    (text) => {
      expect(readBlockId(Buffer.from(text).toString('base64'))).toBeUndefined()
    },
  )
  test('two uploads of one minute differ', () => {
    expect(new Set(Array.from({ length: 50 }, () => newUpload(now))).size).toBeGreaterThan(48)
  })
})

describe('where a login goes', () => {
  const settings = { requestTimeoutMs: 1000, trustedHosts: [] as string[] }
  const foreign = parseAzureUri('abfss://c@a.dfs.example.org/x')
  const key = { AZURE_STORAGE_ACCESS_KEY: Buffer.from('key').toString('base64') }

  test("not to a host that is nobody's, unless the user names it", async () => {
    await expect(connectAzure(foreign, settings, key)).rejects.toMatchObject({
      kind: 'denied',
      message: expect.stringContaining('--trust-host a.blob.example.org'),
    })
    const trusting = { ...settings, trustedHosts: ['a.blob.example.org'] }
    expect((await connectAzure(foreign, trusting, key)).endpoint).toBe('https://a.blob.example.org')
  })

  test('the identity is told without a secret', async () => {
    const own = parseAzureUri('wasbs://c@acc.blob.core.windows.net/x')
    expect(await connectAzure(own, settings, key)).toMatchObject({
      identity: 'the access key of acc',
      endpoint: 'https://acc.blob.core.windows.net',
    })
    const text = 'AccountName=b;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/b'
    expect(await connectAzure(own, settings, { AZURE_STORAGE_CONNECTION_STRING: text, ...key })).toMatchObject({
      identity: 'AZURE_STORAGE_CONNECTION_STRING of b',
      endpoint: 'http://127.0.0.1:1',
    })
  })

  test('a connection string that cannot be read is told without repeating it', async () => {
    const own = parseAzureUri('wasbs://c@acc.blob.core.windows.net/x')
    const broken = connectAzure(own, settings, { AZURE_STORAGE_CONNECTION_STRING: 'AccountName=b;AccountKey=' })
    await expect(broken).rejects.toMatchObject({ kind: 'usage' })
  })
})
