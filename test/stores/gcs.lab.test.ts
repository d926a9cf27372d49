import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { Storage } from '@google-cloud/storage'
import { afterAll, describe, expect, test } from 'vitest'
import { gcsStore, parseGcsUri } from '../../src/stores/gcs.ts'
import { connectGcs } from '../../src/stores/gcs-client.ts'
import { transferFile } from '../../src/transfer/engine.ts'
import { gcsLikeProxy } from '../gcs-like-proxy.ts'
import { scratch, startGcs } from '../lab/index.ts'
import { watchingProxy } from '../watching-proxy.ts'
import { namesIn } from './sending.ts'

const MiB = 1024 ** 2

const emulator = await startGcs()
const like = await gcsLikeProxy(emulator.url)
const proxy = await watchingProxy(like.url, { gcs: MiB })
const bucket = new Storage({ apiEndpoint: emulator.url, projectId: 'lab' }).bucket('models')
await bucket.create()
afterAll(async () => {
  await proxy.stop()
  await like.stop()
  await emulator.stop()
})

const open = async (url = proxy.url, name = 'models') => {
  const connection = await connectGcs({ requestTimeoutMs: 30_000, google: { endpoint: url } }, {})
  return gcsStore(connection, parseGcsUri(`gs://${name}/root`), 'test')
}

const sendFile = async (path: string, bytes: Uint8Array, journalDir: string) => {
  const source = join(await scratch(), 'file')
  await writeFile(source, bytes)
  return async (signal?: AbortSignal) =>
    transferFile({
      ...{ source, store: await open(), path, journalDir, adopt: true, settleMs: 0, ifAbsent: true },
      ...{ memoryBytes: 4 * MiB, concurrency: 4, patience: { tries: 3, pauseMs: 10 } },
      ...(signal === undefined ? {} : { signal }),
    })
}

const stored = async (path: string): Promise<Buffer> =>
  (await bucket.file(`root/${path}`).download({ validation: false }))[0]

describe('uploads of the XML API (wrapper)', () => {
  const begin = async (path: string): Promise<string> => {
    const answer = await fetch(`${like.url}/models/root/${path}?uploads`, { method: 'POST' })
    return /<UploadId>([^<]+)/.exec(await answer.text())?.[1] ?? ''
  }
  const put = (path: string, id: string, number: number, body: Uint8Array<ArrayBuffer>) =>
    fetch(`${like.url}/models/root/${path}?partNumber=${number}&uploadId=${id}`, { method: 'PUT', body })

  test('are listed with their parts, taken up by an engine, and completed with what is missing', async () => {
    const bytes = randomBytes(17 * MiB)
    const id = await begin('left/data.bin')
    await put('left/data.bin', id, 1, bytes.subarray(0, 6 * MiB))
    await put('left/data.bin', id, 2, bytes.subarray(6 * MiB, 12 * MiB))
    const store = await open()
    const [found] = await Array.fromAsync(store.unfinished())
    expect(found).toMatchObject({ path: 'left/data.bin', id: `xml ${id}`, initiated: expect.any(Number) })
    expect(found && (await store.partsOf(found))).toMatchObject([{ number: 1, size: 6 * MiB }, { number: 2 }])
    const source = join(await scratch(), 'data.bin')
    await writeFile(source, bytes)
    const sent = await transferFile({
      ...{
        source,
        store,
        path: 'left/data.bin',
        journalDir: await scratch(),
        adopt: true,
        settleMs: 0,
        ifAbsent: true,
      },
      ...{ memoryBytes: 12 * MiB, concurrency: 2 },
    })
    expect(sent).toMatchObject({
      sent: 5 * MiB,
      reused: 12 * MiB,
      from: 'adopted',
      verified: true,
      how: 'CRC-32C of the whole object',
    })
    expect(await stored('left/data.bin')).toEqual(bytes)
    expect(like.uploads()).toEqual([])
  })

  test('are given up, and are no error when they are gone', async () => {
    const id = await begin('gone.bin')
    const store = await open()
    const upload = { path: 'gone.bin', id: `xml ${id}` }
    await store.abort(upload)
    await store.abort(upload)
    expect(like.uploads()).toEqual([])
  })

  test('do not replace an object that has changed meanwhile', async () => {
    const bytes = randomBytes(1000)
    const id = await begin('raced.bin')
    const store = await open()
    const upload = await store.resumeUpload('raced.bin', `xml ${id}`, { sourceSize: 1000, partSize: 1000 })
    const part = await upload?.send(1, bytes, crc32(bytes))
    await store.putOne?.('raced.bin', Buffer.from('theirs'), crc32('theirs'), { ifAbsent: true })
    const done = upload?.complete(part ? [part] : [], { size: 1000, crc32: crc32(bytes), ifAbsent: true })
    await expect(done).rejects.toMatchObject({ kind: 'conflict' })
    expect((await stored('raced.bin')).toString()).toBe('theirs')
  })

  test('without the wrapper, the emulator knows none, and that is told as not supported', async () => {
    const store = await open(emulator.url)
    await expect(Array.fromAsync(store.unfinished())).rejects.toMatchObject({ kind: 'unsupported' })
  })
})

describe('sessions', () => {
  test('one that is gone when a run goes on is begun anew, and one that ends in the middle too', async () => {
    const bytes = randomBytes(5 * MiB + 77)
    const journal = await scratch()
    const send = await sendFile('session.bin', bytes, journal)
    const stop = new AbortController()
    proxy.answered = (seen) => {
      if (seen.call === 'part' && seen.part === 3) stop.abort()
      return 'deliver'
    }
    await expect(send(stop.signal)).rejects.toMatchObject({ name: 'AbortError' })
    proxy.answered = () => 'deliver'
    const session = proxy.seen.findLast(({ upload }) => upload !== undefined)
    await fetch(`${like.url}${session?.url}`, { method: 'DELETE' })
    // The new one is cancelled once as well, behind the engine's back.
    let cancelled = false
    proxy.meddle = async (seen) => {
      const due = seen.call === 'part' && seen.part === 2 && !cancelled
      if (due) {
        cancelled = true
        await fetch(`${like.url}${seen.url}`, { method: 'DELETE' })
      }
      return 'pass' as const
    }
    const sent = await send()
    proxy.meddle = () => 'pass'
    expect(sent).toMatchObject({ verified: true, how: 'CRC32 of the whole object' })
    expect(await stored('session.bin')).toEqual(bytes)
  })

  test('a byte that flips on the way is met by the checksum of the whole (wrapper), and all is sent anew', async () => {
    const bytes = randomBytes(3 * MiB + 5)
    const send = await sendFile('flipped.bin', bytes, await scratch())
    let flipped = false
    proxy.meddle = (seen) => {
      if (seen.call !== 'part' || seen.part !== 2 || flipped) return 'pass'
      flipped = true
      return 'flip'
    }
    const sent = await send()
    proxy.meddle = () => 'pass'
    expect(flipped).toBe(true)
    expect(sent).toMatchObject({ verified: true })
    expect(await stored('flipped.bin')).toEqual(bytes)
  })

  test('a source that has changed since is not gone on with', async () => {
    const journal = await scratch()
    const [older, newer] = [randomBytes(4 * MiB), randomBytes(4 * MiB)]
    const stop = new AbortController()
    proxy.answered = (seen) => {
      if (seen.call === 'part' && seen.part === 2) stop.abort()
      return 'deliver'
    }
    await expect((await sendFile('changed.bin', older, journal))(stop.signal)).rejects.toMatchObject({
      name: 'AbortError',
    })
    proxy.answered = () => 'deliver'
    const sent = await (await sendFile('changed.bin', newer, journal))()
    expect(sent).toMatchObject({ reused: 0, verified: true })
    expect(await stored('changed.bin')).toEqual(newer)
  })

  test('no question that could end a session is ever asked', () => {
    const asked = proxy.seen
      .map(({ headers }) => headers['content-range'] ?? '')
      .filter((range) => range.startsWith('bytes */'))
    expect(asked.length).toBeGreaterThan(0)
    expect(new Set(asked)).toEqual(new Set(['bytes */*']))
  })
})

test('a list of several pages is read to its end (wrapper)', async () => {
  for (let n = 0; n < 8; n += 1) {
    const query = `uploadType=media&name=root/many/${n}`
    await fetch(`${emulator.url}/upload/storage/v1/b/models/o?${query}`, { method: 'POST', body: 'x' })
  }
  const paged = await gcsLikeProxy(emulator.url, { pageSize: 3 })
  try {
    expect(await namesIn((await open(paged.url)).list({ prefix: 'many' }))).toHaveLength(8)
    expect(paged.seen.filter(({ url }) => url.includes('pageToken='))).toHaveLength(2)
  } finally {
    await paged.stop()
  }
})

test('a login that is refused is told as one (wrapper)', async () => {
  const strict = await gcsLikeProxy(emulator.url, { token: 'secret' })
  try {
    const store = await open(strict.url)
    await expect(store.stat('x')).rejects.toMatchObject({ kind: 'unauthenticated' })
    await expect(store.openUpload('x', { sourceSize: 1, partSize: 1 })).rejects.toMatchObject({
      kind: 'unauthenticated',
    })
    expect(Math.abs(((await store.now()) ?? 0) - Date.now())).toBeLessThan(60_000)
  } finally {
    await strict.stop()
  }
})

test('a bucket that is not there is told as such', async () => {
  const store = await open(emulator.url, 'lab-not-there')
  await expect(Array.fromAsync(store.list())).rejects.toMatchObject({ kind: 'not-found' })
})

test('what the bucket keeps and what the login may do is told', async () => {
  const store = await open()
  expect(await store.keeping?.()).toMatchObject({ versions: false, unread: [] })
  expect((await store.rights?.())?.map(({ state }) => state)).toContain('granted')
})
