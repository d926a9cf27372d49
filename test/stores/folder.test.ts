import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, posix, win32 } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { storeBelow } from '../../src/stores/below.ts'
import { chainOf, folderStore } from '../../src/stores/folder.ts'
import { namesIn, sendAll } from './sending.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'folder-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

describe('symbolic links', () => {
  beforeEach(async () => {
    await mkdir(`${dir}/outside`)
    await writeFile(`${dir}/outside/secret`, 'secret')
    await mkdir(`${dir}/root`)
    await symlink(`${dir}/outside`, `${dir}/root/folder`)
    await symlink(`${dir}/outside/secret`, `${dir}/root/file`)
  })

  test('to a file are that file, as MLflow reads them', async () => {
    await mkdir(`${dir}/root/blobs`)
    await writeFile(`${dir}/root/blobs/a`, 'inside')
    await symlink('blobs/a', `${dir}/root/model.bin`)
    const store = await folderStore(`${dir}/root`, 'test')
    const listed = await Array.fromAsync(store.list())
    expect(listed.map(({ path, size }) => [path, size]).toSorted()).toEqual([
      ['blobs/a', 6],
      ['file', 6],
      ['model.bin', 6],
    ])
    expect(await store.stat('model.bin')).toEqual(listed.find(({ path }) => path === 'model.bin'))
    expect(Buffer.from(await store.read('file', 0, 6)).toString()).toBe('secret')
    expect(await store.proof('model.bin')).toEqual({ size: 6, crc32: crc32('inside') })
  })
  test('to folders, nothing, themselves or devices are no files', async () => {
    await rm(`${dir}/root/file`)
    await symlink('nothing', `${dir}/root/dangling`)
    await symlink('circle', `${dir}/root/circle`)
    await symlink('/dev/null', `${dir}/root/device`)
    const store = await folderStore(`${dir}/root`, 'test')
    expect(await namesIn(store.list())).toEqual([])
    for (const path of ['dangling', 'circle', 'device', 'folder']) expect(await store.stat(path)).toBeUndefined()
    await expect(store.read('device', 0, 1)).rejects.toMatchObject({ kind: 'conflict' })
    await expect(store.read('dangling', 0, 1)).rejects.toMatchObject({ kind: 'not-found' })
    await expect(store.read('folder/secret', 0, 6)).rejects.toMatchObject({ kind: 'denied' })
  })
  test('to folders are told as passed over, whatever part of the store is looked at', async () => {
    await mkdir(`${dir}/root/run`)
    await symlink(`${dir}/outside`, `${dir}/root/run/artifacts`)
    const store = await folderStore(`${dir}/root`, 'test')
    expect(store.passedOver?.()).toEqual([])
    await Array.fromAsync(store.list())
    const because = expect.stringContaining('symbolic link')
    expect(store.passedOver?.().toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
      { path: 'folder', because },
      { path: 'run/artifacts', because },
    ])
    expect(storeBelow(store, 'run').passedOver?.()).toEqual([{ path: 'artifacts', because }])
    expect(storeBelow(store, 'run/artifacts/data').passedOver?.()).toEqual([{ path: '', because }])
    expect(storeBelow(store, 'ru').passedOver?.()).toEqual([])
  })
  test('by the name of a leftover are none, and are not written to', async () => {
    const id = '.artifact.uploading.abc'
    await symlink(`${dir}/outside/secret`, `${dir}/root/${id}`)
    const store = await folderStore(`${dir}/root`, 'test')
    expect(await Array.fromAsync(store.unfinished())).toEqual([])
    expect(await store.partsOf({ path: id, id })).toEqual([])
    await expect(store.resumeUpload('f', id, { sourceSize: 6, partSize: 6 })).rejects.toMatchObject({ kind: 'denied' })
    await store.abort({ path: id, id })
    expect(await readFile(`${dir}/outside/secret`, 'utf8')).toBe('secret')
  })
  test('are not written or removed through', async () => {
    const store = await folderStore(`${dir}/root`, 'test')
    const plan = { sourceSize: 3, partSize: 3 }
    await expect(store.openUpload('folder/new', plan)).rejects.toMatchObject({ kind: 'denied' })
    await expect(store.remove('folder/secret')).rejects.toMatchObject({ kind: 'denied' })
    expect(await readdir(`${dir}/outside`)).toEqual(['secret'])
  })
  test('replacing a link replaces the link, never its target', async () => {
    const store = await folderStore(`${dir}/root`, 'test')
    await sendAll(store, 'file', Buffer.from('new'), { partSize: 2, ifAbsent: false })
    expect(await readFile(`${dir}/outside/secret`, 'utf8')).toBe('secret')
    expect(await readFile(`${dir}/root/file`, 'utf8')).toBe('new')
  })
  test('may be the root itself', async () => {
    await symlink(`${dir}/outside`, `${dir}/link`)
    expect(await namesIn((await folderStore(`${dir}/link`, 'test')).list())).toEqual(['secret'])
  })
})

test('a named pipe is not listed and does not hang a read', async () => {
  execFileSync('/usr/bin/mkfifo', [`${dir}/pipe`])
  const store = await folderStore(dir, 'test')
  expect(await namesIn(store.list())).toEqual([])
  await expect(store.read('pipe', 0, 1)).rejects.toMatchObject({ kind: 'conflict' })
})

test('a file whose name is no UTF-8 is told as passed over', async () => {
  await writeFile(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff, 0xfe])]), 'x')
  await writeFile(`${dir}/\ufffd`, 'this one has such a name')
  const store = await folderStore(dir, 'test')
  expect(await namesIn(store.list())).toEqual(['\ufffd'])
  expect(store.passedOver?.()).toEqual([{ path: '\ufffd\ufffd', because: expect.stringContaining('UTF-8') }])
})

test('a file in place of the root is no empty folder', async () => {
  await writeFile(`${dir}/file`, 'x')
  const store = await folderStore(`${dir}/file`, 'test')
  await expect(namesIn(store.list())).rejects.toMatchObject({ kind: 'conflict' })
})

test("MLflow's staged leftovers are unfinished uploads, not files", async () => {
  await mkdir(`${dir}/data`)
  await writeFile(`${dir}/data/.artifact.uploading.abc123`, 'half')
  const store = await folderStore(dir, 'test')
  expect(await namesIn(store.list())).toEqual([])
  const [found] = await Array.fromAsync(store.unfinished())
  expect(found).toMatchObject({ path: 'data/.artifact.uploading.abc123', id: '.artifact.uploading.abc123' })
  expect(found?.initiated).toBeTypeOf('number')
})

test('each staged leftover is found by the path that it is listed under, and can be given up', async () => {
  await mkdir(`${dir}/data`)
  await writeFile(`${dir}/data/.artifact.uploading.abc123`, 'half')
  const store = await folderStore(dir, 'test')
  await store.openUpload('data/own', { sourceSize: 8, partSize: 4 })
  await writeFile(`${dir}/data/kept`, 'whole')
  const all = await Array.fromAsync(store.unfinished())
  expect(all.length).toBe(2)
  for (const upload of all) {
    expect(await Array.fromAsync(store.unfinished({ path: upload.path }))).toEqual([upload])
    for (let n = 0; n < 2; n += 1) await store.abort(upload)
  }
  // Whatever a caller names: nothing but a staged file is ever removed by it.
  await store.abort({ path: 'data/x', id: 'kept' })
  await store.abort({ path: 'x', id: 'data/kept' })
  expect(await readdir(`${dir}/data`)).toEqual(['kept'])
  await store.close()
})

test('the folders that were made for a root are told in the words of either system', () => {
  expect(chainOf('/a/b', '/a/b/c/d', posix)).toEqual(['/a/b', '/a/b/c', '/a/b/c/d'])
  expect(chainOf('/a', '/a', posix)).toEqual(['/a'])
  expect(chainOf('C:\\a', 'C:\\a\\b\\c', win32)).toEqual(['C:\\a', 'C:\\a\\b', 'C:\\a\\b\\c'])
})

test('a leftover of MLflow can be taken up again: the part that is whole is proved, the cut one is not', async () => {
  const source = Buffer.from('0123456789')
  await writeFile(`${dir}/.artifact.uploading.abc123`, source.subarray(0, 7))
  const store = await folderStore(dir, 'test')
  const plan = { sourceSize: 10, partSize: 4 }
  const upload = await store.resumeUpload('ten', '.artifact.uploading.abc123', plan)
  expect(await upload?.parts()).toEqual([
    { number: 1, size: 4, crc32: crc32(source.subarray(0, 4)) },
    { number: 2, size: 3, crc32: crc32(source.subarray(4, 7)) },
  ])
  await upload?.send(2, source.subarray(4, 8), crc32(source.subarray(4, 8)))
  await upload?.send(3, source.subarray(8), crc32(source.subarray(8)))
  await upload?.complete([], { size: 10, crc32: crc32(source), ifAbsent: true })
  expect(await readFile(`${dir}/ten`, 'utf8')).toBe('0123456789')
  expect(await readdir(dir)).toEqual(['ten'])
})

test('a part that was never written shows as one that does not match', async () => {
  const store = await folderStore(dir, 'test')
  const upload = await store.openUpload('hole', { sourceSize: 8, partSize: 4 })
  await upload.send(2, Buffer.from('5678'), crc32('5678'))
  const parts = await upload.parts()
  expect(parts?.map((part) => part.crc32)).toEqual([crc32(Buffer.alloc(4)), crc32('5678')])
  const whole = { size: 8, crc32: crc32('12345678'), ifAbsent: true }
  await expect(upload.complete(parts ?? [], whole)).rejects.toMatchObject({ kind: 'unavailable' })
  expect(await namesIn(store.list())).toEqual([])
  await upload.abort()
})

test('the proof is of what the file holds now, not of what was sent', async () => {
  const store = await folderStore(dir, 'test')
  await sendAll(store, 'f', Buffer.from('12345678'), { partSize: 4, ifAbsent: true })
  expect(await store.proof('f')).toMatchObject({ size: 8, crc32: crc32('12345678') })
  await truncate(`${dir}/f`, 7)
  expect(await store.proof('f')).toMatchObject({ size: 7, crc32: crc32('1234567') })
})

test('a file larger than the disk has room for is refused before the first byte', async () => {
  const store = await folderStore(dir, 'test')
  const plan = { sourceSize: 2 ** 60, partSize: 2 ** 30 }
  await expect(store.openUpload('huge', plan)).rejects.toMatchObject({ kind: 'full' })
  expect(await readdir(dir)).toEqual([])
})

test('an upload that is given up leaves no folder behind, and keeps those that others use', async () => {
  await mkdir(`${dir}/kept`)
  const store = await folderStore(`${dir}/kept/not/there`, 'test')
  const plan = { sourceSize: 1, partSize: 1 }
  const upload = await store.openUpload('a/b/file', plan)
  const other = await store.openUpload('a/other', plan)
  await upload.abort()
  expect(await readdir(`${dir}/kept/not/there/a`)).toHaveLength(1)
  await other.send(1, Buffer.from('x'), crc32('x'))
  await other.complete([], { size: 1, crc32: crc32('x'), ifAbsent: true })
  expect(await readdir(`${dir}/kept/not/there/a`)).toEqual(['other'])
  const alone = await (await folderStore(`${dir}/kept/new/root`, 'test')).openUpload('f', plan)
  await alone.abort()
  expect(await readdir(`${dir}/kept`)).toEqual(['not'])
})

test('a name so long that the staging name cannot carry it still arrives', async () => {
  const store = await folderStore(dir, 'test')
  const name = 'n'.repeat(250)
  await sendAll(store, name, Buffer.from('x'), { partSize: 4, ifAbsent: true })
  expect(await namesIn(store.list())).toEqual([name])
})

test.each(['../up', '/etc/passwd', 'a/../../b', 'a//b', './a', 'a/.', 'nul\0', 'line\nbreak', ''])(
  '%j is refused as a path',
  async (path) => {
    const store = await folderStore(dir, 'test')
    const refused = { kind: 'unsupported' }
    await expect(store.read(path, 0, 1)).rejects.toMatchObject(refused)
    await expect(store.stat(path)).rejects.toMatchObject(refused)
    await expect(store.proof(path)).rejects.toMatchObject(refused)
    await expect(store.remove(path)).rejects.toMatchObject(refused)
    await expect(store.openUpload(path, { sourceSize: 1, partSize: 1 })).rejects.toMatchObject(refused)
    await expect(
      store.resumeUpload(path, '.artifact.uploading.x', { sourceSize: 1, partSize: 1 }),
    ).rejects.toMatchObject(refused)
  },
)

test.each(['plain', '../.artifact.uploading.x', 'x/.artifact.uploading.y', '.artifact.uploading.'.slice(0, -1)])(
  'the id %j takes up no upload',
  async (id) => {
    await writeFile(`${dir}/plain`, 'precious')
    await writeFile(`${dir}/.artifact.uploading.x`, 'precious')
    await mkdir(`${dir}/sub`)
    const store = await folderStore(`${dir}/sub`, 'test')
    expect(await store.resumeUpload('f', id, { sourceSize: 1, partSize: 1 })).toBeUndefined()
  },
)
