import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nameOfProcess } from '../../src/host/process.ts'
import { openJournal, parseJournal, prepareJournalDir, stateDir } from '../../src/transfer/journal.ts'
import { takeLock } from '../../src/transfer/process-lock.ts'

let dir: string
beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'md-j-')), 'state')
  await prepareJournalDir(dir)
})
afterEach(() => rm(join(dir, '..'), { recursive: true, force: true }))

const source = { dev: '1', ino: '2', size: 300, mtimeNs: '17000000000', sample: 5 }
const head = { source, uploadId: 'up-1', partSize: 100 }
const file = () => join(dir, 'k.jsonl')

const written = async (): Promise<string> => {
  const journal = await openJournal(dir, 'k')
  await journal.begin(head)
  await Promise.all([1, 2, 3].map((part) => journal.add({ part, size: 100, crc32: part * 7, etag: `e${part}` })))
  await journal.close()
  return readFile(file(), 'utf8')
}

describe('the journal', () => {
  test('gives back what was added, and only this user may read it', async () => {
    await written()
    expect((await stat(dir)).mode & 0o777).toBe(0o700)
    expect((await stat(file())).mode & 0o777).toBe(0o600)
    const journal = await openJournal(dir, 'k')
    expect(journal.left).toMatchObject(head)
    expect([...(journal.left?.parts.values() ?? [])]).toEqual(
      [1, 2, 3].map((part) => ({ part, size: 100, crc32: part * 7, etag: `e${part}` })),
    )
    await journal.close()
  })

  test('cut at any byte it yields a prefix of its parts, or nothing, and goes on from there', async () => {
    const text = await written()
    for (let length = 0; length < text.length; length += 1) {
      const parts = [...(parseJournal(text.slice(0, length))?.parts.keys() ?? [])]
      expect(parts).toEqual([1, 2, 3].slice(0, parts.length))
      const lines = text.slice(0, length).split('\n').length - 1
      expect(parts.length).toBe(Math.max(0, lines - 1))
    }
    await writeFile(file(), text.slice(0, -5))
    const journal = await openJournal(dir, 'k')
    await journal.begin(head)
    await journal.add({ part: 9, size: 1, crc32: 1 })
    await journal.close()
    expect([...(parseJournal(await readFile(file(), 'utf8'))?.parts.keys() ?? [])]).toEqual([1, 2, 9])
  })

  test('damage anywhere but in the last line makes it worthless', async () => {
    const text = await written()
    await writeFile(file(), text.replace('"part":2', '"part":"2"'))
    const journal = await openJournal(dir, 'k')
    expect(journal.left).toBeUndefined()
    await journal.begin({ ...head, uploadId: 'up-2' })
    await journal.close()
    expect(parseJournal(await readFile(file(), 'utf8'))).toMatchObject({ uploadId: 'up-2' })
    for (const bad of ['', 'x', '\n', '[]\n', 'null\n', '{"v":2}\n', `${text.split('\n')[1]}\n`, '\0\0\0\n']) {
      expect(parseJournal(bad)).toBeUndefined()
    }
  })

  test('lines of another state of the source are not gone on with', async () => {
    await written()
    const journal = await openJournal(dir, 'k')
    await journal.begin({ ...head, source: { ...source, mtimeNs: '17000000001' } })
    await journal.close()
    expect(parseJournal(await readFile(file(), 'utf8'))?.parts.size).toBe(0)
  })

  test('erased, or never begun, it leaves nothing behind', async () => {
    await written()
    const journal = await openJournal(dir, 'k')
    await journal.erase()
    await journal.close()
    await (await openJournal(dir, 'other')).close()
    expect(await readdir(dir)).toEqual([])
  })

  test('a symbolic link in its place is not followed', async () => {
    await writeFile(join(dir, '..', 'victim'), 'keep')
    await symlink(join(dir, '..', 'victim'), file())
    await expect(openJournal(dir, 'k')).rejects.toMatchObject({ kind: 'denied' })
    expect(await readFile(join(dir, '..', 'victim'), 'utf8')).toBe('keep')
  })

  test('it lies under XDG_STATE_HOME, and a relative one is ignored', () => {
    expect(stateDir({ XDG_STATE_HOME: '/state' })).toBe('/state/mlflow-doctor')
    expect(stateDir({ XDG_STATE_HOME: 'state' })).toMatch(/\.local\/state\/mlflow-doctor$/)
  })
})

describe('the lock', () => {
  test('keeps a second one out until it is released', async () => {
    const first = await takeLock(dir, 'k', 'cannot send x')
    await expect(takeLock(dir, 'k', 'cannot send x')).rejects.toMatchObject({ kind: 'conflict' })
    await (await takeLock(dir, 'other', 'cannot send y')).release()
    await first.release()
    await (await takeLock(dir, 'k', 'cannot send x')).release()
    expect(await readdir(dir)).toEqual([])
  })

  test('of a process that was killed does not hold, nor one whose process id was reused', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    await once(child, 'spawn')
    const claim = { started: 'another time', host: (await import('node:os')).hostname() }
    const name = nameOfProcess({ ...claim, pid: child.pid ?? 0 })
    await writeFile(join(dir, `k.${name}.aa.lock`), '')
    await (await takeLock(dir, 'k', 'cannot send x')).release()
    child.kill('SIGKILL')
    await once(child, 'exit')
    await writeFile(join(dir, `k.${name}.bb.lock`), '')
    await (await takeLock(dir, 'k', 'cannot send x')).release()
    expect(await readdir(dir)).toEqual([])
  })

  test('of another machine holds while it is fresh', async () => {
    const path = join(dir, `k.${nameOfProcess({ pid: 1, started: '1', host: 'elsewhere' })}.aa.lock`)
    await writeFile(path, '')
    await expect(takeLock(dir, 'k', 'cannot send x')).rejects.toThrow(/elsewhere/)
    const { utimes } = await import('node:fs/promises')
    await utimes(path, new Date(Date.now() - 3_600_000), new Date(Date.now() - 3_600_000))
    await (await takeLock(dir, 'k', 'cannot send x')).release()
  })

  test('is held by one of many contenders at a time', async () => {
    let holding = 0
    let most = 0
    const contend = async (): Promise<void> => {
      const lock = await takeLock(dir, 'k', 'cannot send x').catch(() => undefined)
      if (lock === undefined) return contend()
      holding += 1
      most = Math.max(most, holding)
      await new Promise((done) => setTimeout(done, 2))
      holding -= 1
      await lock.release()
    }
    await Promise.all(Array.from({ length: 6 }, contend))
    expect(most).toBe(1)
  })
})

test('a folder that can never be made is told, and nothing hangs', async () => {
  await expect(prepareJournalDir('/proc/nope/mlflow-doctor')).rejects.toMatchObject({ kind: 'denied' })
})
