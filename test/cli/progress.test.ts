import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { doctor, reportOf } from '../doctor.ts'

const MiB = 1024 * 1024

let dir: string
let schema: object
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-progress-'))
  await mkdir(join(dir, 'from'))
  for (const name of ['a.bin', 'b.bin']) await writeFile(join(dir, 'from', name), Buffer.alloc(4 * MiB, name))
  schema = JSON.parse((await doctor(['schema', '--of', 'progress'])).stdout)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

/** Eight MiB at two a second. */
const upload = (to: string, ...args: string[]) =>
  doctor(['upload', join(dir, 'from'), join(dir, to), '--yes', '--bandwidth', '2MiB', '--json', ...args], {
    env: { XDG_STATE_HOME: join(dir, 'state') },
  })

test('JSON lines of progress are valid, grow, and end with all of it', async () => {
  const ran = await upload('json', '--progress', 'json')
  expect(ran.code, ran.stderr).toBe(0)
  const validate = new Ajv2020().compile(schema)
  const lines = ran.stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  for (const line of lines) expect(validate(line), JSON.stringify(validate.errors)).toBe(true)
  const moving = lines.filter(({ total }) => total !== undefined)
  expect(moving.length).toBeGreaterThan(2)
  const done = moving.map((line) => line.done)
  expect(done).toEqual(done.toSorted((a, b) => a - b))
  for (const line of moving) expect(line.total).toBe(8 * MiB)
  expect(done.at(-1)).toBe(8 * MiB)
  expect(moving.at(-1).files).toEqual({ done: 2, total: 2 })
})

test('plain lines come now and then, with amounts; quiet and none print nothing', async () => {
  const plain = await upload('plain', '--progress', 'plain', '--bandwidth', '1MiB')
  expect(plain.code).toBe(2)
  const [told, quiet, none] = await Promise.all([
    doctor(['upload', join(dir, 'from'), join(dir, 'p'), '--yes', '--bandwidth', '1MiB', '--json'], {
      env: { XDG_STATE_HOME: join(dir, 's1') },
    }),
    upload('quiet', '--quiet'),
    upload('none', '--progress', 'none'),
  ])
  expect(told.stderr).toMatch(/^[ab]\.bin: [\d.]+ MiB of 8 MiB, .*\/s.* left, \d of 2 files done$/m)
  expect(told.stderr.split('\n').length).toBeLessThan(10)
  for (const ran of [quiet, none]) {
    expect(reportOf(ran).exitCode).toBe(0)
    expect(ran.stderr).toBe('')
  }
})
