import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketPolicyCommand,
  GetBucketLifecycleConfigurationCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLockConfigurationCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, type TestContext, test, vi } from 'vitest'
import address from '../../../checks/store/address.ts'
import checksums from '../../../checks/store/checksums.ts'
import clock from '../../../checks/store/clock.ts'
import encryption from '../../../checks/store/encryption.ts'
import lifecycle from '../../../checks/store/lifecycle.ts'
import limits from '../../../checks/store/limits.ts'
import objectLock from '../../../checks/store/object-lock.ts'
import permissions from '../../../checks/store/permissions.ts'
import { goProgram } from '../../lab/go.ts'
import { orSkip, python, s3Sdk, shared, startNginx, startSeaweed, startVersitygw } from '../../lab/index.ts'
import { freshBucket, openS3, type S3Place } from '../../stores/s3-settings.ts'
import { watchingProxy } from '../../watching-proxy.ts'
import { type Looked, look } from './looking.ts'

const identities = [
  { name: 'reader', accessKey: 'labreader', secretKey: 'labreadersecret', actions: ['Read', 'List'] },
  { name: 'blind', accessKey: 'labblind', secretKey: 'labblindsecret', actions: ['Read'] },
  { name: 'writer', accessKey: 'labwriter', secretKey: 'labwritersecret', actions: ['Write'] },
]
let weed: Awaited<ReturnType<typeof startSeaweed>>
let bucket = ''
beforeAll(async () => {
  weed = await startSeaweed({ identities })
  bucket = await weed.bucket()
})
afterAll(() => weed.stop())

let gateway: ReturnType<typeof startVersitygw> | undefined
const versitygw = (context: TestContext) => {
  gateway ??= startVersitygw()
  return orSkip(context, gateway)
}
afterAll(async () => {
  const started = await gateway?.catch(() => undefined)
  await started?.stop()
})

const as = (name: string) => ({
  ...weed.env,
  AWS_ACCESS_KEY_ID: `lab${name}`,
  AWS_SECRET_ACCESS_KEY: `lab${name}secret`,
})

/** What became of a small model that the real client logs straight to the store with these variables: 0 when it got there. */
const logged = async (env: Readonly<Record<string, string>>, experiment: string, location: string) => {
  const args = ['--experiment', experiment, '--artifact-location', location, '--file', 'data.bin=100000']
  const more = { MLFLOW_TRACKING_URI: shared().mlflowS3.url, AWS_MAX_ATTEMPTS: '1' }
  const { code, stderr } = await python('log_model.py', { args, env: { ...env, ...more } })
  return { code, stderr }
}

/** Nothing that a check wrote is there any more, not even a delete marker. */
const left = async (at: S3Place, name: string): Promise<readonly (string | undefined)[]> => {
  const sdk = s3Sdk(at)
  const { Uploads = [] } = await sdk.send(new ListMultipartUploadsCommand({ Bucket: name }))
  const { Versions = [], DeleteMarkers = [] } = await sdk.send(new ListObjectVersionsCommand({ Bucket: name }))
  return [...Uploads, ...Versions, ...DeleteMarkers].map(({ Key }) => Key)
}

const clean = (looked: Looked): void => {
  expect(looked.failures).toEqual([])
  expect(JSON.stringify(looked)).not.toMatch(/secret/)
}

describe('permissions', () => {
  test('with all of them nothing is found, and nothing is left', async () => {
    const looked = await look(permissions, weed.env, `s3://${bucket}/root`)
    expect(looked.report).toMatchObject({ state: 'ok', findings: [] })
    expect(looked.gaps).toEqual([])
    clean(looked)
    expect(await left(weed, bucket)).toEqual([])
  })

  test('who may only read', async () => {
    const looked = await look(permissions, as('reader'), `s3://${bucket}/root`)
    expect(looked.report.findings).toMatchObject([
      { severity: 'error', facts: { missing: 's3:PutObject s3:DeleteObject' } },
    ])
    // Nothing could be begun, so the right to abort was not tried.
    expect(looked.gaps).toEqual([expect.stringMatching(/^whether s3:AbortMultipartUpload is allowed was not tried/)])
    clean(looked)
  })

  test('who may only write', async () => {
    const looked = await look(permissions, as('writer'), `s3://${bucket}/root`)
    expect(looked.report.findings).toMatchObject([
      {
        severity: 'warning',
        facts: { missing: 's3:ListBucket s3:ListMultipartUploadParts s3:ListBucketMultipartUploads' },
        remedy: { commands: [expect.stringContaining(`"Resource":"arn:aws:s3:::${bucket}/root/*"`)] },
      },
    ])
    // A 403 for an object that is not there says nothing where listing is refused, too; neither does a bucket that does not tell whether it keeps versions.
    expect(looked.gaps).toEqual([
      expect.stringMatching(/^whether s3:GetObject is allowed cannot be told/),
      expect.stringMatching(/^whether s3:DeleteObject is allowed cannot be told/),
    ])
    clean(looked)
    expect(await left(weed, bucket)).toEqual([])
  })

  test('who may read objects and not list them', async () => {
    const looked = await look(permissions, as('blind'), `s3://${bucket}/root`, { mayTouch: 'reads' })
    expect(looked.report.findings).toMatchObject([{ severity: 'warning', facts: { missing: 's3:ListBucket' } }])
    expect(looked.gaps).toEqual([
      'whether s3:PutObject, s3:AbortMultipartUpload, s3:DeleteObject are allowed was not tried: that takes a write',
    ])
  })

  test('a bucket policy that takes single rights away from all: each is named', async () => {
    const name = await freshBucket(s3Sdk(weed))
    const denied = ['s3:ListBucketMultipartUploads', 's3:ListMultipartUploadParts', 's3:DeleteObject']
    await s3Sdk(weed).send(new PutBucketPolicyCommand({ Bucket: name, Policy: denying(name, denied) }))
    const looked = await look(permissions, weed.env, `s3://${name}/root`)
    expect(looked.report.findings).toMatchObject([
      {
        severity: 'warning',
        facts: { missing: 's3:ListMultipartUploadParts s3:ListBucketMultipartUploads s3:DeleteObject' },
      },
    ])
    clean(looked)
    await s3Sdk(weed).send(new DeleteBucketPolicyCommand({ Bucket: name }))
    expect(await left(weed, name)).toEqual([])
    expect((await look(permissions, weed.env, `s3://${name}/root`)).report.state).toBe('ok')
  })

  test('a bucket that keeps versions gets no delete marker', async () => {
    const name = await freshBucket(s3Sdk(weed))
    const VersioningConfiguration = { Status: 'Enabled' } as const
    await s3Sdk(weed).send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration }))
    const looked = await look(permissions, weed.env, `s3://${name}/root`)
    expect(looked.report.state).toBe('ok')
    expect(looked.gaps).toEqual([expect.stringMatching(/s3:DeleteObject is allowed cannot be told: the bucket keeps/)])
    expect(await left(weed, name)).toEqual([])
  })

  test('wrong keys and a bucket that is not there block: nothing is said of rights', async () => {
    const wrong = await look(permissions, { ...weed.env, AWS_SECRET_ACCESS_KEY: 'planted' }, `s3://${bucket}/root`)
    expect(wrong.report).toMatchObject({ state: 'blocked', reason: expect.stringContaining('SignatureDoesNotMatch') })
    const nowhere = await look(permissions, weed.env, 's3://no-such-bucket-here/root')
    expect(nowhere.report).toMatchObject({ state: 'blocked' })
    expect(nowhere.report.findings).toEqual([])
  })

  test('versitygw: all rights of its root, and those that a bucket policy gives a user', async (context) => {
    const at = await versitygw(context)
    const name = await at.bucket()
    const looked = await look(permissions, at.env, `s3://${name}/root`)
    expect(looked.report).toMatchObject({ state: 'ok', findings: [] })
    expect(looked.gaps).toEqual([])

    const user = { accessKey: 'labuser', secretKey: 'labusersecret' }
    const admin = ['admin', '--access', at.accessKey, '--secret', at.secretKey, '--endpoint-url', at.endpoint]
    const create = ['create-user', '--access', user.accessKey, '--secret', user.secretKey, '--role', 'user']
    await promisify(execFile)(await goProgram('versitygw'), [...admin, ...create])
    const env = { ...at.env, AWS_ACCESS_KEY_ID: user.accessKey, AWS_SECRET_ACCESS_KEY: user.secretKey }
    const allow = async (objects: readonly string[], onBucket: readonly string[]) => {
      const Principal = { AWS: [user.accessKey] }
      const Statement = [
        { Effect: 'Allow', Principal, Action: objects, Resource: `arn:aws:s3:::${name}/*` },
        { Effect: 'Allow', Principal, Action: onBucket, Resource: `arn:aws:s3:::${name}` },
      ]
      const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
      await s3Sdk(at).send(new PutBucketPolicyCommand({ Bucket: name, Policy }))
    }
    const writes = ['s3:PutObject', 's3:AbortMultipartUpload']
    await allow(writes, ['s3:ListBucketMultipartUploads', 's3:GetBucketVersioning'])
    const lacking = await look(permissions, env, `s3://${name}/root`)
    expect(lacking.report.findings).toMatchObject([
      { severity: 'warning', facts: { missing: 's3:ListBucket s3:ListMultipartUploadParts s3:DeleteObject' } },
    ])
    expect(lacking.gaps).toEqual([expect.stringMatching(/^whether s3:GetObject is allowed cannot be told/)])
    clean(lacking)

    // With the statements of the policy that is printed nothing is missing any more.
    const [line = ''] = lacking.report.findings[0]?.remedy.commands ?? []
    const [onBucket, objects] = (JSON.parse(line) as { Statement: { Action: string[] }[] }).Statement
    await allow(objects?.Action ?? [], [...(onBucket?.Action ?? []), 's3:GetBucketVersioning'])
    const enough = await look(permissions, env, `s3://${name}/root`)
    expect(enough.report).toMatchObject({ state: 'ok', findings: [] })
    expect(enough.gaps).toEqual([])
    expect(await left(at, name)).toEqual([])
  })

  test('with --read-only nothing but GET and HEAD reaches the store', async () => {
    const proxy = await watchingProxy(weed.endpoint)
    try {
      const env = { ...weed.env, MLFLOW_S3_ENDPOINT_URL: proxy.url }
      for (const check of [permissions, clock, address, encryption, objectLock, lifecycle, limits]) {
        const { report } = await look(check, env, `s3://${bucket}/root`, { mayTouch: 'reads' })
        expect(['ok', 'found'], report.reason).toContain(report.state)
      }
      expect((await look(checksums, env, `s3://${bucket}/root`, { mayTouch: 'reads' })).report.state).toBe('skipped')
      expect(proxy.seen.length).toBeGreaterThan(10)
      expect([...new Set(proxy.seen.map(({ method }) => method))].sort()).toEqual(['GET', 'HEAD'])
    } finally {
      await proxy.stop()
    }
  })
})

const denying = (name: string, Action: readonly string[], Condition?: object): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Deny',
        Principal: '*',
        Action,
        Resource: [`arn:aws:s3:::${name}`, `arn:aws:s3:::${name}/*`],
        ...(Condition && { Condition }),
      },
    ],
  })

describe('checksums', () => {
  const takesAll = async (at: S3Place & { bucket(): Promise<string> }) => {
    const name = await at.bucket()
    const looked = await look(checksums, at.env, `s3://${name}/root`)
    expect(looked.report).toMatchObject({
      state: 'ok',
      findings: [],
      measured: { strongestChecksum: 'sha256-header' },
    })
    clean(looked)
    expect(await left(at, name)).toEqual([])
  }
  test('SeaweedFS takes every mode, the aws-chunked one over http included', () => takesAll(weed))
  test('versitygw takes every mode', async (context) => takesAll(await versitygw(context)))

  test('a store that refuses CRC32 headers, played by nginx in front of SeaweedFS', async (context) => {
    const refusing = 'if ($http_x_amz_checksum_crc32) { return 501; } proxy_set_header Host $http_host;'
    const nginx = await orSkip(context, startNginx({ upstream: weed.endpoint, location: refusing }))
    try {
      const env = { ...weed.env, MLFLOW_S3_ENDPOINT_URL: nginx.url }
      const looked = await look(checksums, env, `s3://${bucket}/root`)
      expect(looked.report.findings).toMatchObject([
        {
          severity: 'error',
          facts: { mode: 'crc32-header' },
          remedy: { commands: ['export AWS_REQUEST_CHECKSUM_CALCULATION=when_required'] },
        },
      ])
      const told = { ...env, AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required' }
      expect((await look(checksums, told, `s3://${bucket}/root`)).report).toMatchObject({ state: 'ok' })
      expect(await left(weed, bucket)).toEqual([])
      expect(looked.limits).toMatchObject([{ hop: 'client', max: { bytes: 0 }, routes: ['store-multipart'] }])
      // What boto3 really does with either.
      const name = await weed.bucket()
      expect((await logged(env, 'crc32-header', `s3://${name}/e`)).code).not.toBe(0)
      expect(await logged(told, 'crc32-header', `s3://${name}/e`)).toMatchObject({ code: 0 })
    } finally {
      await nginx.stop()
    }
  })

  test('a store that refuses aws-chunked bodies, played by nginx over https in front of SeaweedFS', async (context) => {
    const refusing = 'if ($http_x_amz_trailer) { return 501; } proxy_set_header Host $http_host;'
    const nginx = await orSkip(context, startNginx({ upstream: weed.endpoint, location: refusing, tls: true }))
    try {
      const env = { ...weed.env, MLFLOW_S3_ENDPOINT_URL: nginx.url, AWS_CA_BUNDLE: nginx.caFile ?? '' }
      const looked = await look(checksums, env, `s3://${bucket}/root`)
      expect(looked.report.findings).toMatchObject([{ severity: 'error', facts: { mode: 'crc32-trailer' } }])
      expect(await left(weed, bucket)).toEqual([])
      const name = await weed.bucket()
      const told = { ...env, AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required' }
      expect((await look(checksums, told, `s3://${bucket}/root`)).report).toMatchObject({ state: 'ok' })
      expect((await logged(env, 'crc32-trailer', `s3://${name}/e`)).code).not.toBe(0)
      expect(await logged(told, 'crc32-trailer', `s3://${name}/e`)).toMatchObject({ code: 0 })
    } finally {
      await nginx.stop()
    }
  })
})

describe('lifecycle', () => {
  test('the line that is printed keeps the rules, and does what it says', async () => {
    const name = await freshBucket(s3Sdk(weed))
    const kept = { ID: 'old logs', Status: 'Enabled', Filter: { Prefix: "it's/" }, Expiration: { Days: 30 } } as const
    const put = (Rules: object[]) =>
      s3Sdk(weed).send(
        new PutBucketLifecycleConfigurationCommand({ Bucket: name, LifecycleConfiguration: { Rules: Rules as never } }),
      )
    await put([kept])
    const before = await look(lifecycle, weed.env, `s3://${name}/root`)
    expect(before.report.findings).toMatchObject([{ severity: 'info', facts: { rules: 1 } }])
    const line = before.report.findings[0]?.remedy.commands?.[0] ?? ''
    const { stdout } = await promisify(execFile)('sh', ['-c', line.replace(/^aws/, `printf '%s\\n'`)])
    const { Rules } = JSON.parse(stdout.slice(stdout.indexOf('{')))
    await put(Rules)
    const { Rules: now } = await s3Sdk(weed).send(new GetBucketLifecycleConfigurationCommand({ Bucket: name }))
    expect(now).toMatchObject([kept, { AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 } }])
    expect((await look(lifecycle, weed.env, `s3://${name}/root`)).report.state).toBe('ok')
    // The rule is for this root alone.
    expect((await look(lifecycle, weed.env, `s3://${name}/rooted`)).report.state).toBe('found')
  })

  test('who may not read the rules, and a store that has none, are gaps', async (context) => {
    const looked = await look(lifecycle, as('writer'), `s3://${bucket}/root`)
    expect(looked.report.state).toBe('ok')
    expect(looked.gaps).toEqual([expect.stringMatching(/s3:GetLifecycleConfiguration/)])
    const at = await versitygw(context)
    const none = await look(lifecycle, at.env, `s3://${await at.bucket()}/root`)
    expect(none.gaps).toEqual([expect.stringMatching(/^this store has no lifecycle rules/)])
  })
})

test('a policy that demands an encryption refuses what does not carry it, and is named', async () => {
  const name = await freshBucket(s3Sdk(weed))
  expect((await look(encryption, weed.env, `s3://${name}/root`)).report.state).toBe('ok')
  const Policy = denying(name, ['s3:PutObject'], { StringNotEquals: { 's3:x-amz-server-side-encryption': 'AES256' } })
  await s3Sdk(weed).send(new PutBucketPolicyCommand({ Bucket: name, Policy }))
  const begin = new CreateMultipartUploadCommand({ Bucket: name, Key: 'root/x' })
  await expect(s3Sdk(weed).send(begin)).rejects.toMatchObject({ name: 'AccessDenied' })
  const looked = await look(encryption, weed.env, `s3://${name}/root`)
  expect(looked.report.findings).toMatchObject([{ severity: 'error', facts: { demanded: 'AES256' } }])
  const args = { MLFLOW_S3_UPLOAD_EXTRA_ARGS: '{"ServerSideEncryption":"AES256"}' }
  expect((await look(encryption, { ...weed.env, ...args }, `s3://${name}/root`)).report.state).toBe('ok')
})

test('versitygw: a default retention is told, and not an object is written', async (context) => {
  const at = await versitygw(context)
  const sdk = s3Sdk(at)
  const name = `locked-${Date.now()}`
  await sdk.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: true }))
  expect((await look(objectLock, at.env, `s3://${name}/root`)).report).toMatchObject({ state: 'ok' })
  const Rule = { DefaultRetention: { Mode: 'GOVERNANCE', Days: 2 } } as const
  const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule } as const
  await sdk.send(new PutObjectLockConfigurationCommand({ Bucket: name, ObjectLockConfiguration }))
  const looked = await look(objectLock, at.env, `s3://${name}/root`)
  expect(looked.report.findings).toMatchObject([{ severity: 'info', facts: { lockMode: 'GOVERNANCE', lockDays: 2 } }])
  for (const check of [permissions, checksums]) {
    const { failures, report } = await look(check, at.env, `s3://${name}/root`)
    expect(failures).toEqual([])
    expect(['ok', 'found']).toContain(report.state)
  }
  expect(await left(at, name)).toEqual([])
})

test.each([
  [0, 'ok', []],
  [-6, 'found', ['warning']],
  [20, 'found', ['error']],
])('a clock of this machine that is %i minutes off', async (minutes, state, severities) => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + minutes * 60_000 })
  try {
    const { report } = await look(clock, weed.env, `s3://${bucket}/root`)
    expect(report, report.reason).toMatchObject({ state })
    expect(report.findings.map(({ severity }) => severity)).toEqual(severities)
  } finally {
    vi.useRealTimers()
  }
})

test('versitygw: requests signed for another region are told by name', async (context) => {
  const at = await versitygw(context)
  const name = await at.bucket()
  expect((await look(address, at.env, `s3://${name}/root`)).report.state).toBe('ok')
  const looked = await look(address, { ...at.env, AWS_DEFAULT_REGION: 'eu-west-1' }, `s3://${name}/root`)
  expect(looked.report.findings).toMatchObject([
    { severity: 'error', remedy: { commands: ['export AWS_DEFAULT_REGION=us-east-1'] } },
  ])
})

test("the server's signed addresses say how long they are valid, whoever else can open the store", async () => {
  const { mlflowS3, mlflowFolder, seaweed } = shared()
  const env = { MLFLOW_TRACKING_URI: mlflowS3.url }
  for (const more of [{}, seaweed.env]) {
    const looked = await look(limits, { ...env, ...more }, 'mlflow-artifacts:/limits-root')
    expect(looked.report.state, looked.report.reason).toBe('ok')
    expect(looked.limits).toMatchObject([
      { setting: 'lifetime of signed addresses', max: { ms: 3_600_000 }, basis: 'measured', scope: 'file' },
    ])
    clean(looked)
  }
  const Prefix = 'mlflow/limits-root/'
  const { Uploads } = await s3Sdk(seaweed).send(new ListMultipartUploadsCommand({ Bucket: mlflowS3.bucket, Prefix }))
  expect(Uploads ?? []).toEqual([])
  expect((await look(limits, { MLFLOW_TRACKING_URI: mlflowFolder.url }, 'mlflow-artifacts:/x')).limits).toEqual([])
})

test('a part of 8 MiB gets through to a store whose authority AWS_CA_BUNDLE alone names', async (context) => {
  const location = 'proxy_set_header Host $http_host; client_max_body_size 0;'
  const nginx = await orSkip(context, startNginx({ upstream: weed.endpoint, location, tls: true }))
  const env = { ...weed.env, MLFLOW_S3_ENDPOINT_URL: nginx.url, AWS_CA_BUNDLE: nginx.caFile ?? '' }
  try {
    const store = await openS3(env, `s3://${bucket}/root`)
    const bytes = Buffer.alloc(8 * 1024 ** 2)
    const upload = await store.openUpload('large', { sourceSize: bytes.length, partSize: bytes.length })
    expect(await upload.send(1, bytes, crc32(bytes))).toMatchObject({ number: 1, size: bytes.length })
    await upload.abort()
    await store.close()
  } finally {
    vi.unstubAllEnvs()
    await nginx.stop()
  }
})

test('an object that is there does not stand in the way of asking for one that is not', async () => {
  await s3Sdk(weed).send(new PutObjectCommand({ Bucket: bucket, Key: 'full/MLmodel', Body: 'x' }))
  expect((await look(permissions, weed.env, `s3://${bucket}/full`)).report.state).toBe('ok')
})
