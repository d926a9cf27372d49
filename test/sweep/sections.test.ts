import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { folderStore } from '../../src/stores/folder.ts'
import type { Store } from '../../src/stores/store.ts'
import { sectionsOf } from '../../src/sweep/sections.ts'
import { inSections } from './scan.ts'

let dir: string
let store: Store
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-sections-'))
  store = await folderStore(dir, 'for a test')
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const put = async (...paths: string[]) => {
  for (const path of paths) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), 'x')
  }
}
const many = (folder: string, n: number) => Array.from({ length: n }, (_, i) => `${folder}/${i}`)
const { signal } = new AbortController()
const cut = async (size: number, from: Pick<Store, 'list' | 'stat'> = store) => {
  const sections: string[][] = []
  for await (const { files } of sectionsOf(from, signal, size)) sections.push([...files.keys()].toSorted())
  return sections
}

test('every file is in one section, and none is much larger than asked for', async () => {
  await put(...many('a', 25), ...many('b/c', 25), 'top')
  const sections = await cut(10)
  expect(sections.flat().toSorted()).toEqual([...many('a', 25), ...many('b/c', 25), 'top'].toSorted())
  for (const { length } of sections.slice(0, -1)) {
    expect(length).toBeGreaterThanOrEqual(10)
    expect(length).toBeLessThanOrEqual(20)
  }
})

test('what lies below an MLmodel stays together, however much it is', async () => {
  await put(...many('a', 12), 'm/MLmodel', ...many('m/data/x', 30), ...many('m/data/y', 30), ...many('z', 12))
  const sections = await cut(5)
  const model = sections.filter((files) => files.some((path) => path.startsWith('m/')))
  expect(model).toHaveLength(1)
  expect(model[0]?.filter((path) => path.startsWith('m/'))).toHaveLength(61)
  expect(sections.length).toBeGreaterThan(4)
})

test('a manifest at the root keeps all of it together', async () => {
  await put('.mlflow-doctor/manifest.json', ...many('a', 25))
  expect(await cut(5)).toHaveLength(1)
})

test('a section ends between two folders rather than inside of one, where few folders are to be asked about', async () => {
  await put(...many('r1/artifacts/metrics', 12), ...many('r2/artifacts/metrics', 12), ...many('r3/artifacts/x', 12))
  const asked = new Set<string>()
  const stat: Store['stat'] = (path, how) => {
    asked.add(path)
    return store.stat(path, how)
  }
  expect((await cut(10, { list: (how) => store.list(how), stat })).map(({ length }) => length)).toEqual([12, 12, 12])
  expect([...asked].toSorted()).toEqual(['.mlflow-doctor/manifest.json', 'MLmodel'])
})

test('each folder is asked about once, not at each end of a section', async () => {
  await put(...many('a', 50))
  const asked: string[] = []
  const stat: Store['stat'] = (path, how) => {
    asked.push(path)
    return store.stat(path, how)
  }
  await cut(5, { list: (how) => store.list(how), stat })
  expect(asked.toSorted()).toEqual(
    ['.mlflow-doctor/manifest.json', 'MLmodel', 'a/.mlflow-doctor/manifest.json', 'a/MLmodel'].toSorted(),
  )
})

test('a huge address is told as one target, with all that is wrong in any section of it', async () => {
  await put(...many('plain', 60), 'm/MLmodel')
  await writeFile(join(dir, 'm/MLmodel'), 'flavors: {}\nmodel_size_bytes: 12\n')
  const { checks, covered, found } = await inSections(dir, 20, { depth: 'sizes' })
  expect(covered).toMatchObject({ targets: 1, objects: 61 })
  expect(found).toEqual([`artifact/size-mismatch at ${dir}/m: 0 of 12 bytes are stored, 12 B are missing`])
  const sizes = checks.filter(({ id }) => id === 'artifact/size-mismatch')
  expect(sizes).toMatchObject([{ target: dir, state: 'found', measured: { objects: 61 } }])
})

test('an index whose shards lie in another section lacks nothing', async () => {
  const shards = Array.from({ length: 30 }, (_, n) => `${n}.safetensors`)
  await put(...shards.map((name) => `f/${name}`))
  const names = Object.fromEntries(shards.map((name, n) => [`w${n}`, name]))
  await writeFile(join(dir, 'f/m.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: names }))
  const args = { depth: 'structure', only: ['artifact/missing-files'] }
  expect((await inSections(dir, 5, args)).found).toEqual([])
  await rm(join(dir, 'f/7.safetensors'))
  expect((await inSections(dir, 5, args)).found).toEqual([
    expect.stringMatching(/artifact\/missing-files at .*\/f\/7\.safetensors: /),
  ])
})
