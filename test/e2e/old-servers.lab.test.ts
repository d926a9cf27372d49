/** No server of any version is left with a zero-byte, truncated or whole canary, whatever happens to the check. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { doctor, reportOf } from '../doctor.ts'
import { orSkip, s3Sdk, shared, startMlflow, startNginx, startToxiproxy } from '../lab/index.ts'
import { expectValid } from '../schema.ts'
import { home } from './story.ts'

const versions = ['2.22.1', '3.2.0', '3.11.1', '3.14.0', '3.17.2'] as const

/** Every object with its size, and every unfinished upload. */
const inBucket = async (prefix: string): Promise<string[]> => {
  const { seaweed, mlflowS3 } = shared()
  const s3 = s3Sdk(seaweed)
  const where = { Bucket: mlflowS3.bucket, Prefix: prefix }
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand(where))
  const { Contents = [] } = await s3.send(new ListObjectsV2Command(where))
  return [...Uploads.map(({ Key }) => `${Key} unfinished`), ...Contents.map(({ Key, Size }) => `${Key} ${Size}`)]
}

const prepared = async (version: (typeof versions)[number], store: 'folder' | 'S3') => {
  const { seaweed, mlflowS3 } = shared()
  const prefix = `old-${Math.random().toString(36).slice(2)}`
  const server = await startMlflow({
    version,
    ...(store === 'S3' && { artifactsDestination: `s3://${mlflowS3.bucket}/${prefix}`, env: seaweed.env }),
  })
  const content = (): Promise<string[]> =>
    store === 'S3' ? inBucket(prefix) : readdir(server.destination, { recursive: true }).catch((): string[] => [])
  const put = await fetch(`${server.url}/api/2.0/mlflow-artifacts/artifacts/0/theirs.bin`, {
    method: 'PUT',
    body: Buffer.alloc(1000, 1),
  })
  expect(put.status).toBe(200)
  const before = await content()
  expect(before).toContainEqual(expect.stringMatching('theirs.bin'))
  /** A check, interrupted so many milliseconds after it noted its first canary where that is given; the store then is as it was. */
  const expectClean = async (url: string, interrupt?: number): Promise<void> => {
    const args = ['check', '--json', '--size', '6MB', '--traffic', '16MB', '--as', 'log_artifact']
    const state = await home()
    const journals = join(state.XDG_STATE_HOME ?? '', 'mlflow-doctor', 'canaries')
    let over = false
    const ran = await doctor(args, {
      env: { ...state, MLFLOW_TRACKING_URI: url },
      started: async (kill) => {
        if (interrupt === undefined) return
        while (!over && (await readdir(journals).catch(() => [])).length === 0) await sleep(5)
        await sleep(interrupt)
        if (!over) kill('SIGINT')
      },
    })
    over = true
    const report = reportOf(ran)
    expectValid(report)
    expect(report.checks.filter(({ state }) => state === 'crashed')).toEqual([])
    // What a server may still be storing has had its time.
    await sleep(1500)
    expect(await content(), ran.stdout).toEqual(before)
  }
  return { server, expectClean }
}

describe.each(versions)('MLflow %s', (version) => {
  test.each(['folder', 'S3'] as const)(
    '%s: a whole check, interrupted ones, and bodies cut on the way',
    async (store) => {
      const { server, expectClean } = await prepared(version, store)
      const nginx = await startNginx({ upstream: server.url, directives: 'client_max_body_size 2m;' })
      try {
        await expectClean(server.url)
        await expectClean(nginx.url)
        for (const interrupt of [0, 150, 500]) await expectClean(server.url, interrupt)
      } finally {
        await nginx.stop()
        await server.stop()
      }
    },
  )

  test.for(['limit_data', 'reset_peer'] as const)('a connection that ends in mid-body (%s)', async (type, context) => {
    const { server, expectClean } = await prepared(version, 'folder')
    const toxiproxy = await orSkip(context, startToxiproxy())
    try {
      const cut = await toxiproxy.proxy(server.url)
      await cut.toxic({
        type,
        stream: 'upstream',
        attributes: type === 'limit_data' ? { bytes: 1_000_000 } : { timeout: 300 },
      })
      await expectClean(cut.url)
    } finally {
      await toxiproxy.stop()
      await server.stop()
    }
  })
})
