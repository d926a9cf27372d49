import { link, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readBundle } from '../../src/mlflow/bundle.ts'

const MiB = 1024 ** 2

/** Sizes as they are planned, which is what the folder held a moment ago. */
const read = async (sizes: Readonly<Record<string, number>>, make: (dir: string) => Promise<unknown>) => {
  const dir = await mkdtemp(join(tmpdir(), 'md-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  await make(dir)
  const files = Object.entries(sizes).map(([path, bytes]) => ({ path, bytes }))
  return readBundle(dir, files, new AbortController().signal, () => {})
}

const filled = (size: number, byte: number, at = 0) => {
  const bytes = Buffer.alloc(size, 7)
  bytes[at] = byte
  return bytes
}

test('equal files are told with how far that is proved, and different ones of one size are not', async () => {
  const small = 2 * MiB
  const large = 20 * MiB
  const sizes = {
    'a/1': small,
    'b/1': small,
    'c/1': small,
    'a/2': large,
    'b/2': large,
    'a/3': large + 1,
    'b/3': large + 1,
  }
  const { twins } = await read(sizes, async (dir) => {
    for (const folder of ['a', 'b', 'c']) await mkdir(join(dir, folder))
    await writeFile(join(dir, 'a/1'), filled(small, 1))
    await writeFile(join(dir, 'b/1'), filled(small, 1))
    await writeFile(join(dir, 'c/1'), filled(small, 2, MiB))
    // They differ in the middle, where a large file is not read: no more is said of them than was seen.
    await writeFile(join(dir, 'a/2'), filled(large, 1, 10 * MiB))
    await writeFile(join(dir, 'b/2'), filled(large, 2, 10 * MiB))
    await writeFile(join(dir, 'a/3'), filled(large + 1, 1))
    await writeFile(join(dir, 'b/3'), filled(large + 1, 2))
  })
  expect(twins).toEqual([
    { paths: ['a/2', 'b/2'], bytes: large, proof: 'ends' },
    { paths: ['a/1', 'b/1'], bytes: small, proof: 'hash' },
  ])
})

test('one file under several names, by either kind of link', async () => {
  const sizes = { 'blobs/x': 2 * MiB, 'snapshots/x': 2 * MiB, hard: 2 * MiB }
  const { twins } = await read(sizes, async (dir) => {
    await mkdir(join(dir, 'blobs'))
    await mkdir(join(dir, 'snapshots'))
    await writeFile(join(dir, 'blobs/x'), filled(2 * MiB, 1))
    await symlink('../blobs/x', join(dir, 'snapshots/x'))
    await link(join(dir, 'blobs/x'), join(dir, 'hard'))
  })
  expect(twins).toEqual([{ paths: ['blobs/x', 'snapshots/x', 'hard'], bytes: 2 * MiB, proof: 'link' }])
})

test('two files of a terabyte are compared by two ends each', async () => {
  const size = 1024 ** 4
  const { twins, total } = await read({ a: size, b: size }, async (dir) => {
    for (const name of ['a', 'b']) {
      await writeFile(join(dir, name), '')
      await truncate(join(dir, name), size)
    }
  })
  expect(twins).toEqual([{ paths: ['a', 'b'], bytes: size, proof: 'ends' }])
  expect(total).toBe(2 * size)
})

test('what cannot be read is told, and the rest is read all the same', async () => {
  const head = Buffer.from('\x80\x04B', 'latin1')
  const pickle = Buffer.concat([head, Buffer.from([0, 0, 0x20, 0]), Buffer.alloc(2 * MiB), Buffer.from('.')])
  const sizes = { MLmodel: 12, 'gone.pkl': 3 * MiB, 'here.pkl': pickle.length, 'tiny.pkl': 10, 'shorter.pkl': 5 * MiB }
  const bundle = await read(sizes, async (dir) => {
    await writeFile(join(dir, 'MLmodel'), 'not: a model')
    await writeFile(join(dir, 'here.pkl'), pickle)
    await writeFile(join(dir, 'tiny.pkl'), '0123456789')
    await writeFile(join(dir, 'shorter.pkl'), 'N')
  })
  expect(bundle.unread).toEqual([{ path: 'gone.pkl', why: expect.stringContaining('ENOENT') }])
  expect(bundle.pickles).toMatchObject([
    { path: 'shorter.pkl', scan: { verdict: 'unknown' } },
    {
      path: 'here.pkl',
      scan: { verdict: 'whole', className: 'bytes', blobs: [{ className: 'bytes', bytes: 2 * MiB }] },
    },
  ])
  expect(bundle.model).toBeUndefined()
})
