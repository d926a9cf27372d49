import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LabMissing, s3Sdk, scratch, shared, startMlflow, startToxiproxy, startVersitygw } from '../lab/index.ts'
import { freshBucket } from '../stores/s3-settings.ts'
import { watchingProxy } from '../watching-proxy.ts'
import { type Cell, cells, type Fault, nameOf, type StoreName, stores } from './cells.ts'
import { type Destination, killed, type Outcome } from './kill.ts'

const which = process.env.MLFLOW_DOCTOR_KILL_MATRIX === 'all' ? 'all' : 'usual'
/** Kills that met a running process. */
const least = which === 'all' ? 300 : 60

interface Row extends Cell {
  readonly outcome?: Outcome
  readonly failed?: string
}

/** One lane sends one command after the other, through a proxy of its own. */
interface Lane {
  next(): Promise<Destination>
  stop(): Promise<void>
}

const toxics = {
  reset: { type: 'reset_peer', stream: 'upstream', toxicity: 0.4, attributes: { timeout: 30 } },
  stall: { type: 'timeout', stream: 'upstream', toxicity: 0.3, attributes: { timeout: 1500 } },
  slow: { type: 'bandwidth', stream: 'upstream', attributes: { rate: 20_000 } },
  'cut reply': { type: 'limit_data', stream: 'downstream', toxicity: 0.3, attributes: { bytes: 100 } },
  'lost answer': { type: 'limit_data', stream: 'downstream', toxicity: 0.3, attributes: { bytes: 1 } },
} as const

const s3Lane = async (name: 'SeaweedFS' | 'versitygw'): Promise<Lane> => {
  const server = name === 'SeaweedFS' ? { ...shared().seaweed, stop: async () => undefined } : await startVersitygw()
  const sdk = s3Sdk(server)
  const bucket = await freshBucket(sdk)
  const proxy = await watchingProxy(server.endpoint)
  const toxiproxy = await startToxiproxy().catch((error: unknown) => {
    if (error instanceof LabMissing) return undefined
    throw error
  })
  const link = await toxiproxy?.proxy(proxy.url)
  return {
    async next() {
      const prefix = `k${randomBytes(6).toString('hex')}`
      const fault = async (wanted: Fault) => {
        await link?.reset()
        const toxic = wanted in toxics ? toxics[wanted as keyof typeof toxics] : undefined
        if (toxic !== undefined) await link?.toxic(toxic)
      }
      return {
        target: `s3://${bucket}/${prefix}`,
        ...{ prefix, options: [], fault, s3: { sdk, bucket, proxy } },
        env: { ...server.env, MLFLOW_S3_ENDPOINT_URL: link?.url ?? proxy.url },
      }
    },
    async stop() {
      await toxiproxy?.stop()
      await proxy.stop()
      sdk.destroy()
      await server.stop()
    },
  }
}

/** Without credentials for the store: parts go by addresses that the server signs, which lead to the proxy. */
const proxiedLane = async (): Promise<Lane> => {
  const { seaweed } = shared()
  const sdk = s3Sdk(seaweed)
  const bucket = await freshBucket(sdk)
  const proxy = await watchingProxy(seaweed.endpoint)
  const mlflow = await startMlflow({
    artifactsDestination: `s3://${bucket}/mlflow`,
    env: { ...seaweed.env, MLFLOW_S3_ENDPOINT_URL: proxy.url },
  })
  return {
    async next() {
      const answer = await fetch(`${mlflow.url}/api/2.0/mlflow/runs/create`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ experiment_id: '0' }),
      })
      const { run } = (await answer.json()) as { run: { info: { run_id: string } } }
      return {
        target: `runs:/${run.info.run_id}/to`,
        prefix: `mlflow/0/${run.info.run_id}/artifacts/to`,
        ...{ options: [], s3: { sdk, bucket, proxy }, env: { MLFLOW_TRACKING_URI: mlflow.url } },
      }
    },
    async stop() {
      await mlflow.stop()
      await proxy.stop()
      sdk.destroy()
    },
  }
}

const folderLane = async (): Promise<Lane> => ({
  async next() {
    const prefix = join(await scratch(), 'store')
    return { target: prefix, prefix, options: [], env: {} }
  },
  stop: async () => undefined,
})

const laneOf = (store: StoreName): Promise<Lane> =>
  store === 'folder' ? folderLane() : store === 'proxied' ? proxiedLane() : s3Lane(store)

const table = (rows: readonly Row[]): string =>
  rows
    .map(({ outcome, failed, ...cell }) => {
      const said = failed ?? `${outcome?.kills} met, ${Math.round((outcome?.reused ?? 0) / 1024)} KiB reused`
      return `${failed === undefined ? 'ok  ' : 'FAIL'} ${nameOf(cell)}: ${said}`
    })
    .join('\n')

test(`a command killed with -9 at any moment, and run again, ends byte-equal with nothing left over: at least ${least} kills`, async () => {
  const rows: Row[] = []
  const all = cells(which)
  const waiting = new Map(stores.map((store) => [store, all.filter((each) => each.store === store)]))
  // Most cells are SeaweedFS's.
  const lanes = [...stores, 'SeaweedFS' as const].map(async (store) => {
    const lane = await laneOf(store).catch((error: unknown) => {
      if (error instanceof LabMissing) return undefined
      throw error
    })
    try {
      for (let cell = waiting.get(store)?.shift(); cell !== undefined; cell = waiting.get(store)?.shift()) {
        if (lane === undefined) continue
        try {
          rows.push({ ...cell, outcome: await killed(cell, await lane.next(), await scratch()) })
        } catch (error) {
          rows.push({ ...cell, failed: error instanceof Error ? error.message : String(error) })
        }
      }
    } finally {
      await lane?.stop()
    }
  })
  await Promise.all(lanes)
  const text = table(rows)
  const met = rows.reduce((sum, { outcome }) => sum + (outcome?.kills ?? 0), 0)
  const file = process.env.MLFLOW_DOCTOR_KILL_TABLE
  if (file !== undefined) await writeFile(file, `${text}\n${met} kills met in ${rows.length} cells\n`)
  expect(
    rows.filter(({ failed }) => failed !== undefined).map(({ outcome: _, ...row }) => row),
    text,
  ).toEqual([])
  expect(met, text).toBeGreaterThanOrEqual(least)
}, 3_600_000)
