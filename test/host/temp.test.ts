import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { tempFolder } from '../../src/host/temp.ts'

let dir: string
const mounted: string[] = []
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'md-')))
})
afterEach(async () => {
  for (const point of mounted.splice(0)) execFileSync('umount', [point])
  await rm(dir, { recursive: true, force: true })
})

const mount = async (name: string, ...args: string[]): Promise<string> => {
  const point = join(dir, name)
  await mkdir(point)
  execFileSync('mount', [...args, 'none', point], { stdio: 'ignore' })
  mounted.push(point)
  return point
}

const canMount = (): boolean => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
const mounts = canMount()
const withMounts = (name: string, run: () => Promise<void>): void =>
  test(name, async ({ skip }) => {
    skip(!mounts, 'needs the right to mount file systems (root)')
    await run()
  })

const linux = { platform: 'linux' } as const

/** What the real Python picks in the same surroundings. */
const pythons = (env: Record<string, string>): string =>
  execFileSync('python3', ['-c', 'import tempfile; print(tempfile.gettempdir())'], {
    env: { PATH: process.env.PATH ?? '', ...env },
    encoding: 'utf8',
  }).trim()

test('the folders are tried in the order of Python, and nothing is left in them', async () => {
  const [a, b] = [join(dir, 'a'), join(dir, 'b')]
  await Promise.all([mkdir(a), mkdir(b)])
  for (const env of [{ TMPDIR: a, TEMP: b }, { TEMP: b, TMP: a }, { TMP: a }, { TMPDIR: '', TMP: b }, {}]) {
    const found = await tempFolder({ env, ...linux })
    expect(found.path).toBe(pythons(env))
    expect(found.free).toBeGreaterThan(0)
    expect(found.total).toBeGreaterThanOrEqual(found.free)
    expect(found.unwritable).toBeUndefined()
  }
  expect((await tempFolder({ env: { TEMP: b }, ...linux })).from).toBe('TEMP')
  expect(await readdir(a)).toEqual([])
  expect(await readdir(b)).toEqual([])
})

test('a folder that is not there is passed over, as Python does, and told', async () => {
  const env = { TMPDIR: join(dir, 'gone'), TEMP: dir }
  const found = await tempFolder({ env, ...linux })
  expect(found.path).toBe(pythons(env))
  expect(found.passedOver).toEqual([{ path: env.TMPDIR, from: 'TMPDIR', why: 'no such folder' }])
})

test('a file in place of a folder is passed over', async () => {
  const file = join(dir, 'file')
  await writeFile(file, '')
  const found = await tempFolder({ env: { TMPDIR: file, TEMP: dir }, ...linux })
  expect(found).toMatchObject({ path: dir, passedOver: [{ why: 'not a folder' }] })
})

withMounts('a read-only file system is passed over and told (real mount)', async () => {
  const point = await mount('ro', '-t', 'tmpfs', '-o', 'ro')
  const found = await tempFolder({ env: { TMPDIR: point, TEMP: dir }, ...linux })
  expect(found).toMatchObject({ path: dir, passedOver: [{ path: point, why: 'read-only file system' }] })
})

withMounts('tmpfs counts as memory, with its own size and inodes (real mount)', async () => {
  const point = await mount('shm', '-t', 'tmpfs', '-o', 'size=3m,nr_inodes=10')
  const found = await tempFolder({ env: { TMPDIR: point }, ...linux })
  expect(found).toMatchObject({ path: point, inMemory: true, filesystem: 'tmpfs', total: 3 * 1024 ** 2, freeInodes: 9 })
  await writeFile(join(point, 'full'), Buffer.alloc(3 * 1024 ** 2))
  expect((await tempFolder({ env: { TMPDIR: point, TEMP: dir }, ...linux })).passedOver).toEqual([
    { path: point, from: 'TMPDIR', why: 'no space left' },
  ])
})

withMounts('a file system in memory without a bound has the room that memory has (real mount)', async () => {
  for (const args of [
    ['-t', 'ramfs'],
    ['-t', 'tmpfs', '-o', 'size=0'],
  ]) {
    const found = await tempFolder({ env: { TMPDIR: await mount(`m${args.length}`, ...args) }, ...linux })
    expect(found.inMemory).toBe(true)
    expect(found.free).toBeGreaterThan(1024 ** 2)
  }
})

withMounts('a mount point with a space in its name is found in the list of mounts (real mount)', async () => {
  const point = await mount('a b', '-t', 'tmpfs')
  expect((await tempFolder({ env: { TMPDIR: point }, ...linux })).filesystem).toBe('tmpfs')
})
