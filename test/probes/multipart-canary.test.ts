import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { multipartCanary } from '../../src/probes/multipart-canary.ts'
import { folderStore } from '../../src/stores/folder.ts'
import type { Store } from '../../src/stores/store.ts'

let dir = ''
let undo: (() => Promise<void>)[] = []
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'canary-'))
  undo = []
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const options = (signal = new AbortController().signal) => ({
  owner: 'me',
  signal,
  onCleanup: (act: () => Promise<void>) => {
    undo.push(act)
  },
})

test('on a folder: every step is taken, nothing is left', async () => {
  const canary = await multipartCanary(await folderStore(`${dir}/new/root`, 'test'), options())
  expect(canary.steps.map(({ step, trouble }) => [step, trouble])).toEqual(
    ['create', 'upload-part', 'list-parts', 'list-uploads', 'abort'].map((step) => [step, undefined]),
  )
  expect(canary).toMatchObject({ listedByPrefix: true, listedByKey: true, removedStale: 0 })
  for (const act of undo) await act()
  expect(await readdir(dir)).toEqual([])
})

test('interrupted in the middle: the registered clean-up aborts it', async () => {
  const store = await folderStore(dir, 'test')
  const stopped = new AbortController()
  const stopping: Store = {
    ...store,
    openUpload: async (...args) => {
      const upload = await store.openUpload(...args)
      stopped.abort()
      return upload
    },
  }
  await expect(multipartCanary(stopping, options(stopped.signal))).rejects.toMatchObject({ name: 'AbortError' })
  expect(await readdir(dir)).toHaveLength(1)
  for (const act of undo) await act()
  expect(await readdir(dir)).toEqual([])
})

test('the clean-up is registered before the upload exists', async () => {
  const store = await folderStore(dir, 'test')
  let registered = 0
  const watching: Store = {
    ...store,
    openUpload: async (...args) => {
      registered = undo.length
      return store.openUpload(...args)
    },
  }
  await multipartCanary(watching, options())
  expect(registered).toBe(1)
})

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
])('of what earlier runs left, %s', async (_, name, modified, removed) => {
  await writeFile(join(dir, staged(name)), 'x')
  await utimes(join(dir, staged(name)), modified, modified)
  const canary = await multipartCanary(await folderStore(dir, 'test'), options())
  expect(canary.removedStale).toBe(removed ? 1 : 0)
  expect(await readdir(dir)).toEqual(removed ? [] : [staged(name)])
})
