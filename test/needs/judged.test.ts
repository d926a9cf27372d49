import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Facts, Need } from '../../src/check.ts'
import { NotApplicable, Trouble } from '../../src/errors.ts'
import { contentsOpener, manifestOpener } from '../../src/needs/compared.ts'
import type { Contents, Depth, Structures } from '../../src/needs/declarations.ts'
import { structuresOpener } from '../../src/needs/judged.ts'
import type { Needed } from '../../src/needs/needed.ts'
import type { Opener } from '../../src/needs/opener.ts'
import { folderStore } from '../../src/stores/folder.ts'
import type { Store, StoredFile } from '../../src/stores/store.ts'
import { type Manifest, manifestPath } from '../../src/transfer/manifest.ts'
import { noise } from '../formats/counted.ts'

let stored = ''
let local = ''
beforeEach(async () => {
  stored = await mkdtemp(join(tmpdir(), 'stored-'))
  local = await mkdtemp(join(tmpdir(), 'local-'))
})
afterEach(async () => {
  await rm(stored, { recursive: true, force: true })
  await rm(local, { recursive: true, force: true })
})

const put = async (path: string, bytes: Uint8Array | string, into = stored) => {
  await mkdir(dirname(join(into, path)), { recursive: true })
  await writeFile(join(into, path), bytes)
}

const treeOf = (files: Readonly<Record<string, number>>) => ({
  dir: local,
  files: new Map(Object.entries(files).map(([path, bytes]) => [path, { file: join(local, path), bytes }])),
})

interface Around {
  readonly depth?: Depth
  readonly tree?: ReturnType<typeof treeOf>
  /** Wraps the store, to count or to refuse. */
  readonly wrap?: (store: Store) => Store
}

const openWith = async <V>(
  opener: Opener<Needed>,
  { depth = { kind: 'structure' }, tree, wrap }: Around,
): Promise<V> => {
  const folder = await folderStore(stored, 'test')
  const store = wrap?.(folder) ?? folder
  const files = new Map<string, StoredFile>()
  for await (const file of store.list()) files.set(file.path, file)
  const values: Record<string, unknown> = { depth, store, listing: { files, bytes: 0 }, localTree: tree }
  const opening = {
    context: {
      host: { env: {}, cwd: stored, home: stored, platform: 'linux', ask: undefined },
      trustedHosts: [],
      orphanAgeMs: 0,
    },
    signal: new AbortController().signal,
    open: async <T>({ name }: Need<string, T, Facts>): Promise<T> => {
      if (name === 'manifest') return (await manifestOpener.open(opening)).value as T
      if (name === 'contents') return (await contentsOpener.open(opening)).value as T
      if (values[name] === undefined) throw new NotApplicable(`no ${name}`)
      return values[name] as T
    },
    progress: () => {},
    onClose: () => {},
  } satisfies Parameters<Opener<Needed>['open']>[0]
  return (await opener.open(opening)).value as V
}
const structures = (around: Around = {}) => openWith<Structures>(structuresOpener, around)
const contents = (around: Around = {}) => openWith<Contents>(contentsOpener, around)

const counting =
  (reads: string[]) =>
  (store: Store): Store => ({
    ...store,
    read: async (path, offset, length, signal) => {
      reads.push(path)
      return store.read(path, offset, length, signal)
    },
  })
const refusing =
  (kind: Trouble['kind'], refused: string) =>
  (store: Store): Store => ({
    ...store,
    read: async (path, offset, length, signal) => {
      if (path !== refused) return store.read(path, offset, length, signal)
      throw new Trouble({ kind, what: 'cannot read it', why: 'the store says no', todo: 'Ask' })
    },
  })

test('of a thousand files the cut one is told, and each costs one read', async () => {
  for (let n = 0; n < 1000; n += 1) await put(`many/${n}.json`, '{"a": 1}')
  await put('many/cut.json', '{"a": [1, 2')
  const reads: string[] = []
  const found = await structures({ wrap: counting(reads) })
  expect(found.doubtful).toMatchObject([{ path: 'many/cut.json', size: 11, judgement: 'broken' }])
  expect(found.untold).toEqual([])
  expect(found).toMatchObject({ files: 1001, reads: 1001 })
  expect(reads).toHaveLength(1001)
})

test('what has no rule is told as such, in one entry, and empty files are left to the names', async () => {
  await put('a.raw', noise(10))
  await put('b.raw', noise(20))
  await put('empty.json', '')
  expect((await structures()).untold).toMatchObject([{ files: 2, unexpected: false }])
})

test('the doctor does not judge what it wrote itself', async () => {
  await put('.mlflow-doctor/other.json', '{')
  expect((await structures()).doubtful).toEqual([])
})

test('one file that may not be read does not stop the others', async () => {
  await put('a.json', '{')
  await put('secret.json', '{}')
  const denied = await structures({ wrap: refusing('denied', 'secret.json') })
  expect(denied.doubtful).toMatchObject([{ path: 'a.json' }])
  expect(denied.untold).toMatchObject([{ first: 'secret.json', because: 'the store says no', unexpected: true }])
  const cannot = await structures({ wrap: refusing('unsupported', 'secret.json') })
  expect(cannot.untold).toMatchObject([{ first: 'secret.json', unexpected: false }])
  const lost = await structures({ wrap: refusing('unreachable', 'secret.json') })
  expect(lost.untold).toMatchObject([{ first: 'secret.json', unexpected: true }])
})

test('a tail of zeros in a file without a format is suspect, unless another file reads its tensors from it', async () => {
  const bytes = noise(300_000).fill(0, 102_400)
  await put('alone/w.raw', bytes)
  await put('indexed/w.raw', bytes)
  await put('indexed/model.safetensors.index.json', '{"weight_map": {"x": "w.raw"}}')
  const found = await structures()
  expect(found.doubtful).toMatchObject([
    { path: 'alone/w.raw', judgement: 'suspect', because: expect.stringContaining('from byte 102400 on') },
  ])
})

test('a store that has gone ends the look soon', async () => {
  for (let n = 0; n < 100; n += 1) await put(`${n}.json`, '{}')
  const reads: string[] = []
  const gone = (store: Store): Store => ({
    ...counting(reads)(store),
    read: async (path) => {
      reads.push(path)
      throw new Trouble({ kind: 'unreachable', what: 'cannot read', why: 'the line is down', todo: 'Wait' })
    },
  })
  await expect(structures({ wrap: gone })).rejects.toBeInstanceOf(Trouble)
  expect(reads.length).toBeLessThan(20)
})

test('a reference that leaves the folder is not followed', async () => {
  await put(
    'a/model.safetensors.index.json',
    '{"weight_map": {"x": "../../etc/w.safetensors", "y": "./b.safetensors"}}',
  )
  const found = await structures()
  expect(found.refers).toMatchObject([{ from: 'a/model.safetensors.index.json', path: 'a/b.safetensors' }])
  expect(found.untold).toMatchObject([{ because: expect.stringContaining('not followed') }])
})

test('at the depths of names and sizes nothing is read', async () => {
  await put('a.json', '{')
  for (const kind of ['names', 'sizes'] as const) {
    await expect(structures({ depth: { kind } })).rejects.toBeInstanceOf(NotApplicable)
    await expect(contents({ depth: { kind } })).rejects.toBeInstanceOf(NotApplicable)
  }
})

const manifestOf = (files: Readonly<Record<string, object>>) =>
  JSON.stringify({ version: 1, writtenAt: '2026-01-01T00:00:00Z', files })
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const crcHex = (bytes: Uint8Array) => crc32(bytes).toString(16).padStart(8, '0')

test('a full read holds each file against the SHA-256 or CRC32 in the manifest, and reads it once', async () => {
  const bytes = noise(300_000)
  const other = Uint8Array.from(bytes).fill(9, 1000, 1004)
  await put('good.raw', bytes)
  await put('flipped.raw', other)
  await put('crc.raw', other)
  await put('short.raw', bytes.subarray(1))
  await put(
    manifestPath,
    manifestOf({
      'good.raw': { size: bytes.length, sha256: sha256(bytes) },
      'flipped.raw': { size: bytes.length, sha256: sha256(bytes) },
      'crc.raw': { size: bytes.length, crc32: crcHex(bytes) },
      // Another size is told by another check.
      'short.raw': { size: bytes.length, sha256: sha256(bytes) },
    }),
  )
  const reads: string[] = []
  const found = await contents({ depth: { kind: 'full' }, wrap: counting(reads) })
  expect(found).toMatchObject({ proved: expect.objectContaining({ size: 1 }), untold: [] })
  expect(found.different.map(({ path, because }) => [path, because]).sort()).toEqual([
    ['crc.raw', 'its CRC32 is not the one in the manifest'],
    ['flipped.raw', 'its SHA-256 is not the one in the manifest'],
  ])
  expect(reads.filter((path) => path === 'good.raw')).toHaveLength(1)
  expect(await contents()).toMatchObject({
    proved: expect.objectContaining({ size: 0 }),
    different: [],
    untold: [{ files: 3 }],
  })
})

test('a manifest that is damaged, or of another version, says nothing but why', async () => {
  await put('a.raw', noise(10))
  for (const text of ['{"version": 1', manifestOf({}).replace('1', '9'), manifestOf({ 'a.raw': { size: -1 } })]) {
    await put(manifestPath, text)
    expect(await openWith(manifestOpener, {})).toMatchObject({ files: new Map(), malformed: expect.any(String) })
    await expect(contents()).rejects.toBeInstanceOf(NotApplicable)
  }
})

test('a full read holds each file against the local folder', async () => {
  await put('a/same.raw', noise(50_000))
  await put('a/other.raw', noise(50_000))
  await put('a/other.raw', noise(50_000, 2), local)
  await put('a/same.raw', noise(50_000), local)
  const tree = treeOf({ 'a/same.raw': 50_000, 'a/other.raw': 50_000 })
  const found = await contents({ depth: { kind: 'full' }, tree })
  expect(found).toMatchObject({
    proved: expect.objectContaining({ size: 1 }),
    different: [{ path: 'a/other.raw', with: 'folder' }],
  })
  expect(await contents({ tree })).toMatchObject({
    proved: expect.objectContaining({ size: 0 }),
    different: [],
    untold: [{ files: 2 }],
  })
})

test('a sample reads the same share of the files each time', async () => {
  const files: Record<string, object> = {}
  for (let n = 0; n < 400; n += 1) {
    await put(`${n}.raw`, noise(10, n + 1))
    files[`${n}.raw`] = { size: 10, sha256: sha256(noise(10, n + 1)) }
  }
  await put(manifestPath, manifestOf(files))
  const depth = { kind: 'sample', share: 0.25 } as const
  const first = await contents({ depth })
  expect(first.proved.size).toBeGreaterThan(60)
  expect(first.proved.size).toBeLessThan(140)
  expect((await contents({ depth })).proved.size).toBe(first.proved.size)
})

/** As of a file that somebody writes to, or a line that breaks silently. */
const shortOf =
  (path: string) =>
  (store: Store): Store => ({
    ...store,
    read: async (at, ...of) => {
      const got = await store.read(at, ...of)
      return at === path ? got.subarray(0, got.length - 1) : got
    },
  })

test('a file that gives fewer bytes than were listed is told as not looked at, and the others are judged', async () => {
  await put('a.npy', 'no such file')
  await put('b.npy', 'no such file')
  const told = await structures({ wrap: shortOf('a.npy') })
  expect(told.untold).toEqual([expect.objectContaining({ first: 'a.npy', files: 1, unexpected: true })])
  expect(told.doubtful.map(({ path }) => path)).toEqual(['b.npy'])
})

test('a manifest that gives fewer bytes than were listed, or is refused, is not taken for a damaged one', async () => {
  await put(manifestPath, '{}')
  const refused = (store: Store): Store => ({
    ...store,
    read: async () => {
      throw new Trouble({ kind: 'denied', what: 'cannot read', why: 'it is forbidden', todo: 'Ask' })
    },
  })
  expect(await openWith<Manifest>(manifestOpener, {})).not.toHaveProperty('unread')
  expect(await openWith<Manifest>(manifestOpener, { wrap: shortOf(manifestPath) })).toMatchObject({ unread: true })
  expect(await openWith<Manifest>(manifestOpener, { wrap: refused })).toMatchObject({
    unread: true,
    malformed: 'it is forbidden',
  })
})

test('a read that is cut short is no difference from the manifest', async () => {
  const bytes = noise(1000)
  await put('a.bin', bytes)
  await put(
    manifestPath,
    JSON.stringify({
      version: 1,
      writtenAt: '2026-01-01',
      files: { 'a.bin': { size: 1000, crc32: crc32(bytes).toString(16).padStart(8, '0') } },
    }),
  )
  const told = await contents({ depth: { kind: 'full' }, wrap: shortOf('a.bin') })
  expect(told.different).toEqual([])
  expect(told.untold).toContainEqual(expect.objectContaining({ first: 'a.bin', unexpected: true }))
})

test('an index of which not every file is looked for says so', async () => {
  const index = (shards: number) =>
    JSON.stringify({
      weight_map: Object.fromEntries(Array.from({ length: shards }, (_, n) => [n, `${n}.safetensors`])),
    })
  await put('few.safetensors.index.json', index(10_000))
  expect((await structures()).untold).toEqual([])
  await put('many.safetensors.index.json', index(10_001))
  expect((await structures()).untold).toEqual([
    expect.objectContaining({ first: 'many.safetensors.index.json', because: expect.stringContaining('10001 files') }),
  ])
  await put('many.safetensors.index.json', `${index(1)}${' '.repeat(16 * 1024 ** 2)}`)
  expect((await structures()).untold).toEqual([
    expect.objectContaining({ first: 'many.safetensors.index.json', because: expect.stringContaining('not followed') }),
  ])
})
