import { expect, test } from 'vitest'
import { examined } from '../doctor.ts'
import { shared } from '../lab/index.ts'
import { watchingProxy } from '../watching-proxy.ts'
import { home } from './story.ts'

const MB = 1_000_000

test.each([
  ['without a plan, through the server and by signed parts', [], 100],
  ['a large file by signed parts', ['--size', '20GiB'], 100],
  ['a file through the server, with less to spend', ['--size', '400MiB', '--traffic', '10MB'], 10],
] as const)('all that a check sends stays below --traffic, on both hops together: %s', async (_, args, most) => {
  const { mlflowS3, seaweed } = shared()
  const tracking = await watchingProxy(mlflowS3.url)
  const store = await watchingProxy(seaweed.endpoint)
  try {
    const env = {
      ...(await home()),
      ...seaweed.env,
      MLFLOW_S3_ENDPOINT_URL: store.url,
      MLFLOW_TRACKING_URI: tracking.url,
    }
    const report = await examined(['check', ...args, '--artifacts-destination', mlflowS3.destination], { env })
    expect(report.exitCode, JSON.stringify(report, undefined, 1)).toBe(0)
    const sent = [...tracking.seen, ...store.seen].reduce((sum, { bytes }) => sum + bytes, 0)
    expect(sent).toBeLessThan(most * MB)
    const canaries = Number(report.checks.find(({ id }) => id === 'network/transfer')?.measured?.canaryBytes)
    // Signed addresses lead to the store itself, past the proxy that watches.
    expect(canaries).toBeLessThan(most * MB)
    expect(canaries).toBeGreaterThan(most * MB * 0.1)
  } finally {
    await tracking.stop()
    await store.stop()
  }
})
