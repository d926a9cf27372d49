import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { toFolder } from '../../fixtures/server/routes.ts'
import type { Facts, Need } from '../../src/check.ts'
import { thisProcess } from '../../src/host/process.ts'
import { leftoversOpener } from '../../src/needs/canaries.ts'
import type { Leftovers } from '../../src/needs/declarations.ts'
import { folderStore } from '../../src/stores/folder.ts'

let dir = ''
let home = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'canary-'))
  home = await mkdtemp(join(tmpdir(), 'home-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
  await rm(home, { recursive: true, force: true })
})

const look = async (): Promise<Leftovers> => {
  const store = await folderStore(dir, 'test')
  const values: Record<string, unknown> = { route: toFolder, store }
  const opened = await leftoversOpener.open({
    context: {
      host: { env: { USER: 'me' }, cwd: dir, home, platform: 'linux', ask: undefined },
      trustedHosts: [],
      orphanAgeMs: 0,
    },
    signal: new AbortController().signal,
    open: async <V>({ name }: Need<string, V, Facts>) => values[name] as V,
    progress: () => {},
    onClose: () => {},
  })
  return opened.value as Leftovers
}

const staged = (name: string) => `.artifact.uploading.mlflow-doctor-0123456789ab-${name}`
const old = new Date(Date.now() - 2 * 3_600_000)
const stampOf = (time: Date) => time.toISOString().replace(/[-:]|\.\d+/g, '')

test.each([
  ['an old one of this user is removed', `.mlflow-doctor-canary-${stampOf(old)}-me-0a1b2c3d`, old, true],
  ['a young one stays', `.mlflow-doctor-canary-${stampOf(new Date())}-me-0a1b2c3d`, old, false],
  ['one that was touched lately stays', `.mlflow-doctor-canary-${stampOf(old)}-me-0a1b2c3d`, new Date(), false],
  ['one of another user stays', `.mlflow-doctor-canary-${stampOf(old)}-you-0a1b2c3d`, old, false],
  ['one of a user whose name ends alike stays', `.mlflow-doctor-canary-${stampOf(old)}-not-me-0a1b2c3d`, old, false],
  ['an upload of a file stays', 'model.bin', old, false],
])('of what earlier runs left, by name: %s', async (_, name, modified, removed) => {
  await writeFile(join(dir, staged(name)), 'x')
  await utimes(join(dir, staged(name)), modified, modified)
  expect((await look()).removed).toEqual(removed ? [name] : [])
  expect(await readdir(dir)).toEqual(removed ? [] : [staged(name)])
})

const journal = async (by: object, canaries: readonly object[]) => {
  const folder = join(home, '.local/state/mlflow-doctor/canaries')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'one.json'), JSON.stringify({ by, canaries }))
  return folder
}
const young = `.mlflow-doctor-canary-${stampOf(new Date())}-me-0a1b2c3d`

test('what a process that has ended noted is removed at once, and its note with it', async () => {
  const here = await folderStore(dir, 'test')
  const upload = await here.openUpload(young, { sourceSize: 1, partSize: 1 })
  const dead = { ...(await thisProcess()), started: '1' }
  const folder = await journal(dead, [{ place: here.uri, path: young, uploadId: upload.id }])
  expect((await look()).removed).toEqual([young])
  expect(await readdir(dir)).toEqual([])
  expect(await readdir(folder)).toEqual([])
})

test('an upload whose id the process that has ended never learned is found by its path', async () => {
  const here = await folderStore(dir, 'test')
  await here.openUpload(young, { sourceSize: 1, partSize: 1 })
  const dead = { ...(await thisProcess()), started: '1' }
  const folder = await journal(dead, [{ place: here.uri, path: young, beginning: true }])
  expect((await look()).removed).toEqual([young])
  expect(await readdir(dir)).toEqual([])
  expect(await readdir(folder)).toEqual([])
  await journal(dead, [{ place: here.uri, path: young, beginning: true }])
  expect((await look()).removed).toEqual([])
})

test.each([
  ['a process that still runs', async () => thisProcess()],
  ['a process of another machine', async () => ({ ...(await thisProcess()), host: 'elsewhere' })],
])('what %s noted stays', async (_, by) => {
  const here = await folderStore(dir, 'test')
  const upload = await here.openUpload(young, { sourceSize: 1, partSize: 1 })
  await journal(await by(), [{ place: here.uri, path: young, uploadId: upload.id }])
  expect((await look()).removed).toEqual([])
  expect(await readdir(dir)).toHaveLength(1)
})

test('a note that names anything but a canary removes nothing', async () => {
  await writeFile(join(dir, 'model.bin'), 'x')
  const dead = { ...(await thisProcess()), started: '1' }
  await journal(dead, [{ place: (await folderStore(dir, 'test')).uri, path: 'model.bin' }])
  expect((await look()).removed).toEqual([])
  expect(await readdir(dir)).toEqual(['model.bin'])
})
