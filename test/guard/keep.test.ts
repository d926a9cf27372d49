import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Keeping, keepModels } from '../../src/guard/keep.ts'
import { marked } from '../../src/guard/mark.ts'
import { forgetSpool, notedSpools, noteSpool } from '../../src/guard/spools.ts'

const MiB = 1024 ** 2

let dir: string
let temp: string
let spool: string
let keeping: Keeping | undefined
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-k-'))
  ;[temp, spool] = [join(dir, 't'), join(dir, 's')]
  await mkdir(temp)
  await mkdir(spool)
})
afterEach(async () => {
  await keeping?.stop()
  keeping = undefined
  await rm(dir, { recursive: true, force: true })
})

const model = async (name: string, files: Record<string, string | Buffer>): Promise<string> => {
  const at = join(temp, name, 'model')
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(at, path, '..'), { recursive: true })
    await writeFile(join(at, path), content)
  }
  return at
}
const keptOf = async (path: string): Promise<string[]> =>
  (await readdir(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(path.length + 1))
    .sort()
const noticed = (path: string): Promise<void> => expect.poll(() => stat(path).catch(() => undefined)).toBeDefined()

test('a model folder outlives its removal, byte for byte, and costs no disk before', async () => {
  keeping = keepModels(temp, spool, 100 * MiB)
  const at = await model('tmpa', { 'data/big.bin': Buffer.alloc(3 * MiB, 'x'), MLmodel: 'flavors: {}\n' })
  await noticed(join(spool, '1', 'MLmodel'))
  await noticed(join(spool, '1', 'data/big.bin'))
  expect((await stat(join(spool, '1', 'data/big.bin'))).ino).toBe((await stat(join(at, 'data/big.bin'))).ino)
  await rm(join(temp, 'tmpa'), { recursive: true })
  const kept = await keeping.stop()
  expect(kept).toMatchObject({ folders: [join(spool, '1')], dropped: 0, bytes: 3 * MiB + 12 })
  expect(await keptOf(join(spool, '1'))).toEqual(['MLmodel', 'data/big.bin'])
  expect((await readFile(join(spool, '1', 'data/big.bin'))).equals(Buffer.alloc(3 * MiB, 'x'))).toBe(true)
})

test('a file that grows, and one that is replaced under its name, are kept as they are in the end', async () => {
  keeping = keepModels(temp, spool, 100 * MiB)
  const at = await model('tmpa', { grows: 'one', replaced: 'old', MLmodel: 'flavors: {}\n' })
  for (const path of ['MLmodel', 'grows', 'replaced']) await noticed(join(spool, '1', path))
  await writeFile(join(at, 'grows'), 'one and two')
  await writeFile(join(at, 'new'), 'new content')
  await rename(join(at, 'new'), join(at, 'replaced'))
  await expect.poll(() => readFile(join(spool, '1', 'replaced'), 'utf8')).toBe('new content')
  await rm(at, { recursive: true })
  await keeping.stop()
  expect(await readFile(join(spool, '1', 'grows'), 'utf8')).toBe('one and two')
})

test('what is no model is not kept', async () => {
  keeping = keepModels(temp, spool, 100 * MiB)
  const at = await model('tmpa', { 'half.bin': 'x' })
  await mkdir(join(temp, 'other'))
  await writeFile(join(temp, 'other', 'file'), 'x')
  await noticed(join(spool, '1', 'half.bin'))
  await rm(at, { recursive: true })
  expect(await keeping.stop()).toEqual({ folders: [], dropped: 0, bytes: 0 })
  expect(await readdir(spool)).toEqual([])
})

test('beyond the bound the oldest whose original is gone is given up', async () => {
  keeping = keepModels(temp, spool, 3 * MiB)
  for (const name of ['tmpa', 'tmpb']) {
    const at = await model(name, { 'data.bin': Buffer.alloc(2 * MiB), MLmodel: 'flavors: {}\n' })
    await noticed(join(spool, name === 'tmpa' ? '1' : '2', 'MLmodel'))
    await wait(100)
    await rm(at, { recursive: true })
  }
  expect(await keeping.stop()).toMatchObject({ folders: [join(spool, '2')], dropped: 1 })
  expect(await readdir(spool)).toEqual(['2'])
})

test('spools are noted, found in the order of their making, and forgotten', async () => {
  await noteSpool(dir, { id: 'mdg-b', dir: '/b', createdAt: 2 })
  await noteSpool(dir, { id: 'mdg-a', dir: '/a', createdAt: 1 })
  await writeFile(join(dir, 'spools', 'cut.json'), '{"v":1,')
  expect((await notedSpools(dir)).map(({ id }) => id)).toEqual(['mdg-a', 'mdg-b'])
  expect((await stat(join(dir, 'spools', 'mdg-a.json'))).mode & 0o077).toBe(0)
  await forgetSpool(dir, 'mdg-a')
  expect((await notedSpools(dir)).map(({ id }) => id)).toEqual(['mdg-b'])
})

test.each([
  [undefined, {}],
  ['{"team":"a"}', { team: 'a' }],
  ['not JSON', {}],
])("the mark stands beside the user's own context: %s", (given, kept) => {
  const env = marked({ MLFLOW_RUN_CONTEXT: given, PATH: '/bin' }, 'm1')
  expect(env.PATH).toBe('/bin')
  expect(JSON.parse(env.MLFLOW_RUN_CONTEXT ?? '')).toEqual({ ...kept, 'mlflow_doctor.guard': 'm1' })
})
