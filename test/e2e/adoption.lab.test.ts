import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { open, readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { ListMultipartUploadsCommand, ListPartsCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { doctor, examined } from '../doctor.ts'
import { clientCommand, eventsOf, s3Sdk, scratch, shared, startMlflow, startThrottle } from '../lab/index.ts'
import { freshBucket } from '../stores/s3-settings.ts'
import { watchingProxy } from '../watching-proxy.ts'
import { expectLoaded, home, lose, repair } from './story.ts'

const size = 120_000_000

/** An upload of which the real client, killed, has sent 70 % or more: directly by boto3 (parts of 8 MiB), or by addresses that the server signed (10 MiB). */
const killedAtSeventy = async (how: 'boto3' | 'proxied') => {
  const { seaweed, mlflowS3 } = shared()
  const slow = await startThrottle({ upstream: seaweed.endpoint, bytesPerSecond: 25_000_000 })
  const parts = Math.ceil((0.7 * size) / ((how === 'boto3' ? 8 : 10) * 1024 ** 2))
  const base = { ...seaweed.env, ...(await home()) }
  const log = [...['--file', `data.bin=${size}`, '--kill-parts', String(parts), '--store-endpoint', seaweed.endpoint]]
  if (how === 'boto3') {
    const at = ['--experiment', 'adoption', '--artifact-location', `s3://${mlflowS3.bucket}/adoption`]
    const env = { ...base, MLFLOW_TRACKING_URI: mlflowS3.url }
    const lost = await lose([...at, ...log], { ...env, MLFLOW_S3_ENDPOINT_URL: slow.url }).finally(() => slow.stop())
    return { lost, env, options: [] as string[], stop: async () => undefined }
  }
  const sdk = s3Sdk(seaweed)
  const destination = `s3://${await freshBucket(sdk)}/mlflow`
  sdk.destroy()
  const mlflow = await startMlflow({
    artifactsDestination: destination,
    env: { ...seaweed.env, MLFLOW_S3_ENDPOINT_URL: slow.url },
  })
  const env = { ...base, MLFLOW_TRACKING_URI: mlflow.url }
  const multipart = {
    MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: 'true',
    MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: '10485760',
  }
  const lost = await lose(['--experiment', 'adoption', '--destination', destination, ...log], { ...env, ...multipart })
  const stop = async () => {
    await mlflow.stop()
    await slow.stop()
  }
  return { lost, env, options: ['--artifacts-destination', destination], stop }
}

describe.each(['boto3', 'proxied'] as const)('an upload that the real client left at 70 %%, sent by %s', (how) => {
  test('is finished by sending at most 31 % of its bytes', async () => {
    const { lost, env, options, stop } = await killedAtSeventy(how)
    const watching = await watchingProxy(shared().seaweed.endpoint)
    try {
      const report = await repair(lost, { ...env, MLFLOW_S3_ENDPOINT_URL: watching.url }, options)
      const sent = watching.seen
        .filter(({ method, url }) => method === 'PUT' && decodeURIComponent(url).includes('data.bin'))
        .reduce((sum, { bytes }) => sum + bytes, 0)
      expect(sent).toBeGreaterThan(0)
      expect(sent).toBeLessThanOrEqual(0.31 * size)
      const step = report.steps?.find(({ path }) => path === 'artifacts/data.bin')
      expect((step?.sent ?? 0) + (step?.reused ?? 0)).toBe(size)
      await expectLoaded(lost, env)
    } finally {
      await watching.stop()
      await stop()
    }
  })
})

test('an upload whose local file has changed is not adopted: nothing of it gets into the object', async () => {
  const { lost, env } = await killedAtSeventy('boto3')
  const file = join(lost.folder, 'artifacts/data.bin')
  const handle = await open(file, 'r+')
  await handle.write('changed', 20_000_000)
  await handle.close()
  const report = await examined(
    ['repair', `models:/${lost.modelId}`, '--from', lost.folder, '--yes', '--settle', '0'],
    { env },
  )
  const step = report.steps?.find(({ path }) => path === 'artifacts/data.bin')
  expect(step).toMatchObject({ state: 'verified', sent: size, reused: 0 })
  const sha256 = createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
  const files = { ...lost.files, 'artifacts/data.bin': { bytes: size, sha256 } }
  await expectLoaded({ ...lost, files }, env)
})

test('a local folder in which a file was cut is refused as a source', async () => {
  const { lost, env } = await killedAtSeventy('boto3')
  await truncate(join(lost.folder, 'artifacts/data.bin'), size - 5)
  const repairing = ['repair', `models:/${lost.modelId}`, '--from', lost.folder, '--yes', '--settle', '0']
  const report = await examined(repairing, { env })
  expect(report.steps?.find(({ path }) => path === 'artifacts/data.bin')).toMatchObject({
    state: 'failed',
    because: expect.stringMatching(/refused as a source: .*MLmodel counts/),
  })
  expect(report.exitCode).toBe(1)
})

test('two repairs of one model at once, from one machine and from two, end whole; a third one writes nothing', async () => {
  const { seaweed, mlflowS3 } = shared()
  const dir = await scratch()
  const env = { ...seaweed.env, ...(await home()), MLFLOW_TRACKING_URI: mlflowS3.url }
  const at = ['--experiment', 'at-once', '--artifact-location', `s3://${mlflowS3.bucket}/at-once`]
  const lost = await lose([...at, '--file', 'data.bin=40000000', '--kill-parts', '1'], env)
  const other = { ...env, XDG_STATE_HOME: join(dir, 'elsewhere') }
  const command = ['repair', `models:/${lost.modelId}`, '--from', lost.folder, '--yes', '--json', '--settle', '0']
  const ran = await Promise.all([env, env, other].map((each) => doctor(command, { env: each })))
  // Whoever comes second may be told so; nobody may say that all is well when it is not.
  for (const { code } of ran) expect([0, 1]).toContain(code)
  await repair(lost, env)
  await expectLoaded(lost, env)

  const watching = await watchingProxy(seaweed.endpoint)
  const tracking = await watchingProxy(mlflowS3.url)
  const watched = { ...env, MLFLOW_S3_ENDPOINT_URL: watching.url, MLFLOW_TRACKING_URI: tracking.url }
  const whole = await examined(
    command.filter((word) => word !== '--json'),
    { env: watched },
  )
  await watching.stop()
  await tracking.stop()
  expect(whole).toMatchObject({ steps: [], exitCode: 0 })
  expect(watching.seen.length).toBeGreaterThan(0)
  expect(watching.seen.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([])
  const asking = /\/(search|get-latest-versions)(\?|$)/
  expect(tracking.seen.filter(({ method, url }) => method !== 'GET' && !asking.test(url))).toEqual([])
})

test('an upload that is still going on is left alone, and it ends well', async () => {
  const { seaweed, mlflowS3 } = shared()
  const slow = await startThrottle({ upstream: seaweed.endpoint, bytesPerSecond: 8_000_000 })
  const dir = await scratch()
  const env = { ...seaweed.env, ...(await home()), MLFLOW_TRACKING_URI: mlflowS3.url }
  const at = ['--experiment', 'going-on', '--artifact-location', `s3://${mlflowS3.bucket}/going-on`]
  const kept = join(dir, 'kept')
  const { command, env: python } = await clientCommand('log_model.py', {
    args: [...at, '--file', 'data.bin=200000000', '--keep', kept],
  })
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, ...env, ...python, HOME: dir, TMPDIR: dir, MLFLOW_S3_ENDPOINT_URL: slow.url },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let out = ''
  child.stdout.on('data', (data: Buffer) => {
    out += data
  })
  const ended = new Promise((resolve) => child.on('close', resolve))
  await expect.poll(() => eventsOf({ stdout: out }).length, { timeout: 60_000 }).toBeGreaterThan(0)
  const [saved] = eventsOf({ stdout: out })
  const sdk = s3Sdk(seaweed)
  const parts = async () => {
    const within = { Bucket: mlflowS3.bucket }
    const { Uploads = [] } = await sdk.send(new ListMultipartUploadsCommand({ ...within, Prefix: 'going-on/' }))
    const [first] = Uploads
    if (first === undefined) return 0
    const { Key, UploadId } = first
    return (await sdk.send(new ListPartsCommand({ ...within, Key, UploadId }))).Parts?.length ?? 0
  }
  await expect.poll(parts, { timeout: 60_000 }).toBeGreaterThan(0)
  sdk.destroy()
  // boto3 sends ten parts at a time, so they arrive in bursts some ten seconds apart: whoever looks for longer sees one.
  const command2 = ['repair', `models:/${saved?.model_id}`, '--from', kept, '--yes', '--settle', '14s']
  const report = await examined(command2, { env })
  const step = report.steps?.find(({ path }) => path === 'artifacts/data.bin')
  // Told to wait, or, where the client ended meanwhile, found to be whole: either way nothing was sent into its upload.
  expect(step?.sent ?? 0, JSON.stringify(step)).toBe(0)
  expect(await ended).toBe(0)
  await slow.stop()
  expect(eventsOf({ stdout: out }).at(-1)).toMatchObject({ event: 'logged' })
  const files = saved?.files as Record<string, { bytes: number; sha256: string }>
  const lost = { runId: '', modelId: String(saved?.model_id), folder: kept, files, stderr: '' }
  await expectLoaded(lost, env)
})
