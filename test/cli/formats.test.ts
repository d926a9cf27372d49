import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Report } from '../../src/report.ts'
import { formats } from '../../src/reporters/index.ts'
import { doctor } from '../doctor.ts'
import { expectValid } from '../schema.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-formats-'))
  const model = join(dir, 'model')
  await mkdir(model)
  await writeFile(join(model, 'MLmodel'), 'flavors: {}\nmodel_size_bytes: 5\n')
  await writeFile(join(model, 'weights.bin'), 'whole')
  const short = join(dir, 'short')
  await mkdir(short)
  await writeFile(join(short, 'MLmodel'), 'flavors: {}\nmodel_size_bytes: 5000\n')
  await writeFile(join(short, 'weights.bin'), 'whole')
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const situations = [
  ['all is well', 0, () => ['scan', join(dir, 'model')]],
  ['findings', 1, () => ['scan', join(dir, 'short')]],
  ['wrong usage', 2, () => ['check', '--sise', '1']],
  ['could not look', 3, () => ['check', '--size', '1GiB', '--tracking-uri', 'http://127.0.0.1:9']],
] as const

describe.each(situations)('%s', (_, code, args) => {
  test.each(formats)('ends with the same exit code as %s, and its text is made of the JSON', async (format) => {
    const kept = join(dir, `${code}-${format}.json`)
    const ran = await doctor([...args(), '--format', format, '--report', `json=${kept}`])
    expect(ran.code, ran.stderr).toBe(code)
    // A line that is not understood names no files either.
    if (code === 2) return
    const report = JSON.parse(await readFile(kept, 'utf8')) as Report
    expectValid(report)
    expect(report.exitCode).toBe(code)
    const again = await doctor(['render', kept, '--format', format])
    expect(again.code).toBe(0)
    expect(ran.stdout).toBe(again.stdout)
  })
})

test('one run writes as many formats as it is asked for', async () => {
  const all = formats.map((format) => [format, join(dir, `all.${format}`)] as const)
  const ran = await doctor([
    ...all.flatMap(([format, file]) => ['--report', `${format}=${file}`]),
    'scan',
    join(dir, 'short'),
  ])
  expect(ran.code, ran.stderr).toBe(1)
  const kept = join(dir, 'all.json')
  for (const [format, file] of all) {
    expect(await readFile(file, 'utf8'), format).toBe((await doctor(['render', kept, '--format', format])).stdout)
  }
})

test('on GitHub the annotations are short, and the job’s page has the rest', async () => {
  const page = join(dir, 'summary.md')
  await writeFile(page, 'before\n')
  const ran = await doctor(['scan', join(dir, 'short'), '--format', 'github'], { env: { GITHUB_STEP_SUMMARY: page } })
  expect(ran.code).toBe(1)
  expect(ran.stdout).toMatch(/^::error title=mlflow-doctor artifact\/size-mismatch::/)
  expect(await readFile(page, 'utf8')).toMatch(/^before\n### mlflow-doctor scan [\s\S]*5 of 5000 bytes are stored/)
})

test.each([
  [
    'a report that cannot be written',
    ['--report', 'html=/no/such/folder/x.html'],
    /cannot write the report to \/no\/such/,
  ],
  ['a format that is none', ['--report', 'pdf=x.pdf'], /--report pdf=x\.pdf/],
  ['a report without a file', ['--report', 'html'], /not of the form FORMAT=FILE/],
  ['a bundle that cannot be written', ['--bundle', '/no/such/folder/x.zip'], /cannot write the support bundle/],
])('%s ends with 2', async (_, args, says) => {
  const ran = await doctor(['scan', join(dir, 'model'), ...args])
  expect(ran.code).toBe(2)
  expect(ran.stderr + ran.stdout).toMatch(says)
})

test.each([
  ['no JSON', 'x', /Unexpected token/],
  ['something else', '{"a": 1}', /something else than a report/],
  ['null', 'null', /something else than a report/],
  [
    'another version',
    '{"tool":{"name":"mlflow-doctor"},"checks":[],"covered":{"gaps":[]},"schemaVersion":99}',
    /version 99/,
  ],
])('render refuses %s in one sentence', async (_, text, says) => {
  const file = join(dir, 'odd.json')
  await writeFile(file, text)
  const ran = await doctor(['render', file, '--format', 'html'])
  expect(ran.code).toBe(2)
  expect(ran.stdout + ran.stderr).toMatch(says)
})

test('what is planned in a pipe is not asked about, and says what to give', async () => {
  const ran = await doctor(['repair', join(dir, 'short'), '--from', join(dir, 'model')])
  expect(ran.code).toBe(1)
  expect(ran.stdout + ran.stderr).not.toMatch(/\[y\/N\]/)
})
