import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openServer, type TrackingServer } from '../../src/mlflow/server.ts'
import { proxiedStore } from '../../src/stores/proxied.ts'
import type { Store } from '../../src/stores/store.ts'
import { startMlflow, startNginx } from '../lab/index.ts'
import { settingsWith } from './s3-settings.ts'

const piece = Buffer.alloc(64 * 1024, 'p')
const announced = 20 * 1024 ** 2

/** What may go wrong while a body is being read on this side. */
const sources: [string, (stop: AbortController) => () => AsyncIterable<Uint8Array>, string | undefined][] = [
  [
    'the file cannot be read any further',
    () =>
      async function* () {
        for (let n = 0; n < 80; n += 1) yield piece
        throw Object.assign(new Error('the disk is gone'), { code: 'EIO' })
      },
    undefined,
  ],
  [
    'the file has become shorter',
    () =>
      async function* () {
        for (let n = 0; n < 80; n += 1) yield piece
      },
    'source-changed',
  ],
  [
    'the file has become longer',
    () =>
      async function* () {
        for (let n = 0; n < 400; n += 1) yield piece
      },
    'source-changed',
  ],
  [
    'the user interrupts',
    (stop) =>
      async function* () {
        for (let n = 0; n < 80; n += 1) yield piece
        await pause(100)
        stop.abort()
        yield piece
      },
    undefined,
  ],
]

// gunicorn stores a body that ends early by a clean close as if it were whole; only a reset keeps it from that.
describe.each(['gunicorn', 'uvicorn'] as const)('%s', (engine) => {
  let mlflow: Awaited<ReturnType<typeof startMlflow>>
  let server: TrackingServer
  let store: Store
  let dir = ''
  beforeAll(async () => {
    mlflow = await startMlflow({ engine })
    dir = join(mlflow.destination.startsWith('file:') ? fileURLToPath(mlflow.destination) : mlflow.destination, 'cut')
    server = await openServer(settingsWith({}, mlflow.url))
    store = proxiedStore(server, 'mlflow-artifacts:/cut', 'test')
  })
  afterAll(async () => {
    await store.close()
    server.close()
    await mlflow.stop()
  })

  test.each(sources)('%s in the middle of a PUT: nothing is stored', async (_, source, kind) => {
    const stop = new AbortController()
    const sent = store.putWhole?.('model.bin', { size: announced, open: source(stop) }, stop.signal)
    await expect(sent).rejects.toMatchObject(kind === undefined ? {} : { kind })
    // The server has let go of the request once it answers the next ones and no staged file is left.
    await store.putWhole?.('after', {
      size: 1,
      open: () => ReadableStream.from([Buffer.from('x')]) as AsyncIterable<Uint8Array>,
    })
    await expect.poll(async () => (await readdir(dir)).sort(), { timeout: 60_000 }).toEqual(['after'])
  })

  test('a whole body arrives, chunk sizes aside', async () => {
    const open = async function* () {
      for (let n = 0; n < 320; n += 1) yield piece
    }
    await store.putWhole?.('whole.bin', { size: announced, open })
    expect((await stat(join(dir, 'whole.bin'))).size).toBe(announced)
  })

  test('a refusal that comes before the body is through is heard: 413 of nginx', async () => {
    const nginx = await startNginx({ upstream: mlflow.url, directives: 'client_max_body_size 1m;' })
    const through = await openServer(settingsWith({}, nginx.url))
    const refused = proxiedStore(through, 'mlflow-artifacts:/cut', 'test')
    const open = async function* () {
      for (let n = 0; n < 320; n += 1) yield piece
    }
    await expect(refused.putWhole?.('big.bin', { size: announced, open })).rejects.toMatchObject({
      kind: 'too-large',
      status: 413,
    })
    await refused.close()
    through.close()
    await nginx.stop()
  })
})
