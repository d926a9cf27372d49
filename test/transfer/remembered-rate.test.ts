import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Host } from '../../src/commands/command.ts'
import { rememberedRate, rememberRate } from '../../src/transfer/remembered-rate.ts'

const MiB = 1024 ** 2
let dir: string
let host: Host
let file: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-rate-'))
  host = { env: { XDG_CACHE_HOME: dir }, home: '/nonexistent', cwd: dir, platform: 'linux', ask: undefined }
  file = join(dir, 'mlflow-doctor/rates.json')
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const store = { uri: 's3://bucket-of-ada/mlflow/0/models/m-1/artifacts', route: 'store-multipart' } as const

test('is that of the last transfer to the same experiment by the same route, and the file names no store', async () => {
  expect(await rememberedRate(host, store)).toBeUndefined()
  await rememberRate(host, store, { sent: 100 * MiB, ms: 2000 })
  expect(await rememberedRate(host, store)).toBe(50 * MiB)
  const sibling = { ...store, uri: 's3://bucket-of-ada/mlflow/0/models/m-2/artifacts' }
  expect(await rememberedRate(host, sibling)).toBe(50 * MiB)
  expect(await rememberedRate(host, { ...store, route: 'proxied-put' })).toBeUndefined()
  expect(await rememberedRate(host, { ...store, uri: 's3://other/x' })).toBeUndefined()
  expect(await readFile(file, 'utf8')).not.toContain('ada')
  expect((await stat(file)).mode & 0o077).toBe(0)
})

test('of a few bytes tells nothing, and of a hundred stores the oldest is forgotten', async () => {
  await rememberRate(host, store, { sent: 1000, ms: 1 })
  expect(await rememberedRate(host, store)).toBeUndefined()
  const all = Array.from({ length: 103 }, (_, n) => ({ ...store, uri: `s3://b${n}/x` }))
  for (const one of all) await rememberRate(host, one, { sent: 10 * MiB, ms: 1000 })
  expect(Object.keys(JSON.parse(await readFile(file, 'utf8'))).length).toBe(100)
  expect(await rememberedRate(host, all[0] ?? store)).toBeUndefined()
  expect(await rememberedRate(host, all[102] ?? store)).toBe(10 * MiB)
})

test.each(['', '{', '[]', '{"x": "fast"}', 'null'])('a file that holds %j is no obstacle', async (text) => {
  await mkdir(join(dir, 'mlflow-doctor'))
  await writeFile(file, text)
  expect(await rememberedRate(host, store)).toBeUndefined()
  await rememberRate(host, store, { sent: 10 * MiB, ms: 1000 })
  expect(await rememberedRate(host, store)).toBe(10 * MiB)
})

test('a home that cannot be written to is no obstacle either', async () => {
  await writeFile(join(dir, 'mlflow-doctor'), 'a file in its place')
  await chmod(join(dir, 'mlflow-doctor'), 0o400)
  await rememberRate(host, store, { sent: 10 * MiB, ms: 1000 })
  expect(await rememberedRate(host, store)).toBeUndefined()
})

test('a cache folder that can never be made ends at once', async () => {
  const nowhere = { ...host, env: { XDG_CACHE_HOME: '/proc/none' } }
  await rememberRate(nowhere, store, { sent: 10 * MiB, ms: 1000 })
  expect(await rememberedRate(nowhere, store)).toBeUndefined()
})
