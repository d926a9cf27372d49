import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DeleteBucketPolicyCommand, PutBucketPolicyCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, describe, expect, type TestContext, test } from 'vitest'
import check from '../../../checks/artifact/unfinished-uploads.ts'
import { examined } from '../../doctor.ts'
import { findings } from '../../e2e/story.ts'
import { keysOnlyProxy } from '../../keys-only-proxy.ts'
import { goProgram } from '../../lab/go.ts'
import { orSkip, s3Sdk, shared, startNginx, startVersitygw } from '../../lab/index.ts'
import { beginAll } from '../../stores/begun.ts'
import { freshBucket, openS3, type S3Place } from '../../stores/s3-settings.ts'
import { look } from '../store/looking.ts'

let gateway: ReturnType<typeof startVersitygw> | undefined
const places = {
  SeaweedFS: async (_: TestContext): Promise<S3Place> => shared().seaweed,
  versitygw: (context: TestContext): Promise<S3Place> => {
    gateway ??= startVersitygw()
    return orSkip(context, gateway)
  },
}
afterAll(async () => {
  const started = await gateway?.catch(() => undefined)
  await started?.stop()
})

/** A store tells the time in whole seconds, so that what was begun within this one seems to come from the future. */
const clockShowsLater = () => sleep(1000)

const modelId = 'm-0123456789abcdef0123456789abcdef'
const orphans = 'artifact/unfinished-uploads'

/** MLmodel of a model whose data file is not stored. */
const modelFile = [
  'flavors:',
  '  python_function:',
  '    artifacts:',
  '      data:',
  '        path: artifacts/data.bin',
  '    loader_module: mlflow.pyfunc.model',
  `model_id: ${modelId}`,
].join('\n')

describe.each(['SeaweedFS', 'versitygw'] as const)('%s', (name) => {
  // Both page wrongly beyond the first 1,000, each in a way of its own.
  test('1,100 unfinished uploads are each told once, with their parts; none from beside the root', async (context) => {
    const at = await places[name](context)
    const sdk = s3Sdk(at)
    const bucket = await freshBucket(sdk)
    const keys = Array.from({ length: 1100 }, (_, n) => `root/${n % 7}/file ${n}%.bin`)
    await beginAll(sdk, bucket, keys, (_, n) => (n % 50 === 0 ? 'x'.repeat(1000) : undefined))
    await beginAll(sdk, bucket, ['rooted/a.bin', 'other.bin'])
    const store = await openS3(at.env, `s3://${bucket}/root`)
    const listed = await Array.fromAsync(store.unfinished(), ({ path }) => `root/${path}`)
    expect(listed.sort()).toEqual(keys.toSorted())
    await store.close()
    const { report } = await look(check, at.env, `s3://${bucket}/root`)
    expect(report.measured).toMatchObject({ unfinished: 1100, unfinishedBytes: 22_000 })
  })

  test('1,100 unfinished uploads of one key are each told once', async (context) => {
    const at = await places[name](context)
    const sdk = s3Sdk(at)
    const bucket = await freshBucket(sdk)
    const same = Array.from({ length: 1100 }, () => 'root/data.bin')
    const ids = await beginAll(sdk, bucket, [...same, 'root/data.bin.2', 'root/a.bin', 'root/z.bin'])
    const store = await openS3(at.env, `s3://${bucket}/root`)
    expect((await Array.fromAsync(store.unfinished(), ({ id }) => id)).sort()).toEqual(ids.sort())
    const exact = await Array.fromAsync(store.unfinished({ path: 'data.bin' }), ({ path }) => path)
    expect(exact).toEqual(Array.from({ length: 1100 }, () => 'data.bin'))
    await store.close()
  })

  test('a scan of an experiment names the model or run, the cost, and the rule that is missing', async (context) => {
    const at = await places[name](context)
    const sdk = s3Sdk(at)
    const bucket = await freshBucket(sdk)
    const runId = randomBytes(16).toString('hex')
    const keys = [`7/models/${modelId}/artifacts/data.bin`, `7/${runId}/artifacts/plots/a b.png`]
    await beginAll(sdk, bucket, keys, () => 'x'.repeat(100_000))
    const young = await examined(['scan', `s3://${bucket}/7`], { env: at.env })
    expect(findings(young, orphans)).toEqual([])
    expect(young.covered.active).toHaveLength(2)
    await clockShowsLater()
    const report = await examined(['scan', `s3://${bucket}/7`, '--older-than', '0s'], { env: at.env })
    expect(findings(report, orphans)).toMatchObject([
      { at: `s3://${bucket}/${keys[1]}`, facts: { owner: `runs:/${runId}`, parts: 1, stored: 100_000 } },
      { at: `s3://${bucket}/${keys[0]}`, facts: { owner: `models:/${modelId}`, cost: 0 } },
    ])
    // versitygw has no lifecycle rules at all.
    const rule = name === 'SeaweedFS' ? [{ at: `s3://${bucket}/7`, severity: 'info' }] : []
    expect(findings(report, 'store/lifecycle')).toMatchObject(rule)
    expect(report.covered.active).toEqual([])
    expect(report.exitCode).toBe(0)
  })

  test('a bucket policy that refuses the list: could not look, and exit code 3', async (context) => {
    const at = await places[name](context)
    const sdk = s3Sdk(at)
    const bucket = await freshBucket(sdk)
    await sdk.send(new PutObjectCommand({ Bucket: bucket, Key: 'root/data.txt', Body: 'x' }))
    await beginAll(sdk, bucket, ['root/data.bin'])
    const deny = {
      Effect: 'Deny',
      Principal: '*',
      Action: ['s3:ListBucketMultipartUploads'],
      Resource: `arn:aws:s3:::${bucket}`,
    }
    const allow = {
      Effect: 'Allow',
      Principal: '*',
      Action: ['s3:ListBucket', 's3:GetObject'],
      Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
    }
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [allow, deny] })
    await sdk.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }))
    const env = name === 'SeaweedFS' ? at.env : await someUser(await gateway)
    const report = await examined(['scan', `s3://${bucket}/root`], { env })
    expect(findings(report, orphans)).toEqual([])
    const gaps = report.covered.gaps.filter(({ about }) => about === 'orphans')
    expect(gaps).toMatchObject([
      { cannot: 'see', because: expect.stringMatching(/could not be listed: .*403/), unexpected: true },
    ])
    expect(report.exitCode).toBe(3)
    await sdk.send(new DeleteBucketPolicyCommand({ Bucket: bucket }))
  })
})

test('parts that may not be listed are told as such; the upload itself is', async () => {
  const { seaweed } = shared()
  const sdk = s3Sdk(seaweed)
  const bucket = await freshBucket(sdk)
  await beginAll(sdk, bucket, ['root/data.bin', 'root/more.bin'], () => 'part')
  const Action = ['s3:ListMultipartUploadParts']
  const Statement = [{ Effect: 'Deny', Principal: '*', Action, Resource: `arn:aws:s3:::${bucket}/*` }]
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
  await sdk.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }))
  const report = await examined(['scan', `s3://${bucket}/root`], { env: seaweed.env })
  // Without its parts, and on a store that leaves out when it was begun, an upload has no age.
  expect(report.covered.active).toMatchObject(
    [{ says: /parts could not be listed.*unknown time/ }, { at: /more/ }].map(matching),
  )
  expect(report.covered.gaps.filter(({ about }) => about === 'orphans')).toHaveLength(1)
  expect(report.exitCode).toBe(3)
})

const matching = (one: { says?: RegExp; at?: RegExp }) => ({
  ...(one.says && { says: expect.stringMatching(one.says) }),
  ...(one.at && { at: expect.stringMatching(one.at) }),
})

test('a store that has no such call: could not look, exit code 3 only where it is required', async (context) => {
  const { seaweed } = shared()
  const sdk = s3Sdk(seaweed)
  const bucket = await freshBucket(sdk)
  await sdk.send(new PutObjectCommand({ Bucket: bucket, Key: 'root/data.txt', Body: 'x' }))
  const answer = '<Error><Code>NotImplemented</Code><Message>not here</Message></Error>'
  const refusing = `default_type application/xml; if ($args ~ "uploads") { return 501 "${answer}"; } proxy_set_header Host $http_host;`
  const nginx = await orSkip(context, startNginx({ upstream: seaweed.endpoint, location: refusing }))
  try {
    const env = { ...seaweed.env, MLFLOW_S3_ENDPOINT_URL: nginx.url }
    const report = await examined(['scan', `s3://${bucket}/root`], { env })
    expect(report.covered.gaps.filter(({ about }) => about === 'orphans')).toMatchObject([{ unexpected: false }])
    expect(report.exitCode).toBe(0)
    expect((await examined(['scan', `s3://${bucket}/root`, '--require', 'orphans'], { env })).exitCode).toBe(3)
  } finally {
    await nginx.stop()
  }
})

describe('a store that lists uploads only by their exact key, as MinIO does', () => {
  test('expected keys are asked for by name, and what was not asked is told', async () => {
    const { seaweed } = shared()
    const sdk = s3Sdk(seaweed)
    const bucket = await freshBucket(sdk)
    const root = `models/${modelId}/artifacts`
    await sdk.send(new PutObjectCommand({ Bucket: bucket, Key: `${root}/MLmodel`, Body: modelFile }))
    await beginAll(sdk, bucket, [`${root}/artifacts/data.bin`, `${root}/nobody-expects.bin`], () => 'part')
    const proxy = await keysOnlyProxy(seaweed.endpoint)
    try {
      const env = { ...seaweed.env, MLFLOW_S3_ENDPOINT_URL: proxy.url }
      await clockShowsLater()
      const report = await examined(['scan', `s3://${bucket}/${root}`, '--older-than', '0s'], { env })
      expect(findings(report, orphans)).toMatchObject([{ at: expect.stringMatching(/\/artifacts\/data\.bin$/) }])
      expect(proxy.asked).toContain(`${root}/artifacts/data.bin`)
      const gaps = report.covered.gaps.filter(({ about }) => about === 'orphans')
      expect(gaps).toMatchObject([
        { because: expect.stringMatching(/only by its exact key: \d+ keys? .* asked for by name/) },
      ])
      expect(gaps[0]?.unexpected).toBe(false)
    } finally {
      await proxy.stop()
    }
  })
})

/** A user of versitygw to whom policies apply, in contrast to its root. */
const someUser = async (
  at: Awaited<ReturnType<typeof startVersitygw>> | undefined,
): Promise<Record<string, string>> => {
  if (at === undefined) throw new Error('versitygw is not up')
  const user = { accessKey: 'labnolist', secretKey: 'labnolistsecret' }
  const admin = ['admin', '--access', at.accessKey, '--secret', at.secretKey, '--endpoint-url', at.endpoint]
  const create = ['create-user', '--access', user.accessKey, '--secret', user.secretKey, '--role', 'user']
  await promisify(execFile)(await goProgram('versitygw'), [...admin, ...create])
  return { ...at.env, AWS_ACCESS_KEY_ID: user.accessKey, AWS_SECRET_ACCESS_KEY: user.secretKey }
}
