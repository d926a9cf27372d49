import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { doctor } from '../doctor.ts'
import { shared, startThrottle } from '../lab/index.ts'
import { watchingProxy } from '../watching-proxy.ts'
import { expectLoaded, home, lose, repair } from './story.ts'

/** More than ten rounds can send, so that each kill meets a repair that still has something to do. */
const size = 360_000_000
const kills = 10

/** What a killed run leaves on this machine: readable by its user alone, without an address or a secret. */
const cleanJournals = async (state: string, secret: string): Promise<number> => {
  const entries = await readdir(state, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile())
  for (const { parentPath, name } of files) {
    expect((await stat(join(parentPath, name))).mode & 0o077).toBe(0)
    expect(await readFile(join(parentPath, name), 'utf8')).not.toMatch(
      new RegExp(`https?://|X-Amz-|Signature|${secret}`),
    )
  }
  return files.length
}

test('a repair killed with -9 ten times at random moments ends byte-equal, and no part that the store held is sent again', async () => {
  const { mlflowS3, seaweed } = shared()
  const state = await home()
  const env = { ...state, ...seaweed.env, MLFLOW_TRACKING_URI: mlflowS3.url }
  const slowly = await startThrottle({ upstream: seaweed.endpoint, bytesPerSecond: 20_000_000 })
  const lost = await lose(
    [
      ...['--experiment', 'repair-killed', '--artifact-location', `s3://${mlflowS3.bucket}/repair-killed`],
      ...['--file', `data.bin=${size}`, '--kill-parts', '1', '--store-endpoint', seaweed.endpoint],
    ],
    { ...env, MLFLOW_S3_ENDPOINT_URL: slowly.url },
  ).finally(() => slowly.stop())
  const watching = await watchingProxy(seaweed.endpoint)
  // Slow enough that every kill meets an upload in progress.
  const slow = await startThrottle({ upstream: watching.url, bytesPerSecond: 25_000_000 })
  const through = { ...env, MLFLOW_S3_ENDPOINT_URL: slow.url }
  const command = ['repair', `models:/${lost.modelId}`, '--from', lost.folder, '--yes', '--settle', '0']
  let met = 0
  let journals = 0
  try {
    for (let n = 0; n < kills; n += 1) {
      const before = watching.seen.length
      let ended = false
      const ran = await doctor(command, {
        env: through,
        // Counted from the first question that reaches the store: how long a loaded machine takes to start tells nothing.
        started: (kill) =>
          void (async () => {
            while (watching.seen.length === before && !ended) await sleep(10)
            await sleep(Math.random() * 1_300)
            kill('SIGKILL')
          })(),
      })
      ended = true
      if (ran.signal === 'SIGKILL') met += 1
      // What was on its way into the store when the client died arrives there; then it is looked at again.
      await sleep(100)
      await watching.idle()
      journals += await cleanJournals(state.XDG_STATE_HOME ?? '', seaweed.secretKey)
    }
    await repair(lost, through)
  } finally {
    await slow.stop()
    await watching.stop()
  }
  expect(met).toBe(kills)
  expect(journals).toBeGreaterThan(0)
  const accepted = watching.seen.filter(({ call, status }) => call === 'part' && status === 200)
  const keyed = accepted.map(({ url, part }) => `${url.split('?')[0]} ${/uploadId=[^&]+/.exec(url)} ${part}`)
  expect(keyed.length).toBeGreaterThan(5)
  expect(new Set(keyed).size).toBe(keyed.length)
  await expectLoaded(lost, env)
})
