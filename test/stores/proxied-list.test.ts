import { expect, test } from 'vitest'
import type { TrackingServer } from '../../src/mlflow/server.ts'
import { proxiedStore } from '../../src/stores/proxied.ts'

/** Stands in for a hostile tracking server: every folder holds these, as long as it is at most `deep` levels down. */
const listing = (names: readonly string[], deep: number): { server: TrackingServer; calls: () => number } => {
  let calls = 0
  const call = async (_method: string, _path: string, { query }: { query?: { path?: string } }): Promise<unknown> => {
    calls += 1
    const depth = (query?.path ?? '').split('/').length - 1
    return { files: depth < deep ? names.map((path) => ({ path, is_dir: true })) : [] }
  }
  const server = { uri: 'http://tracking', info: {}, settings: { tls: {}, s3: {}, trustedHosts: [] }, call }
  return { server: server as unknown as TrackingServer, calls: () => calls }
}

test.each([
  ['that holds itself', ['a'], Number.POSITIVE_INFINITY, /200 deep/],
  ['with more folders than anybody has', ['a', 'b', 'c'], 20, /more than 100000 folders/],
])('the listing of a server %s ends', async (_name, names, deep, why) => {
  const { server, calls } = listing(names, deep)
  const store = proxiedStore(server, 'mlflow-artifacts:/1', 'test')
  await expect(Array.fromAsync(store.list())).rejects.toMatchObject({
    kind: 'unexpected-answer',
    why: expect.stringMatching(why),
  })
  expect(calls()).toBeLessThanOrEqual(100_000)
})
