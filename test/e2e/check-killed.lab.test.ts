/** `check` killed with -9 while its canaries are on their way: the next one removes what was left, and says so. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { doctor, examined } from '../doctor.ts'
import { s3Sdk, shared, startMlflow, startThrottle } from '../lab/index.ts'
import { freshBucket } from '../stores/s3-settings.ts'
import { findings, home } from './story.ts'

const isCanary = (name: string | undefined): boolean => name?.includes('.mlflow-doctor-canary') ?? false

const inBucket = async (Bucket = shared().mlflowS3.bucket): Promise<string[]> => {
  const s3 = s3Sdk(shared().seaweed)
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }))
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }))
  return [...Uploads, ...Contents].flatMap(({ Key }) => (Key && isCanary(Key) ? [Key] : []))
}
const inFolder = (dir: string) => async (): Promise<string[]> =>
  (await readdir(dir, { recursive: true }).catch(() => [])).filter(
    (name) => isCanary(name) || name.includes('uploading'),
  )

/** The size decides which route the canaries take. */
const parts = { MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: '5242880', MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE: '5242880' }
const kills = 4

interface Deployment {
  /** The hop that canaries pass first. */
  readonly upstream: string
  readonly env: (slow: string) => Record<string, string>
  readonly more?: readonly string[]
  readonly left: () => Promise<string[]>
  /** Uploads in parts are open from their beginning on, so that some kill leaves one; of a whole file only what was stored is left. */
  readonly always?: true
  /** Milliseconds from the first note to the kill at most. */
  readonly withinMs?: number
  stop?(): Promise<void>
}

const deployments: Readonly<Record<string, () => Promise<Deployment>>> = {
  // In a bucket of its own: canaries of other tests come and go in the shared one.
  'through the server to S3, whole': async () => {
    const { seaweed } = shared()
    const sdk = s3Sdk(seaweed)
    const bucket = await freshBucket(sdk)
    sdk.destroy()
    const mlflow = await startMlflow({ artifactsDestination: `s3://${bucket}/mlflow`, env: seaweed.env })
    return {
      upstream: mlflow.url,
      env: (slow) => ({ MLFLOW_TRACKING_URI: slow, MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: 'false' }),
      left: () => inBucket(bucket),
      stop: () => mlflow.stop(),
    }
  },
  'through the server to a folder': async () => ({
    upstream: shared().mlflowFolder.url,
    env: (slow) => ({ MLFLOW_TRACKING_URI: slow }),
    left: inFolder(shared().mlflowFolder.destination),
  }),
  'through a server of old, which stores what was cut, to a folder': async () => {
    const mlflow = await startMlflow({ version: '2.22.1' })
    return {
      upstream: mlflow.url,
      env: (slow) => ({ MLFLOW_TRACKING_URI: slow }),
      left: inFolder(mlflow.destination),
      stop: () => mlflow.stop(),
    }
  },
  'by signed parts, with credentials for the store': async () => ({
    upstream: shared().seaweed.endpoint,
    env: (slow) => ({
      ...shared().seaweed.env,
      ...parts,
      MLFLOW_TRACKING_URI: shared().mlflowS3.url,
      MLFLOW_S3_ENDPOINT_URL: slow,
    }),
    more: ['--artifacts-destination', shared().mlflowS3.destination],
    left: () => inBucket(),
    always: true,
    // Signed addresses lead past the slow hop.
    withinMs: 600,
  }),
  'to S3 itself': async () => {
    const { mlflowS3, seaweed } = shared()
    const name = `killed-${Math.random().toString(36).slice(2)}`
    const made = await fetch(`${mlflowS3.url}/api/2.0/mlflow/experiments/create`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, artifact_location: `s3://${mlflowS3.bucket}/${name}` }),
    })
    expect(made.status).toBe(200)
    return {
      upstream: seaweed.endpoint,
      env: (slow) => ({ ...seaweed.env, MLFLOW_TRACKING_URI: mlflowS3.url, MLFLOW_S3_ENDPOINT_URL: slow }),
      more: ['--experiment', name],
      left: () => inBucket(),
      always: true,
    }
  },
}

test.each(Object.keys(deployments))('killed %s', async (name) => {
  const deployment = await deployments[name]?.()
  if (!deployment) throw new Error('no such deployment')
  const slow = await startThrottle({ upstream: deployment.upstream, bytesPerSecond: 8_000_000 })
  const state = await home()
  const journals = join(state.XDG_STATE_HOME ?? '', 'mlflow-doctor', 'canaries')
  const notes = () => readdir(journals).catch((): string[] => [])
  const options = { env: { ...state, ...deployment.env(slow.url) } }
  const command = ['check', '--size', '40MB', '--traffic', '60MB', '--as', 'log_artifact', ...(deployment.more ?? [])]
  let met = 0
  let removed = 0
  /** A server goes on for a while with what a killed client sent: until what is there stays as it is. */
  const settled = async (): Promise<void> => {
    let before: readonly string[] | undefined
    for (let tries = 0; tries < 20; tries += 1) {
      const now = (await deployment.left()).sort()
      if (before !== undefined && now.join('\n') === before.join('\n')) return
      before = now
      await sleep(1000)
    }
  }
  const clean = async (more: readonly string[]): Promise<readonly string[]> => {
    const before = (await deployment.left()).filter(isCanary)
    const report = await examined(['check', ...more, ...(deployment.more ?? [])], options)
    const said = findings(report, 'store/leftovers').reduce((sum, { facts }) => sum + Number(facts.removed ?? 0), 0)
    expect(said, JSON.stringify(report.checks, undefined, 1)).toBeGreaterThanOrEqual(before.length)
    removed += said
    return deployment.left()
  }
  /** What a server was still storing for a killed client may come after the first look: its note has stayed, and the next run removes it. */
  const cleaned = async (more: readonly string[]): Promise<void> => {
    let left = await clean(more)
    for (let tries = 0; left.length > 0 && tries < 4; tries += 1) {
      await sleep(1000)
      left = await clean(more)
    }
    expect(left).toEqual([])
  }
  try {
    // A kill that comes when the check has ended kills nothing, and does not count.
    for (let tried = 0; met < kills && tried < 4 * kills; tried += 1) {
      let over = false
      const counted = met
      const before = new Set(await notes())
      await doctor(command, {
        ...options,
        started: async (kill) => {
          // From the first note of a canary on, at any moment.
          while (!over && !(await notes()).some((note) => !before.has(note))) await sleep(5)
          await sleep(Math.random() * (deployment.withinMs ?? 2000))
          kill('SIGKILL')
        },
      }).then(({ signal }) => {
        over = true
        if (signal === 'SIGKILL') met += 1
      })
      // Every second time two are left for one run.
      if (met === counted || met % 2 === 1) continue
      await settled()
      await cleaned(['--only', 'store/leftovers'])
    }
    await cleaned(['--traffic', '8MB'])
  } finally {
    await slow.stop()
    await deployment.stop?.()
  }
  expect(met).toBe(kills)
  if (deployment.always) expect(removed).toBeGreaterThan(0)
})
