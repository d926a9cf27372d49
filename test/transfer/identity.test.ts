import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFile, mkdtemp, open, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openSource, sameIdentity } from '../../src/transfer/identity.ts'

let dir: string
let path: string
const content = randomBytes(400_000)
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-i-'))
  path = join(dir, 'f')
  await writeFile(path, content)
})
afterEach(() => rm(dir, { recursive: true, force: true }))

describe('a source file', () => {
  test('is read at any place, and is the same when opened again', async () => {
    const source = await openSource(path)
    const read = await source.read(new Uint8Array(1000), 1234, 500)
    expect(Buffer.from(read).equals(content.subarray(1234, 1734))).toBe(true)
    await source.confirm()
    const again = await openSource(path)
    expect(sameIdentity(source.identity, again.identity)).toBe(true)
    await source.close()
    await again.close()
  })

  const changes: [string, () => Promise<unknown>][] = [
    ['grew', () => appendFile(path, 'x')],
    ['shrank', () => truncate(path, 300_000)],
    ['was cut before the part that is read', () => truncate(path, 10)],
    [
      'was written to at equal size',
      async () => {
        const file = await open(path, 'r+')
        await file.write('changed', 0)
        await file.close()
      },
    ],
  ]
  test.each(changes)('that %s stops the reading', async (_name, change) => {
    const source = await openSource(path)
    await change()
    await expect(source.read(new Uint8Array(100_000), 290_000, 100_000)).rejects.toMatchObject({
      kind: 'source-changed',
    })
    await expect(source.confirm()).rejects.toMatchObject({ kind: 'source-changed' })
    await source.close()
  })

  test('that another one replaced under its name is noticed', async () => {
    const source = await openSource(path)
    await writeFile(join(dir, 'g'), content)
    await rename(join(dir, 'g'), path)
    await expect(source.confirm()).rejects.toMatchObject({ kind: 'source-changed' })
    await source.close()
  })

  test('that was unlinked is still whole', async () => {
    const source = await openSource(path)
    await rm(path)
    const read = await source.read(new Uint8Array(content.length), 0, content.length)
    expect(Buffer.from(read).equals(content)).toBe(true)
    await source.confirm()
    await source.close()
  })

  test('with its modification time put back is still another one', async () => {
    const past = new Date(1_600_000_000_000)
    await utimes(path, past, past)
    const before = await openSource(path)
    const file = await open(path, 'r+')
    await file.write('changed', 200_000)
    await file.close()
    await utimes(path, past, past)
    const after = await openSource(path)
    expect(after.identity.mtimeNs).toBe(before.identity.mtimeNs)
    expect(sameIdentity(before.identity, after.identity)).toBe(false)
    await expect(before.confirm()).rejects.toMatchObject({ kind: 'source-changed' })
    await before.close()
    await after.close()
  })

  test('must be a regular file reached without a link', async () => {
    await symlink(path, join(dir, 'link'))
    await expect(openSource(join(dir, 'link'))).rejects.toMatchObject({ kind: 'denied' })
    await expect(openSource(dir)).rejects.toMatchObject({ kind: 'denied' })
    await expect(openSource(join(dir, 'none'))).rejects.toMatchObject({ kind: 'not-found' })
    expect(spawnSync('mkfifo', [join(dir, 'fifo')]).status).toBe(0)
    await expect(openSource(join(dir, 'fifo'))).rejects.toMatchObject({ kind: 'denied' })
  })

  test('may be empty', async () => {
    await writeFile(path, '')
    const source = await openSource(path)
    expect((await source.read(new Uint8Array(1), 0, 0)).length).toBe(0)
    await source.confirm()
    await source.close()
  })
})
