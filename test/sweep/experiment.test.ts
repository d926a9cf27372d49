import { symlink } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { modelFile, type Place, place, scan } from './scan.ts'

let at: Place
beforeEach(async () => {
  at = await place()
})
afterEach(() => at.remove())

const id = (n: number): string => String(n).padStart(32, '0')

describe('a sweep over an experiment', () => {
  test('healthy runs and models, empty ones among them, are one entry for each check', async () => {
    for (let n = 0; n < 20; n += 1) {
      at.run(id(n))
      at.model(`m-${id(n)}`)
      await at.put({
        [`1/models/m-${id(n)}/artifacts/MLmodel`]: modelFile(3),
        [`1/models/m-${id(n)}/artifacts/artifacts/data.bin`]: 'abc',
      })
      if (n % 2 === 0) await at.put({ [`1/${id(n)}/artifacts/plots/a b.png`]: 'png' })
    }
    const { checks, covered, found } = await scan(at, { experiment: '1' })
    expect(found).toEqual([])
    expect(covered).toMatchObject({ targets: 40, objects: 50 })
    expect(checks.find(({ id }) => id === 'artifact/missing-files')).toMatchObject({ state: 'ok', targets: 40 })
    expect(checks.filter(({ target }) => target !== undefined)).toEqual([])
    expect(covered.gaps.length).toBeLessThan(5)
  })

  test('the one that is damaged is told by name, with the right file', async () => {
    for (const n of [1, 2, 3]) {
      at.model(`m-${id(n)}`)
      await at.put({ [`1/models/m-${id(n)}/artifacts/MLmodel`]: modelFile(3) })
      if (n !== 2) await at.put({ [`1/models/m-${id(n)}/artifacts/artifacts/data.bin`]: 'abc' })
    }
    const { found } = await scan(at, { experiment: '1' })
    expect(found).toEqual([
      expect.stringMatching(`artifact/missing-files at models:/m-${id(2)}/artifacts/data.bin: `),
      expect.stringMatching(`artifact/size-mismatch at models:/m-${id(2)}: 0 of 3 bytes`),
    ])
  })

  test('a model whose folder is a symbolic link is told as not looked at, and not as empty', async () => {
    at.model(`m-${id(1)}`)
    await at.put({ 'elsewhere/artifacts/MLmodel': modelFile(3), '1/models/x': '' })
    await symlink(`${at.root}/elsewhere`, `${at.root}/1/models/m-${id(1)}`)
    const { found, covered } = await scan(at, { experiment: '1' })
    expect(found).toEqual([])
    expect(covered.gaps).toContainEqual(
      expect.objectContaining({
        at: `models:/m-${id(1)}`,
        unexpected: true,
        because: expect.stringMatching('symbolic link'),
      }),
    )
  })

  test('a model of which nothing was ever stored lacks its MLmodel', async () => {
    at.model(`m-${id(1)}`)
    const { found } = await scan(at, { experiment: '1' })
    expect(found).toEqual([expect.stringMatching(`artifact/missing-files at models:/m-${id(1)}/MLmodel: `)])
  })

  test('artifacts that lie elsewhere, or inside those of another run, are looked at where they are', async () => {
    at.run(id(1))
    at.model(`m-${id(1)}`, { artifacts: `${at.root}/far/away` })
    at.model(`m-${id(2)}`, { artifacts: `${at.root}/1/${id(1)}/artifacts/model` })
    await at.put({
      'far/away/MLmodel': modelFile(3),
      'far/away/artifacts/data.bin': 'abc',
      [`1/${id(1)}/artifacts/model/MLmodel`]: modelFile(3),
      [`1/${id(1)}/artifacts/model/artifacts/data.bin`]: 'abc',
    })
    const { found, covered } = await scan(at, { experiment: '1' })
    expect(found).toEqual([])
    expect(covered).toMatchObject({ targets: 3, objects: 6 })
  })

  test('deleted runs and models are not judged', async () => {
    at.model(`m-${id(1)}`, { deleted: true })
    at.run(id(1), { deleted: true })
    const { found, covered } = await scan(at, { experiment: '1' })
    expect(found).toEqual([])
    expect(covered.targets).toBe(0)
  })

  test('a run that the database holds half is told, and the others are looked at', async () => {
    at.run(id(1), { artifacts: '' })
    at.run(id(2))
    const { covered } = await scan(at, { experiment: '1' })
    expect(covered.targets).toBe(1)
    expect(covered.gaps).toContainEqual(expect.objectContaining({ at: 'experiments:/1', unexpected: true }))
  })

  test('a store that cannot be opened is a gap that makes the health unknown, and the next experiment is looked at', async () => {
    at.experiment('2', 'gs://bucket/2')
    at.run(id(1), { experiment: '2', artifacts: `gs://bucket/2/${id(1)}/artifacts` })
    at.experiment('3')
    at.run(id(3), { experiment: '3' })
    const { covered } = await scan(at, { all: true })
    expect(covered.targets).toBe(1)
    expect(covered.gaps).toContainEqual(
      expect.objectContaining({
        at: 'experiments:/2',
        unexpected: true,
        because: expect.stringMatching(/1 run or model/),
      }),
    )
  })

  test('an interruption keeps what was found', async () => {
    for (const n of [1, 2, 3]) at.model(`m-${id(n)}`)
    const stop = new AbortController()
    const progress = (says: string | undefined) => {
      if (/2 of 3 runs and models/.test(says ?? '')) stop.abort()
    }
    const { found } = await scan(at, { experiment: '1' }, { signal: stop.signal, progress })
    expect(found).toHaveLength(2)
  })
})

describe('unfinished uploads of a sweep', () => {
  const staged = '.artifact.uploading.k2v9'
  test('are told of their owner, and nobody’s of the experiment', async () => {
    at.run(id(1))
    at.run(id(2), { deleted: true })
    at.experiment('2', `${at.root}/1/inner`)
    await at.put({
      [`1/${id(1)}/artifacts/${staged}`]: 'x',
      [`1/${id(2)}/artifacts/${staged}`]: 'x',
      [`1/inner/${id(3)}/artifacts/${staged}`]: 'x',
    })
    const { covered } = await scan(at, { experiment: '1' })
    expect(covered.active.map(({ at: where }) => where)).toEqual([
      `runs:/${id(1)}/${staged}`,
      `experiments:/1/${id(2)}/artifacts/${staged}`,
    ])
  })
})

describe('stray objects', () => {
  const stray = async () =>
    (await scan(at, { experiment: '1', stray: true })).found.filter((line) => line.startsWith('artifact/stray-objects'))

  test('are told by top folder; what a run, a deleted one, another experiment or a trace owns is not', async () => {
    at.run(id(1))
    at.run(id(2), { deleted: true })
    at.model(`m-${id(1)}`)
    at.model(`m-${id(2)}`, { deleted: true })
    at.experiment('2', `${at.root}/1/inner`)
    at.experiment('3', `${at.root}/1`)
    at.run(id(3), { experiment: '3', artifacts: `${at.root}/1/${id(3)}/artifacts` })
    await at.put({
      [`1/${id(1)}/artifacts/a`]: 'x',
      [`1/${id(1)}/beside`]: 'x',
      [`1/${id(2)}/artifacts/a`]: 'x',
      [`1/${id(3)}/artifacts/a`]: 'x',
      [`1/models/m-${id(1)}/artifacts/MLmodel`]: modelFile(0),
      [`1/models/m-${id(2)}/artifacts/a`]: 'x',
      [`1/inner/${id(4)}/artifacts/a`]: 'x',
      '1/traces/tr-1/artifacts/traces.json': '{}',
      [`1/${id(9)}/artifacts/a`]: 'xy',
      [`1/${id(9)}/artifacts/b`]: 'xyz',
      [`1/models/m-${id(9)}/artifacts/a`]: 'x',
      '1/notes.txt': 'hello',
    })
    expect((await stray()).toSorted()).toEqual([
      expect.stringMatching(
        `experiments:/1/${id(9)}: 2 objects of 5 B belong to no run or model, such as ${id(9)}/artifacts/`,
      ),
      expect.stringMatching(`experiments:/1/models/m-${id(9)}: 1 object of 1 B belongs`),
      'artifact/stray-objects at experiments:/1: 1 object of 5 B belongs to no run or model, such as notes.txt',
    ])
  })

  test('without --stray nobody asks', async () => {
    await at.put({ '1/notes.txt': 'hello' })
    expect((await scan(at, { experiment: '1' })).found).toEqual([])
  })
})
