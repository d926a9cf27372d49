import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Want } from '../../src/check.ts'
import { Trouble } from '../../src/errors.ts'
import type { LoggedModel, ModelStatus, Target, Tracking } from '../../src/mlflow/types.ts'
import { apply } from '../../src/repair/apply.ts'
import { plan } from '../../src/repair/plan.ts'
import { tooYoung } from '../../src/repair/plan-abort.ts'
import type { Applying, Place, RepairOptions } from '../../src/repair/types.ts'
import { mergeWants } from '../../src/repair/wants.ts'
import type { Step } from '../../src/report.ts'
import { folderStore } from '../../src/stores/folder.ts'
import type { Store } from '../../src/stores/store.ts'
import { manifestPath, parseManifest } from '../../src/transfer/manifest.ts'
import { openTree } from '../../src/transfer/source.ts'

const KiB = 1024
const hour = 3_600_000
const modelId = `m-${'b'.repeat(32)}`
const model: LoggedModel = {
  ...{ modelId, experimentId: '1', name: 'm', status: 'PENDING', artifactUri: '/x', sourceRunId: 'a'.repeat(32) },
}
const target: Target = { name: `models:/${modelId}`, kind: 'model', artifactUri: '/x', model }
const data = randomBytes(300 * KiB + 7)

let dir: string
let store: Store
let status: ModelStatus
let madeReady: number
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-r-'))
  await mkdir(join(dir, 'artifacts'))
  await mkdir(join(dir, 'from', 'data'), { recursive: true })
  await writeFile(join(dir, 'from', 'MLmodel'), `flavors:\n  python_function: {}\nmodel_id: ${modelId}\n`)
  await writeFile(join(dir, 'from', 'data', 'big'), data)
  await writeFile(join(dir, 'from', 'data', 'empty'), '')
  const folder = await folderStore(join(dir, 'artifacts'), 'test')
  store = { ...folder, limits: { ...folder.limits, alignment: 64 * KiB } }
  status = 'PENDING'
  madeReady = 0
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true, force: true })
})

/** Stands in for a tracking server: keeps the status of the one model, and counts how often it is set. */
const tracking = (): Tracking => {
  const asked = (): never => {
    throw new Error('not to be asked by a repair')
  }
  return {
    ...{ kind: 'server', uri: 'http://tracking' },
    ...{ experiment: asked, experiments: asked, run: asked, runs: asked, record: asked, children: asked },
    ...{ models: asked, version: asked, versions: asked, versionsOf: asked, knows: asked },
    model: async () => ({ ...model, status }),
    setModelReady: async () => {
      madeReady += 1
      status = 'READY'
    },
  }
}

const options = (more: Partial<RepairOptions> = {}): RepairOptions => ({
  overwrite: new Set(),
  abortOrphans: false,
  orphanAgeMs: 24 * hour,
  settleMs: 0,
  manifest: 'none',
  verification: 'full',
  memoryBytes: 256 * KiB,
  concurrency: 2,
  journalDir: join(dir, 'state'),
  patience: { tries: 2, pauseMs: 1 },
  sightings: new Map(),
  ...more,
})
const place = async (more: Partial<Place> = {}): Promise<Place> => ({
  ...{ target, store, tracking: tracking(), source: await openTree(join(dir, 'from'), target) },
  ...more,
})
const file = (path: string, bytes?: number): Want => ({
  ...{ want: 'file', target: target.name, path },
  ...(bytes === undefined ? {} : { bytes }),
})
const modelReady: Want = { want: 'model-ready', target: target.name, modelId }

const repair = async (wants: readonly Want[], at: Place, given: Partial<Applying> = {}): Promise<readonly Step[]> => {
  const how = options(given)
  return apply(await plan(wants, [at], how), { doubt: async () => undefined, ...how, ...given, places: [at] })
}
const planned = async (wants: readonly Want[], at: Place, given: Partial<RepairOptions> = {}): Promise<Step[]> =>
  (await plan(wants, [at], options(given))).map(({ step }) => step)
const put = async (path: string, bytes: Uint8Array): Promise<void> => {
  await mkdir(join(dir, 'artifacts', path, '..'), { recursive: true })
  await writeFile(join(dir, 'artifacts', path), bytes)
}
const stored = (path: string): Promise<Buffer> => readFile(join(dir, 'artifacts', path))

describe('wants', () => {
  test('of several checks are merged by what they want', () => {
    const wanted = mergeWants(
      [file('a', 1), file('a'), file('a', 2), file('b'), { ...file('c'), target: 'other' }, modelReady, modelReady],
      target.name,
    )
    expect([...wanted.files]).toEqual([
      ['a', new Set([1, 2])],
      ['b', new Set()],
    ])
    expect(wanted.models).toEqual([modelId])
  })
})

describe('restoring files', () => {
  test('the plan is plain data and changes nothing; applied, every file is there and verified', async () => {
    const wants = [file('MLmodel'), file('data/empty'), file('data/big', data.length), file('data/big'), modelReady]
    const at = await place()
    const dry = await plan(wants, [at], options())
    expect(structuredClone(dry)).toEqual(dry)
    expect(dry.map(({ step }) => [step.path, step.action, step.effect, step.state])).toEqual([
      ['data/empty', 'upload', 'adds', 'planned'],
      ['data/big', 'upload', 'adds', 'planned'],
      ['MLmodel', 'upload', 'adds', 'planned'],
      ['', 'set-ready', 'changes-status', 'planned'],
    ])
    expect(await readdir(join(dir, 'artifacts'))).toEqual([])
    const steps = await repair(wants, at)
    expect(steps.map(({ state }) => state)).toEqual(['verified', 'verified', 'verified', 'verified'])
    expect(steps[1]).toMatchObject({
      sent: data.length,
      reused: 0,
      route: 'folder-copy',
      source: join(dir, 'from/data/big'),
    })
    expect((await stored('data/big')).equals(data)).toBe(true)
    expect((await stored('data/empty')).length).toBe(0)
    expect(status).toBe('READY')
    expect((await repair(wants, at)).map(({ state, sent }) => [state, sent])).toEqual([
      ['verified', 0],
      ['verified', 0],
      ['verified', 0],
      ['verified', 0],
    ])
    expect(madeReady).toBe(1)
  })

  test('a beginning of the file is completed without further consent', async () => {
    for (const length of [0, 1, 200 * KiB]) {
      await put('data/big', data.subarray(0, length))
      const at = await place()
      expect(await planned([file('data/big')], at)).toMatchObject([{ effect: 'overwrites', state: 'planned' }])
      expect(await repair([file('data/big')], at)).toMatchObject([{ state: 'verified', effect: 'overwrites' }])
      expect((await stored('data/big')).equals(data)).toBe(true)
    }
  })

  test.each([
    ['longer', Buffer.concat([data, Buffer.from('x')])],
    ['of equal size', Buffer.from(data).fill((data[1000] ?? 0) ^ 1, 1000, 1001)],
    ['short, and no beginning of it', Buffer.alloc(1000)],
  ])('an object that is %s is replaced with consent alone', async (_name, bytes) => {
    await put('data/big', bytes)
    const at = await place()
    const [step] = await repair([file('data/big'), modelReady], at)
    expect(step).toMatchObject({ state: 'declined', because: expect.stringContaining('--overwrite data/big'), sent: 0 })
    expect((await stored('data/big')).equals(bytes)).toBe(true)
    expect(madeReady).toBe(0)
    const again = await repair([file('data/big')], at, { overwrite: new Set(['data/big']) })
    expect(again).toMatchObject([{ state: 'verified', effect: 'overwrites' }])
    expect((await stored('data/big')).equals(data)).toBe(true)
  })

  test('what is whole is never touched, with consent or without', async () => {
    await put('data/big', data)
    const past = new Date(1_600_000_000_000)
    await utimes(join(dir, 'artifacts', 'data', 'big'), past, past)
    const steps = await repair([file('data/big')], await place(), { overwrite: new Set(['data/big']) })
    expect(steps).toMatchObject([{ state: 'verified', sent: 0, reused: data.length }])
    expect((await store.stat('data/big'))?.modified).toBe(past.getTime())
  })

  test('a file without a source says where it looked', async () => {
    const [none] = await planned([file('gone')], await place())
    expect(none).toMatchObject({ state: 'failed', because: expect.stringContaining(join(dir, 'from')) })
    const { source: _, ...without } = await place()
    const [unknown] = await planned([file('gone')], { ...without, noSource: '/tmp/x holds the model m-2' })
    expect(unknown?.because).toContain('/tmp/x holds the model m-2')
    const [size] = await planned([file('data/big', 5)], await place())
    expect(size).toMatchObject({ state: 'failed', because: expect.stringContaining('5 bytes are expected') })
  })

  test.each(['../up', '/etc/passwd', 'a/../../b', 'a//b', 'nul\0', ''])('the path %j is refused', async (path) => {
    const at = await place()
    const files = new Map([[path, { file: join(dir, 'from', 'MLmodel'), bytes: 10 }]])
    const steps = await repair([file(path)], { ...at, source: { dir: join(dir, 'from'), files } })
    expect(steps).toMatchObject([{ state: 'failed', because: expect.stringContaining('refused') }])
    expect(await readdir(join(dir, 'artifacts'))).toEqual([])
  })

  test('a source or an object that changed after the plan stops its step alone', async () => {
    await put('data/big', data.subarray(0, 1000))
    const at = await place()
    const how = options()
    const dry = await plan([file('data/big'), file('MLmodel'), file('data/empty')], [at], how)
    await put('data/big', data.subarray(0, 2000))
    await writeFile(join(dir, 'from', 'MLmodel'), 'other')
    const steps = await apply(dry, { ...how, places: [at], doubt: async () => undefined })
    expect(steps.map(({ path, state }) => [path, state])).toEqual([
      ['data/empty', 'verified'],
      ['data/big', 'failed'],
      ['MLmodel', 'failed'],
    ])
    expect((await stored('data/big')).length).toBe(2000)
  })

  test('an interruption leaves the rest planned', async () => {
    const stop = new AbortController()
    const onStep = (step: Step): void => {
      if (step.path === 'data/big') stop.abort()
    }
    const wants = [file('data/big'), file('MLmodel'), modelReady]
    const steps = await repair(wants, await place(), { signal: stop.signal, onStep })
    expect(steps.map(({ state }) => state)).toEqual(['failed', 'planned', 'planned'])
    expect(madeReady).toBe(0)
  })
})

describe('the manifest', () => {
  const manifest = async () => parseManifest((await stored(manifestPath)).toString())

  test('holds the checksums of what was proved, and keeps what still holds', async () => {
    const steps = await repair([file('data/big')], await place(), { manifest: 'sha256' })
    expect(steps.map(({ action, state }) => [action, state])).toEqual([
      ['upload', 'verified'],
      ['write-manifest', 'verified'],
    ])
    const sha256 = createHash('sha256').update(data).digest('hex')
    const first = await manifest()
    expect(first.files).toEqual(new Map([['data/big', { size: data.length, crc32: crc32(data), sha256 }]]))
    await repair([file('data/empty')], await place(), { manifest: 'crc32' })
    expect([...(await manifest()).files.keys()].sort()).toEqual(['data/big', 'data/empty'])
    // What was written to since is not known any more.
    await put('data/big', randomBytes(data.length))
    const later = new Date(Date.now() + hour)
    await utimes(join(dir, 'artifacts', 'data/big'), later, later)
    await repair([file('MLmodel')], await place(), { manifest: 'crc32' })
    expect([...(await manifest()).files.keys()].sort()).toEqual(['MLmodel', 'data/empty'])
  })

  test('is not written where nothing is sent, or something was not verified', async () => {
    await repair([file('data/big')], await place(), {})
    const whole = await repair([file('data/big')], await place(), { manifest: 'crc32' })
    expect(whole.map(({ action, state }) => [action, state])).toEqual([['upload', 'verified']])
    expect(await stored(manifestPath).catch(() => undefined)).toBeUndefined()
    const broken = {
      ...store,
      openUpload: async () => Promise.reject(new Trouble({ kind: 'denied', what: '', why: '', todo: '' })),
    }
    const steps = await repair([file('data/empty')], await place({ store: broken }), { manifest: 'crc32' })
    expect(steps.map(({ action, state }) => [action, state])).toEqual([
      ['upload', 'failed'],
      ['write-manifest', 'declined'],
    ])
  })
})

describe('the status of a model', () => {
  test('is not set while a check still finds something', async () => {
    const steps = await repair([file('data/big'), modelReady], await place(), {
      doubt: async () => 'a check still finds something',
    })
    expect(steps.map(({ state }) => state)).toEqual(['verified', 'failed'])
    expect(madeReady).toBe(0)
  })

  test('is not set when a file could not be verified', async () => {
    const at = await place({ store: { ...store, proof: async () => ({ size: data.length }) } })
    const steps = await repair([file('data/big'), modelReady], at, { verification: 'checksum' })
    expect(steps.map(({ state }) => state)).toEqual(['unverified', 'failed'])
    expect(madeReady).toBe(0)
  })

  test('is set only for the model of the target', async () => {
    const other: Want = { ...modelReady, modelId: `m-${'c'.repeat(32)}` }
    expect(await repair([other], await place())).toMatchObject([{ state: 'declined' }])
    expect(madeReady).toBe(0)
  })

  test('that the server does not confirm is unverified', async () => {
    const at = await place({ tracking: { ...tracking(), setModelReady: async () => undefined } })
    const steps = await repair([file('MLmodel'), file('data/empty'), file('data/big'), modelReady], at)
    expect(steps.at(-1)).toMatchObject({ action: 'set-ready', state: 'unverified' })
  })
})

describe('before a model is made READY', () => {
  const fill = async (): Promise<void> => {
    for (const name of ['MLmodel', 'data/empty', 'data/big']) await put(name, await readFile(join(dir, 'from', name)))
  }

  test('every file is compared with the local one, and how is said', async () => {
    await fill()
    expect(await repair([modelReady], await place())).toMatchObject([
      { state: 'verified', because: expect.stringContaining('2 files by: CRC32 of the whole object') },
    ])
    expect(madeReady).toBe(1)
  })

  test('other bytes of the same size are named, and --overwrite replaces them', async () => {
    await fill()
    await put('data/big', Buffer.alloc(data.length))
    expect(await repair([modelReady], await place())).toMatchObject([
      { state: 'failed', because: expect.stringMatching(/^data\/big differs.*--overwrite data\/big/) },
    ])
    expect(madeReady).toBe(0)
    const steps = await repair([modelReady], await place(), { overwrite: new Set(['data/big']) })
    expect(steps.map(({ action, state }) => [action, state])).toEqual([
      ['upload', 'verified'],
      ['set-ready', 'verified'],
    ])
    expect((await stored('data/big')).equals(data)).toBe(true)
  })

  test('a store without checksums is read back, and where it cannot be, nothing is proved', async () => {
    await fill()
    const silent = async (path: string) => ({ size: (await stored(path)).length })
    const read = await repair([modelReady], await place({ store: { ...store, proof: silent } }))
    expect(read).toMatchObject([{ state: 'verified', because: expect.stringContaining('every byte read back') }])
    status = 'PENDING'
    const deaf = async (): Promise<never> => {
      throw new Trouble({ kind: 'unsupported', what: 'cannot read', why: 'no ranges', todo: 'Wait' })
    }
    const unread = await repair([modelReady], await place({ store: { ...store, proof: silent, read: deaf } }))
    expect(unread).toMatchObject([{ state: 'declined', because: expect.stringContaining('MLmodel') }])
    expect(madeReady).toBe(1)
  })

  test.each([
    ['no folder', async () => ({ noSource: 'no folder was given' }), /^sizes alone prove no content; give --from/],
    [
      'a folder without its data',
      async () => {
        await rm(join(dir, 'from', 'data', 'big'))
        return {}
      },
      /data\/big is stored and/,
    ],
  ])('%s proves nothing', async (_name, change, says) => {
    await fill()
    const more = await change()
    const { source, ...rest } = await place(more)
    const at = 'noSource' in more || source === undefined ? rest : { ...rest, source }
    expect(await repair([modelReady], at)).toMatchObject([{ state: 'declined', because: expect.stringMatching(says) }])
    expect(madeReady).toBe(0)
  })
})

describe('abandoned uploads', () => {
  const begin = async (path: string): Promise<Want> => {
    const upload = await store.openUpload(path, { sourceSize: data.length, partSize: 64 * KiB })
    const part = data.subarray(0, 64 * KiB)
    await upload.send(1, part, crc32(part))
    return { want: 'upload-settled', target: target.name, path, uploadId: upload.id }
  }
  const old = async (want: Want): Promise<void> => {
    const past = new Date(Date.now() - 25 * hour)
    if (want.want === 'upload-settled') await utimes(join(dir, 'artifacts', 'data', want.uploadId), past, past)
  }
  const left = (): Promise<string[]> => readdir(join(dir, 'artifacts', 'data'))

  test('the upload of the same file takes it up', async () => {
    const want = await begin('data/big')
    const steps = await repair([want, file('data/big')], await place())
    expect(steps).toMatchObject([
      { action: 'upload', reused: 64 * KiB, sent: data.length - 64 * KiB, state: 'verified' },
    ])
    expect(await left()).toEqual(['big'])
  })

  test('is aborted with consent alone, and only when it is old enough', async () => {
    const want = await begin('data/other')
    expect(await repair([want], await place())).toMatchObject([
      {
        action: 'abort-upload',
        effect: 'deletes',
        state: 'declined',
        because: expect.stringContaining('--abort-orphans'),
      },
    ])
    expect(await repair([want], await place(), { abortOrphans: true })).toMatchObject([
      { state: 'declined', because: expect.stringContaining('--older-than') },
    ])
    expect(await left()).toHaveLength(1)
    await old(want)
    expect(await repair([want], await place(), { abortOrphans: true })).toMatchObject([
      { state: 'verified', bytes: 64 * KiB },
    ])
    expect(await left()).toEqual([])
  })

  test('that came to life after the plan is left alone', async () => {
    const want = await begin('data/other')
    await old(want)
    const at = await place()
    const how = options({ abortOrphans: true })
    const dry = await plan([want], [at], how)
    expect(dry).toMatchObject([{ step: { state: 'planned' } }])
    if (want.want === 'upload-settled')
      await utimes(join(dir, 'artifacts', 'data', want.uploadId), new Date(), new Date())
    expect(await apply(dry, { ...how, places: [at], doubt: async () => undefined })).toMatchObject([
      { state: 'declined' },
    ])
    expect(await left()).toHaveLength(1)
  })

  test('below a bare store URI is not aborted: nobody confirmed whose it is', async () => {
    const want = await begin('data/other')
    await old(want)
    const bare: Target = { name: target.name, kind: 'uri', artifactUri: '/x' }
    const steps = await repair([want], await place({ target: bare }), { abortOrphans: true })
    expect(steps).toMatchObject([{ state: 'declined', because: expect.stringContaining('tracking server') }])
    expect(await left()).toHaveLength(1)
  })

  test('unknown and future times count as young', () => {
    expect(tooYoung(undefined, [1], hour)).toBeDefined()
    expect(tooYoung(10 * hour, [undefined], hour)).toBeDefined()
    expect(tooYoung(10 * hour, [11 * hour], hour)).toBeDefined()
    expect(tooYoung(10 * hour, [1, 9.5 * hour], hour)).toBeDefined()
    expect(tooYoung(10 * hour, [1, 9 * hour], hour)).toBeUndefined()
  })
})
