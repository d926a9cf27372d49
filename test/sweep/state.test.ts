import { execFileSync } from 'node:child_process'
import { chmod, lstat, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openState, type ScanState } from '../../src/sweep/state.ts'
import { modelFile, type Place, place, type Scanned, scan } from './scan.ts'

let at: Place
let file: string
beforeEach(async () => {
  at = await place()
  file = join(at.dir, 'scan.json')
})
afterEach(() => at.remove())

const id = (n: number): string => String(n).padStart(32, '0')
const results = { checks: [], gaps: [], active: [], targets: 3, objects: 5, bytes: 7 }
const open = (asked = { all: true }, since?: string, last: (at: number | undefined) => number | undefined = () => 1) =>
  openState(file, asked, since, (text) => text, last)

describe('the file of a state', () => {
  test('a scan that was killed goes on with what it had written, and with the same --since', async () => {
    const first: ScanState = await open({ all: true }, '7d', () => 1234)
    await first.partDone('runs:/1', () => results)
    await first.flush(results)
    const again = await open({ all: true }, '7d', () => 9999)
    expect(again).toMatchObject({ results, since: 1234 })
    expect([again.has('runs:/1'), again.has('runs:/2')]).toEqual([true, false])
  })

  test('what is done as a whole stands for its parts', async () => {
    const first = await open()
    await first.partDone('runs:/1', () => results)
    await first.wholeDone('experiments:/1', () => results)
    await first.flush(results)
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ done: ['experiments:/1'], parts: [] })
  })

  test('a finished one begins anew, and tells when the last one began', async () => {
    const began = Date.now()
    await (await open()).finish(true)
    const written = JSON.parse(await readFile(file, 'utf8'))
    expect(Date.parse(written.finishedAt)).toBeGreaterThanOrEqual(began)
    let last: number | undefined
    const again = await open({ all: true }, 'last', (time) => {
      last = time
      return time
    })
    expect(again.results).toBeUndefined()
    expect(last).toBe(Date.parse(written.startedAt))
    // Also when this one is killed and taken up again.
    expect((await open({ all: true }, 'last')).since).toBe(last)
  })

  test('is for its user alone, and never written by halves', async () => {
    await (await open()).flush(results)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  test.each([
    ['of another scan', JSON.stringify({ v: 1, asked: 'x', startedAt: '2026-01-01' }), /belongs to a scan with other/],
    ['that is no state', '{"a": 1}', /something else/],
    ['that is no JSON', 'hello', /something else/],
  ])('a file %s is refused in one sentence', async (_, text, why) => {
    await writeFile(file, text)
    await expect(open()).rejects.toMatchObject({ kind: 'usage', why })
    expect(await readFile(file, 'utf8')).toBe(text)
  })

  test.each([
    ['says that something is done, and holds no results', { done: ['runs:/1'] }],
    ['holds results of another shape', { done: ['runs:/1'], results: { checks: 1 } }],
  ])('a file that %s is refused: it would pass for a scan without findings', async (_, more) => {
    await open()
    await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...more }))
    await expect(open()).rejects.toMatchObject({ kind: 'usage', why: expect.stringContaining('something else') })
  })

  test('a link, a pipe and what others may write to are refused, and stay as they are', async () => {
    await open()
    await symlink('scan.json', join(at.dir, 'link'))
    execFileSync('/usr/bin/mkfifo', [join(at.dir, 'pipe')])
    const refused = (name: string) =>
      openState(
        join(at.dir, name),
        { all: true },
        undefined,
        (text) => text,
        () => 1,
      )
    await expect(refused('link')).rejects.toMatchObject({ kind: 'usage', why: expect.stringContaining('link') })
    await expect(refused('pipe')).rejects.toMatchObject({ kind: 'usage', why: 'it is no file' })
    await chmod(file, 0o622)
    await expect(open()).rejects.toMatchObject({ kind: 'usage', why: 'other users may write to it' })
    expect((await lstat(join(at.dir, 'link'))).isSymbolicLink()).toBe(true)
  })

  test('a scan that could not look at everything is none from which the next one leaves out what did not change', async () => {
    const whole = JSON.parse(await (await open()).finish(true).then(() => readFile(file, 'utf8')))
    await (await open()).finish(false)
    let last: number | undefined
    await open({ all: true }, 'last', (time) => {
      last = time
      return time
    })
    expect(last).toBe(Date.parse(whole.startedAt))
  })

  test('a folder that is not there is told before the scan begins', async () => {
    const opening = openState(
      join(at.dir, 'none', 'x'),
      {},
      undefined,
      (text) => text,
      () => undefined,
    )
    await expect(opening).rejects.toMatchObject({ kind: 'usage' })
  })
})

describe('a scan with --state', () => {
  const told = ({ checks, covered }: Scanned) => ({ checks: checks.map(({ ms, ...check }) => check), covered })

  test('that is interrupted anywhere ends with the report of one that was not', async () => {
    for (const n of [1, 2, 3, 4]) {
      at.model(`m-${id(n)}`)
      at.run(id(n))
      await at.put({ [`1/models/m-${id(n)}/artifacts/MLmodel`]: modelFile(n), [`1/${id(n)}/artifacts/a`]: 'x' })
      if (n === 2) await at.put({ [`1/models/m-${id(n)}/artifacts/artifacts/data.bin`]: 'ab' })
    }
    at.experiment('2')
    at.model(`m-${id(9)}`, { experiment: '2' })
    const whole = told(await scan(at, { all: true }))
    expect(whole.covered).toMatchObject({ targets: 9, objects: 9 })
    let runs = 0
    for (let last: Scanned | undefined; last === undefined; runs += 1) {
      const stop = new AbortController()
      let looks = 0
      const progress = (says: string | undefined) => {
        if (/^experiment .*artifact\/missing-files/.test(says ?? '') && ++looks > 2) stop.abort()
      }
      const ran = await scan(at, { all: true, state: file }, { signal: stop.signal, progress })
      if (!stop.signal.aborted) last = ran
      if (last) expect(told(last)).toEqual(whole)
    }
    expect(runs).toBeGreaterThan(2)
  })

  test('is refused for other options', async () => {
    await scan(at, { all: true, state: file })
    await expect(scan(at, { all: true, state: file, depth: 'full' })).rejects.toMatchObject({ kind: 'usage' })
  })
})

describe('--since', () => {
  const hours = (n: number) => Date.now() - n * 3_600_000
  const left = ({ covered }: Scanned) => covered.gaps.filter(({ because }) => because.startsWith('--since'))

  test('leaves out runs that ended before, whose objects are old too, and says so', async () => {
    at.run(id(1), { changed: hours(100) })
    at.run(id(2), { changed: hours(100) })
    at.run(id(3), { changed: hours(1) })
    at.run(id(4), { changed: hours(100) })
    await at.put({ [`1/${id(4)}/artifacts/new`]: 'written just now' })
    const ran = await scan(at, { all: true, since: '1d' })
    expect(ran.covered.targets).toBe(2)
    expect(left(ran)).toMatchObject([{ at: 'experiments:/1', more: 1, unexpected: false }])
  })

  test('what may have become abandoned by time alone is looked at', async () => {
    for (const n of [1, 2, 3, 4]) at.run(id(n), { changed: hours(100) })
    at.model(`m-${id(1)}`)
    at.model(`m-${id(2)}`)
    const db = new DatabaseSync(at.db)
    db.exec(`UPDATE runs SET end_time = NULL, status = 'RUNNING' WHERE run_uuid = '${id(1)}'`)
    db.exec(`UPDATE logged_models SET creation_timestamp_ms = 1, last_updated_timestamp_ms = 1`)
    db.exec(`UPDATE logged_models SET status = 1 WHERE model_id = 'm-${id(1)}'`)
    db.close()
    await at.put({ [`1/${id(2)}/artifacts/.artifact.uploading.k2v9`]: 'x' })
    const ran = await scan(at, { all: true, since: '1d' })
    expect(ran.covered).toMatchObject({ targets: 3, active: [{ at: `runs:/${id(2)}/.artifact.uploading.k2v9` }] })
    expect(left(ran)).toMatchObject([{ more: 2 }])
  })

  test('last: all at first, then only what came since that scan began', async () => {
    const args = { all: true, state: file, since: 'last' }
    at.run(id(1), { changed: hours(100) })
    expect((await scan(at, args)).covered.targets).toBe(1)
    at.run(id(2), { changed: Date.now() })
    const second = await scan(at, args)
    expect(second.covered.targets).toBe(1)
    expect(left(second)).toHaveLength(1)
  })

  test.each([
    [{ targets: [id(1)], since: '7d' }, /named is looked at/],
    [{ all: true, since: 'last' }, /nothing tells when/],
    [{ all: true, since: 'yesterday' }, /not understood/],
    [{ targets: ['/tmp'], stray: true }, /whole experiments/],
    [{ all: true, state: 'x', against: '/tmp' }, /one look/],
  ])('%j is refused', async (args, why) => {
    await expect(scan(at, args)).rejects.toMatchObject({ kind: 'usage', why })
  })
})
