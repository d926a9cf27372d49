import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { multipartCanary } from '../../src/probes/multipart-canary.ts'
import { folderStore } from '../../src/stores/folder.ts'
import type { Store } from '../../src/stores/store.ts'
import { keeping } from '../keeping.ts'

let dir = ''
let home = ''
let undo: (() => Promise<void> | void)[] = []
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'canary-'))
  home = await mkdtemp(join(tmpdir(), 'home-'))
  undo = []
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
  await rm(home, { recursive: true, force: true })
})

const options = (signal = new AbortController().signal) => ({ signal, begin: keeping(undo, home).upload })

test('on a folder: every step is taken, nothing is left', async () => {
  const canary = await multipartCanary(await folderStore(`${dir}/new/root`, 'test'), options())
  expect(canary.steps.map(({ step, trouble }) => [step, trouble])).toEqual(
    ['create', 'upload-part', 'list-parts', 'list-uploads', 'abort'].map((step) => [step, undefined]),
  )
  expect(canary).toMatchObject({ listedByPrefix: true, listedByKey: true })
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
