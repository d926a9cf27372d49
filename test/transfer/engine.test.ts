import { randomBytes } from 'node:crypto'
import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Trouble } from '../../src/errors.ts'
import { folderStore } from '../../src/stores/folder.ts'
import type { OpenUpload, Store } from '../../src/stores/store.ts'
import { type Transfer, transferFile } from '../../src/transfer/engine.ts'
import { openSource } from '../../src/transfer/identity.ts'
import { type Sightings, settled, sight } from '../../src/transfer/settle.ts'

const KiB = 1024
const content = randomBytes(10 * 64 * KiB + 12_345)
const parts = 11

let dir: string
let store: Store
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-e-'))
  await mkdir(join(dir, 'artifacts'))
  store = await folderStore(join(dir, 'artifacts'), 'directly')
  await writeFile(join(dir, 'source'), content)
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true, force: true })
})

/** Four parts of 64 KiB at a time: small parts cross every edge in milliseconds. */
const small = (to: Store): Store => ({ ...to, limits: { ...to.limits, alignment: 64 * KiB } })

const transfer = (more: Partial<Transfer> = {}): Transfer => ({
  source: join(dir, 'source'),
  store: small(store),
  path: 'model/data.bin',
  journalDir: join(dir, 'state'),
  adopt: true,
  settleMs: 0,
  memoryBytes: 256 * KiB,
  concurrency: 4,
  ifAbsent: true,
  patience: { tries: 6, pauseMs: 1 },
  ...more,
})

const stored = (): Promise<Buffer> => readFile(join(dir, 'artifacts', 'model', 'data.bin'))

/** Wraps each upload of the real store, so that a test may fail a call before or after the store has done it. */
const wrapped = (wrap: (upload: OpenUpload) => Partial<OpenUpload>): Store => {
  const inner = small(store)
  const with_ = (upload: OpenUpload): OpenUpload => ({ ...upload, ...wrap(upload) })
  return {
    ...inner,
    openUpload: async (...args) => with_(await inner.openUpload(...args)),
    resumeUpload: async (...args) => {
      const upload = await inner.resumeUpload(...args)
      return upload === undefined ? undefined : with_(upload)
    },
  }
}

const lost = (): Trouble => new Trouble({ kind: 'unreachable', what: 'cannot', why: 'reset', todo: 'Try again' })
const denied = (): Trouble => new Trouble({ kind: 'denied', what: 'cannot', why: 'no', todo: 'Ask' })

/** Fails for good once `good` parts have arrived. */
const stopsAfter = (good: number): Store => {
  let sent = 0
  return wrapped((upload) => ({
    send: async (...args) => {
      sent += 1
      if (sent > good) throw denied()
      return upload.send(...args)
    },
  }))
}

describe('sending a file to a folder store', () => {
  test.each([0, 1, 64 * KiB - 1, 64 * KiB, 64 * KiB + 1, 640 * KiB])('%i bytes arrive as they are', async (size) => {
    await writeFile(join(dir, 'source'), content.subarray(0, size))
    const result = await transferFile(transfer())
    expect(result).toMatchObject({ sent: size, reused: 0, size, verified: true, from: 'new' })
    expect(result.crc32).toBe(crc32(content.subarray(0, size)))
    expect((await stored()).equals(content.subarray(0, size))).toBe(true)
    expect(await readdir(join(dir, 'state'))).toEqual([])
    expect(await readdir(join(dir, 'artifacts', 'model'))).toEqual(['data.bin'])
  })

  test('a second time nothing is sent', async () => {
    await transferFile(transfer())
    const again = await transferFile(transfer({ store: stopsAfter(0) }))
    expect(again).toMatchObject({ sent: 0, reused: content.length, verified: true, from: 'there' })
  })

  test('an object of other content is never replaced without consent', async () => {
    await transferFile(transfer())
    const before = await stored()
    await writeFile(join(dir, 'source'), randomBytes(content.length))
    await expect(transferFile(transfer())).rejects.toMatchObject({ kind: 'conflict' })
    await writeFile(join(dir, 'source'), content.subarray(0, 1000))
    await expect(transferFile(transfer())).rejects.toMatchObject({ kind: 'conflict' })
    expect((await stored()).equals(before)).toBe(true)
    expect(await transferFile(transfer({ ifAbsent: false }))).toMatchObject({ verified: true, sent: 1000 })
    expect((await stored()).length).toBe(1000)
  })

  test('progress ends at the whole, and never beyond it', async () => {
    const seen: number[] = []
    await transferFile(transfer({ onProgress: ({ sent, reused }) => seen.push(sent + reused) }))
    expect(seen.at(-1)).toBe(content.length)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
  })
})

describe('going on after a failure', () => {
  test('only what is missing is sent, and the failure says what is kept', async () => {
    const failure = await transferFile(transfer({ store: stopsAfter(6), concurrency: 1 })).catch((e: unknown) => e)
    expect(failure).toMatchObject({ kind: 'denied', todo: expect.stringMatching(/384 KiB of 652 KiB/) })
    const result = await transferFile(transfer({ adopt: false }))
    expect(result).toMatchObject({ reused: 6 * 64 * KiB, sent: content.length - 6 * 64 * KiB, from: 'journal' })
    expect((await stored()).equals(content)).toBe(true)
  })

  test('a journal does not grow by the parts that it holds already', async () => {
    const journal = async (): Promise<string[]> => {
      const [name = ''] = (await readdir(join(dir, 'state'))).filter((each) => each.endsWith('.jsonl'))
      return (await readFile(join(dir, 'state', name), 'utf8')).trim().split('\n')
    }
    for (let n = 0; n < 3; n += 1) {
      await transferFile(transfer({ store: stopsAfter(n === 0 ? 6 : 0), concurrency: 1 })).catch(() => undefined)
      expect(await journal()).toHaveLength(1 + 6)
    }
  })

  test.each(['lost', 'cut in the middle', 'damaged'])('also with a journal that was %s', async (how) => {
    await transferFile(transfer({ store: stopsAfter(6), concurrency: 1 })).catch(() => undefined)
    const [name = ''] = await readdir(join(dir, 'state'))
    const path = join(dir, 'state', name)
    const text = await readFile(path, 'utf8')
    if (how === 'lost') await rm(path)
    else await writeFile(path, how === 'damaged' ? text.replaceAll('1', '}') : text.slice(0, text.length / 2))
    const result = await transferFile(transfer())
    expect(result).toMatchObject({ reused: 6 * 64 * KiB, sent: content.length - 6 * 64 * KiB, verified: true })
    expect((await stored()).equals(content)).toBe(true)
    expect(await readdir(join(dir, 'artifacts', 'model'))).toEqual(['data.bin'])
  })

  test('a part that the store lost or changed is sent again, whatever the journal says', async () => {
    await transferFile(transfer({ store: stopsAfter(6), concurrency: 1 })).catch(() => undefined)
    const [staged = ''] = await readdir(join(dir, 'artifacts', 'model'))
    const bytes = await readFile(join(dir, 'artifacts', 'model', staged))
    bytes[70 * KiB] = (bytes[70 * KiB] ?? 0) ^ 1
    await writeFile(join(dir, 'artifacts', 'model', staged), bytes.subarray(0, 5 * 64 * KiB))
    const result = await transferFile(transfer())
    expect(result).toMatchObject({ reused: 4 * 64 * KiB, verified: true })
    expect((await stored()).equals(content)).toBe(true)
  })

  test('a source that changed between is compared part by part', async () => {
    await transferFile(transfer({ store: stopsAfter(6), concurrency: 1 })).catch(() => undefined)
    const changed = Buffer.from(content)
    changed[3 * 64 * KiB + 5] = (changed[3 * 64 * KiB + 5] ?? 0) ^ 1
    await writeFile(join(dir, 'source'), changed)
    const result = await transferFile(transfer())
    expect(result).toMatchObject({ reused: 5 * 64 * KiB, from: 'journal', verified: true })
    expect((await stored()).equals(changed)).toBe(true)
  })

  test('a source that became shorter begins anew and leaves nothing behind', async () => {
    await transferFile(transfer({ store: stopsAfter(6), concurrency: 1 })).catch(() => undefined)
    await writeFile(join(dir, 'source'), content.subarray(0, 100_000))
    expect(await transferFile(transfer())).toMatchObject({ reused: 0, sent: 100_000, from: 'new', verified: true })
    expect(await readdir(join(dir, 'artifacts', 'model'))).toEqual(['data.bin'])
  })

  test('also without its journal: a staged file that is longer than the source is not taken up', async () => {
    await transferFile(transfer({ store: stopsAfter(6), concurrency: 1 })).catch(() => undefined)
    await rm(join(dir, 'state'), { recursive: true })
    await writeFile(join(dir, 'source'), content.subarray(0, 100_000))
    expect(await transferFile(transfer())).toMatchObject({ sent: 100_000, from: 'new', verified: true })
  })

  test('a passing failure is tried again, a lasting one is not', async () => {
    const tries = new Map<number, number>()
    const flaky = wrapped((upload) => ({
      send: async (...args) => {
        const tried = (tries.get(args[0]) ?? 0) + 1
        tries.set(args[0], tried)
        if (tried < 3) throw lost()
        return upload.send(...args)
      },
    }))
    expect(await transferFile(transfer({ store: flaky }))).toMatchObject({ verified: true, sent: content.length })
    expect([...tries.values()]).toEqual(Array.from({ length: parts }, () => 3))
    await rm(join(dir, 'artifacts', 'model'), { recursive: true })
    let asked = 0
    const refusing = wrapped(() => ({
      send: async () => {
        asked += 1
        throw denied()
      },
    }))
    await expect(transferFile(transfer({ store: refusing, concurrency: 1 }))).rejects.toMatchObject({ kind: 'denied' })
    expect(asked).toBe(1)
  })

  test('an answer to the completion that was lost is no failure', async () => {
    const mute = wrapped((upload) => ({
      complete: async (...args) => {
        await upload.complete(...args)
        throw lost()
      },
    }))
    expect(await transferFile(transfer({ store: mute }))).toMatchObject({ verified: true, sent: content.length })
    expect((await stored()).equals(content)).toBe(true)
  })

  test('an object that appeared meanwhile ends an upload of our own', async () => {
    await transferFile(transfer({ store: stopsAfter(6), concurrency: 1 })).catch(() => undefined)
    await writeFile(join(dir, 'artifacts', 'model', 'data.bin'), content)
    expect(await transferFile(transfer())).toMatchObject({ from: 'there', sent: 0, verified: true })
    expect(await readdir(join(dir, 'artifacts', 'model'))).toEqual(['data.bin'])
    expect(await readdir(join(dir, 'state'))).toEqual([])
  })

  test('an upload of the same name that holds other bytes is left alone', async () => {
    const other = randomBytes(128 * KiB)
    const upload = await small(store).openUpload('model/data.bin', { sourceSize: other.length, partSize: 64 * KiB })
    await upload.send(1, other.subarray(0, 64 * KiB), crc32(other.subarray(0, 64 * KiB)))
    expect(await transferFile(transfer())).toMatchObject({ from: 'new', reused: 0, verified: true })
    expect(await readdir(join(dir, 'artifacts', 'model'))).toEqual(expect.arrayContaining([upload.id, 'data.bin']))
  })

  describe('that replaces an object', () => {
    const older = content.subarray(0, 1000)
    const other = randomBytes(content.length + 5)
    const place = () => join(dir, 'artifacts', 'model', 'data.bin')
    const replaces = async () => {
      await mkdir(join(dir, 'artifacts', 'model'))
      await writeFile(place(), older)
      const is = await store.stat('model/data.bin')
      return { ifAbsent: false, ...(is === undefined ? {} : { replaces: is }) }
    }
    const refused = { kind: 'conflict', why: expect.stringContaining('changed since the plan') }

    test('takes the place of that one alone', async () => {
      expect(await transferFile(transfer(await replaces()))).toMatchObject({ verified: true, sent: content.length })
      expect((await stored()).equals(content)).toBe(true)
    })
    test.each(['send', 'complete'] as const)('leaves one alone that another client wrote during %s', async (during) => {
      const with_ = await replaces()
      const raced = wrapped((upload) => ({
        [during]: async (...args: never) => {
          await writeFile(place(), other)
          return (upload[during] as (...args: never) => unknown)(...args)
        },
      }))
      await expect(transferFile(transfer({ ...with_, store: raced }))).rejects.toMatchObject(refused)
      expect((await stored()).equals(other)).toBe(true)
    })
    test('sends nothing when it is another one before', async () => {
      const with_ = await replaces()
      await writeFile(place(), other)
      await expect(transferFile(transfer({ ...with_, store: stopsAfter(0) }))).rejects.toMatchObject(refused)
      await rm(place())
      await expect(transferFile(transfer({ ...with_, store: stopsAfter(0) }))).rejects.toMatchObject(refused)
    })
    test('takes a lost answer of the completion for what it is', async () => {
      const with_ = await replaces()
      const losing = wrapped((upload) => ({
        complete: async (...args) => {
          await upload.complete(...args)
          throw lost()
        },
      }))
      expect(await transferFile(transfer({ ...with_, store: losing }))).toMatchObject({ verified: true })
    })
  })

  test('what the store shows afterwards must be what was sent', async () => {
    const swapping = wrapped((upload) => ({
      complete: async (...args) => {
        await upload.complete(...args)
        await writeFile(join(dir, 'artifacts', 'model', 'data.bin'), randomBytes(content.length))
      },
    }))
    await expect(transferFile(transfer({ store: swapping }))).rejects.toMatchObject({
      kind: 'conflict',
      why: expect.stringContaining('CRC32'),
    })
    const silent = { ...wrapped(() => ({})), proof: async () => ({ size: content.length }) }
    await rm(join(dir, 'artifacts', 'model'), { recursive: true })
    const unread = transfer({ store: silent, verification: 'checksum' })
    expect(await transferFile(unread)).toMatchObject({ verified: false, sent: content.length })
  })

  test.each(['sample', 'full'] as const)(
    'without a checksum, %s: read back, and damage is found',
    async (verification) => {
      const silent = { ...wrapped(() => ({})), proof: async () => ({ size: content.length }) }
      const how = verification === 'full' ? 'every byte read back' : expect.stringContaining('samples read back')
      expect(await transferFile(transfer({ store: silent, verification }))).toMatchObject({ verified: true, how })
      await rm(join(dir, 'artifacts', 'model'), { recursive: true })
      const damaging = wrapped((upload) => ({
        complete: async (...args) => {
          await upload.complete(...args)
          await writeFile(join(dir, 'artifacts', 'model', 'data.bin'), randomBytes(content.length))
        },
      }))
      const store = { ...damaging, proof: silent.proof }
      await expect(transferFile(transfer({ store, verification }))).rejects.toMatchObject({ kind: 'conflict' })
    },
  )

  test('an interruption keeps what was acknowledged', async () => {
    const stop = new AbortController()
    const onProgress = ({ sent }: { sent: number }): void => {
      if (sent >= 3 * 64 * KiB) stop.abort(new Error('interrupted'))
    }
    await expect(transferFile(transfer({ signal: stop.signal, onProgress, concurrency: 1 }))).rejects.toThrow(
      'interrupted',
    )
    expect(await transferFile(transfer())).toMatchObject({ reused: 3 * 64 * KiB, from: 'journal' })
  })
})

describe('a source that cannot be relied on', () => {
  test('written to while it is sent, it stops the transfer and nothing becomes visible', async () => {
    let sent = 0
    const meddled = wrapped((upload) => ({
      send: async (...args) => {
        sent += 1
        if (sent === 4) await appendFile(join(dir, 'source'), 'more')
        return upload.send(...args)
      },
    }))
    await expect(transferFile(transfer({ store: meddled }))).rejects.toMatchObject({ kind: 'source-changed' })
    await expect(stored()).rejects.toThrow()
    expect(await transferFile(transfer())).toMatchObject({ size: content.length + 4, verified: true })
  })

  test('replaced under its name while it is sent, it stops the transfer as well', async () => {
    let sent = 0
    const meddled = wrapped((upload) => ({
      send: async (...args) => {
        sent += 1
        if (sent === 4) {
          await writeFile(join(dir, 'newer'), randomBytes(content.length))
          await rename(join(dir, 'newer'), join(dir, 'source'))
        }
        return upload.send(...args)
      },
    }))
    await expect(transferFile(transfer({ store: meddled }))).rejects.toMatchObject({ kind: 'source-changed' })
    await expect(stored()).rejects.toThrow()
  })

  test('another state than the one planned with is refused before anything is sent', async () => {
    const planned = await openSource(join(dir, 'source'))
    await planned.close()
    await utimes(join(dir, 'source'), new Date(1), new Date(1))
    await expect(transferFile(transfer({ expect: planned.identity }))).rejects.toMatchObject({ kind: 'source-changed' })
    expect(await readdir(join(dir, 'artifacts'))).toEqual([])
  })
})

describe('two at once', () => {
  test('on one machine the second one is told', async () => {
    let second: unknown
    const slow = wrapped((upload) => ({
      send: async (...args) => {
        second ??= await transferFile(transfer()).catch((error: unknown) => error)
        return upload.send(...args)
      },
    }))
    expect(await transferFile(transfer({ store: slow, concurrency: 1 }))).toMatchObject({ verified: true })
    expect(second).toMatchObject({ kind: 'conflict', why: expect.stringContaining(`process ${process.pid}`) })
    expect((await stored()).equals(content)).toBe(true)
  })

  test('a month of settling is waited for, though no timer is that long', async () => {
    await small(store).openUpload('model/data.bin', { sourceSize: content.length, partSize: 64 * KiB })
    const signal = AbortSignal.timeout(100)
    const waiting = settled(small(store), 'model/data.bin', { settleMs: 30 * 86_400_000, sightings: new Map(), signal })
    await expect(waiting).rejects.toMatchObject({ name: expect.stringMatching(/^(Abort|Timeout)Error$/) })
  })

  test('elsewhere, an upload in which parts still appear is not taken up', async () => {
    const upload = await small(store).openUpload('model/data.bin', { sourceSize: content.length, partSize: 64 * KiB })
    const send = (number: number) => {
      const bytes = content.subarray((number - 1) * 64 * KiB, number * 64 * KiB)
      return upload.send(number, bytes, crc32(bytes))
    }
    await send(1)
    const later = setTimeout(() => void send(2), 100)
    await expect(transferFile(transfer({ settleMs: 400 }))).rejects.toMatchObject({
      kind: 'conflict',
      why: expect.stringMatching(/somebody is still sending/),
    })
    clearTimeout(later)
    const sightings: Sightings = new Map()
    await sight(small(store), 'model/data.bin', sightings)
    for (const [key, seen] of sightings) sightings.set(key, { ...seen, at: seen.at - 600_001 })
    // Seen long enough ago, it is not waited for once more: ten minutes would not end within this test.
    await settled(small(store), 'model/data.bin', { settleMs: 600_000, sightings, signal: undefined })
    const result = await transferFile(transfer({ settleMs: 100 }))
    expect(result).toMatchObject({ from: 'adopted', reused: 2 * 64 * KiB, verified: true })
  })
})
