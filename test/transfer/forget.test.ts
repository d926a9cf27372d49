import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { thisProcess } from '../../src/host/process.ts'
import { folderStore } from '../../src/stores/folder.ts'
import type { Store } from '../../src/stores/store.ts'
import { forgetWhole } from '../../src/transfer/forget.ts'
import { openSource } from '../../src/transfer/identity.ts'
import { journalKey, openJournal, prepareJournalDir } from '../../src/transfer/journal.ts'
import { manifestPath } from '../../src/transfer/manifest.ts'
import { sweepTemporary, temporaryFolder } from '../../src/transfer/temporary.ts'

let dir: string
let state: string
let store: Store
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-f-'))
  state = join(dir, 'state')
  await mkdir(join(dir, 'artifacts'))
  store = await folderStore(join(dir, 'artifacts'), 'directly')
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true, force: true })
})

/** What a process leaves that was killed with an upload of `size` bytes under way. */
const begun = async (path: string, size: number) => {
  const file = join(dir, 'source')
  await writeFile(file, Buffer.alloc(size, 1))
  const source = await openSource(file)
  const upload = await store.openUpload(path, { sourceSize: size, partSize: 65_536 })
  await prepareJournalDir(state)
  const journal = await openJournal(state, journalKey(store.uri, path))
  await journal.begin({ source: source.identity, uploadId: upload.id, partSize: 65_536 })
  await journal.close()
  await source.close()
}

const unfinished = async () => (await Array.fromAsync(store.unfinished({}))).length

test('the note and the upload of a file that is whole end', async () => {
  await begun('data.bin', 100_000)
  await forgetWhole(store, [{ path: 'data.bin', size: 100_000 }], state)
  expect(await readdir(state)).toEqual([])
  expect(await unfinished()).toBe(0)
})

test('those of a file that is stored with another size, or that nobody calls whole, stay', async () => {
  await begun('data.bin', 100_000)
  await forgetWhole(store, [{ path: 'data.bin', size: 99_999 }], state)
  await forgetWhole(store, [{ path: 'other.bin', size: 100_000 }], state)
  expect(await readdir(state)).toHaveLength(1)
  expect(await unfinished()).toBe(1)
})

test('those of the manifest end, whatever its size: each run writes it anew', async () => {
  await begun(manifestPath, 1234)
  await forgetWhole(store, [], state)
  expect(await readdir(state)).toEqual([])
  expect(await unfinished()).toBe(0)
})

test('temporary folders of processes that are gone are removed; those of live ones, and of other machines, stay', async () => {
  const own = await temporaryFolder(state)
  const named = (owner: object) => `tmp-${Buffer.from(JSON.stringify(owner)).toString('base64url')}.abc123`
  const me = await thisProcess()
  const gone = named({ ...me, started: '1' })
  const elsewhere = named({ ...me, started: '1', host: 'another-machine' })
  const foreign = ['tmp-', 'tmp-notes', 'tmp-e30.abc123']
  for (const name of [gone, elsewhere, ...foreign]) await mkdir(join(state, name))
  await writeFile(join(state, gone, 'manifest.json'), '{}')
  await sweepTemporary(state)
  const left = await readdir(state)
  expect(left).not.toContain(gone)
  expect(left).toEqual(expect.arrayContaining([elsewhere, ...foreign]))
  expect((await stat(own.dir)).mode & 0o777).toBe(0o700)
  await own.remove()
  expect(await readdir(state)).toHaveLength(left.length - 1)
})
