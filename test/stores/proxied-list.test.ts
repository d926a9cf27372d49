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

/** Stands in for a defective tracking server: one answer to the listing, and `content` for each file that is read. */
const answering = (answer: unknown, content = ''): TrackingServer => {
  const bytes = async () => ({ response: { ok: true, status: 200 }, bytes: Buffer.from(content).subarray(0, 1) })
  const server = { uri: 'http://tracking', info: {}, settings: { tls: {}, s3: {}, trustedHosts: [] }, bytes }
  return { ...server, call: async () => answer } as unknown as TrackingServer
}
const listed = (answer: unknown, content?: string) =>
  Array.fromAsync(proxiedStore(answering(answer, content), 'mlflow-artifacts:/1', 'test').list())
const sized = (file_size: unknown) => ({ files: [{ path: 'f', is_dir: false, file_size }] })

test.each([
  ['an error', { error_code: 'INTERNAL_ERROR', message: 'secret' }],
  ['something else', { status: 'fine' }],
  ['files that are no list', { files: { path: 'f' } }],
  ['a file without a name', { files: [{ file_size: 1 }] }],
  ['an empty name', { files: [{ path: '', file_size: 1 }] }],
  ['a folder that leads out', { files: [{ path: '../../etc', is_dir: true }] }],
  ...[-1, 1.5, 2 ** 53, Number.NaN, '-1', '1e3', '', 'x', '99999999999999999999', true, {}].map(
    (size): [string, unknown] => [`the size ${JSON.stringify(size)}`, sized(size)],
  ),
])('a listing with %s is no answer', async (_name, answer) => {
  await expect(listed(answer)).rejects.toMatchObject({
    kind: 'unexpected-answer',
    why: expect.not.stringContaining('secret'),
  })
})

test('a size may be a number or, as protobuf writes it, a string; an empty message is an empty folder', async () => {
  expect(await listed(sized(200_000))).toEqual([{ path: 'f', size: 200_000 }])
  expect(await listed(sized('200000'))).toEqual([{ path: 'f', size: 200_000 }])
  expect(await listed({})).toEqual([])
})

test.each([{ files: [{ path: 'f', is_dir: false }] }, sized(null)])(
  'a size that is left out is 0 only where the file is empty',
  async (answer) => {
    expect(await listed(answer, '')).toEqual([{ path: 'f', size: 0 }])
    await expect(listed(answer, 'content')).rejects.toMatchObject({ kind: 'unexpected-answer' })
    const store = proxiedStore(answering(answer, 'content'), 'mlflow-artifacts:/1', 'test')
    await expect(store.stat('f')).rejects.toMatchObject({ kind: 'unexpected-answer' })
  },
)

test.each(['../../etc', '/abs', '..'])('the unsafe name %j is told as it is', async (path) => {
  expect(await listed({ files: [{ path, file_size: 3 }] })).toEqual([{ path, size: 3 }])
})
