import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { plannedUpload } from '../../src/commands/planned.ts'

let scratch: string
let model: string
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'md-'))
  model = join(scratch, 'model')
  await mkdir(join(model, 'code'), { recursive: true })
})
afterEach(() => rm(scratch, { recursive: true, force: true }))

const planned = async (as: 'log_model' | 'log_artifact' = 'log_model') => {
  const plan = await plannedUpload({ model, as })
  return { ...plan, files: plan?.files.toSorted((a, b) => a.path.localeCompare(b.path)) }
}

test('every file below the folder, with its path from there', async () => {
  await writeFile(join(model, 'MLmodel'), 'x')
  await writeFile(join(model, 'code', 'a.py'), 'abc')
  const files = [
    { path: 'code/a.py', bytes: 3 },
    { path: 'MLmodel', bytes: 1 },
  ]
  expect(await planned()).toEqual({ files, largest: 3, total: 4, as: 'log_model', dir: model })
})

test('linked files count by what they point to, linked folders where the copy follows them', async () => {
  await mkdir(join(scratch, 'data', 'deep'), { recursive: true })
  await writeFile(join(scratch, 'data', 'deep', 'd.bin'), Buffer.alloc(5000))
  await symlink(join(scratch, 'data'), join(model, 'data'))
  await symlink(join(scratch, 'data', 'deep', 'd.bin'), join(model, 'one.bin'))
  expect((await planned('log_model')).files).toEqual([
    { path: 'data/deep/d.bin', bytes: 5000 },
    { path: 'one.bin', bytes: 5000 },
  ])
  expect((await planned('log_artifact')).files).toEqual([{ path: 'one.bin', bytes: 5000 }])
})

test('the same folder linked twice is copied twice', async () => {
  await mkdir(join(scratch, 'data'))
  await writeFile(join(scratch, 'data', 'd.bin'), 'abc')
  await symlink(join(scratch, 'data'), join(model, 'a'))
  await symlink(join(scratch, 'data'), join(model, 'b'))
  expect((await planned()).total).toBe(6)
})

test('a link that leads back ends at once for a copy and is passed over by log_artifact', async () => {
  await writeFile(join(model, 'MLmodel'), 'x')
  for (const up of ['.', '..', scratch, '/']) {
    await symlink(up, join(model, 'code', 'up'))
    await expect(planned()).rejects.toMatchObject({ kind: 'usage', why: /^the link code\/up leads back/ })
    expect((await planned('log_artifact')).total).toBe(1)
    await rm(join(model, 'code', 'up'))
  }
})

test('two folders that link to each other', async () => {
  await mkdir(join(scratch, 'data'))
  await symlink(join(scratch, 'data'), join(model, 'code', 'data'))
  await symlink(join(model, 'code'), join(scratch, 'data', 'code'))
  await expect(planned()).rejects.toMatchObject({ kind: 'usage', why: /^the link code\/data\/code leads back/ })
})

test('a folder without any file plans nothing', async () => {
  await expect(planned()).rejects.toMatchObject({ kind: 'usage', why: 'it holds no file' })
})

test.each(['nowhere', 'model/file'])('no folder at all: %s', async (name) => {
  await writeFile(join(model, 'file'), 'x')
  await expect(plannedUpload({ model: join(scratch, name), as: 'log_model' })).rejects.toMatchObject({ kind: 'usage' })
})

test('a link that points nowhere cannot be copied', async () => {
  await symlink('gone', join(model, 'link'))
  await expect(planned()).rejects.toMatchObject({ kind: 'usage', why: /ENOENT/ })
})

test('a list of sizes and paths, with comments, spaces in names and units', async () => {
  const list = join(scratch, 'list')
  await writeFile(list, '# planned\n2KiB weights/a b.bin\r\n\n  5\tMLmodel\n')
  const files = [
    { path: 'weights/a b.bin', bytes: 2048 },
    { path: 'MLmodel', bytes: 5 },
  ]
  expect(await plannedUpload({ files: list, as: 'log_model' })).toMatchObject({ files, largest: 2048, total: 2053 })
})

test.each([
  ['', 'it names no file'],
  ['5 a\n7\n', 'line 2 has not both a size and a path'],
  ['much a\n', 'it is not understood'],
])('a list that cannot be used: %j', async (text, why) => {
  const list = join(scratch, 'list')
  await writeFile(list, text)
  await expect(plannedUpload({ files: list, as: 'log_model' })).rejects.toMatchObject({ kind: 'usage', why })
})

test('a list that is not there', async () => {
  await expect(plannedUpload({ files: join(scratch, 'gone'), as: 'log_model' })).rejects.toMatchObject({
    kind: 'usage',
  })
})
