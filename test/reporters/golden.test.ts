import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Ajv } from 'ajv'
import AjvDraft04 from 'ajv-draft-04'
import addFormats from 'ajv-formats'
import fc from 'fast-check'
import { XmlDocument, XsdValidator } from 'libxml2-wasm'
import { describe, expect, test } from 'vitest'
import type { Report } from '../../src/report.ts'
import { exitCode } from '../../src/report.ts'
import { type Format, formats, render } from '../../src/reporters/index.ts'
import type { RenderOptions } from '../../src/reporters/render.ts'
import { expectValid } from '../schema.ts'

/** Made by real runs; hosts, folders and times were replaced. */
const names = ['well', 'findings', 'unknown', 'damaged', 'repaired'] as const
const fixtures = join(import.meta.dirname, '../../fixtures')
const fileOf = (name: string, file: string) => join(fixtures, 'reports', name, file)
const reportOf = (name: string): Report => JSON.parse(readFileSync(fileOf(name, 'report.json'), 'utf8'))

const plain: RenderOptions = { color: false, verbose: false, unicode: true }
const files: Readonly<Record<Exclude<Format, 'json'>, string>> = {
  pretty: 'pretty.txt',
  short: 'short.txt',
  html: 'report.html',
  markdown: 'report.md',
  github: 'github.txt',
  junit: 'junit.xml',
  sarif: 'report.sarif',
}

describe.each(names)('the report "%s"', (name) => {
  const report = reportOf(name)

  test('is valid by the published schema, and its exit code is the one that it comes to', () => {
    expectValid(report)
    expect(exitCode(report)).toBe(report.exitCode)
  })

  test.each(Object.entries(files))('as %s', async (format, file) => {
    await expect(await render(format as Format, report, plain)).toMatchFileSnapshot(fileOf(name, file))
  })

  test.each([
    ['80 columns', 'pretty-80.txt', { ...plain, width: 80 }],
    ['40 columns', 'pretty-40.txt', { ...plain, width: 40 }],
    ['colours', 'pretty-colour.txt', { ...plain, color: true }],
    ['ASCII alone', 'pretty-ascii.txt', { ...plain, unicode: false }],
    ['everything', 'pretty-verbose.txt', { ...plain, verbose: true }],
  ])('as pretty with %s', async (_, file, options) => {
    await expect(await render('pretty', report, options)).toMatchFileSnapshot(fileOf(name, file))
  })

  test('fits into its columns, but for what is to be pasted and names without a space', async () => {
    const text = await render('pretty', report, { ...plain, width: 80 })
    const commands = report.checks.flatMap(({ findings }) => findings.flatMap(({ remedy }) => remedy.commands ?? []))
    for (const line of text.split('\n')) {
      const pasted = commands.some((command) => line.includes(command.slice(0, 40)))
      if (line.length > 80 && !pasted) expect(line.trim()).toMatch(/\S{60}/)
    }
  })

  test('needs no sign beyond ASCII', async () => {
    const text = await render('pretty', report, { ...plain, unicode: false })
    expect(text).toMatch(/^[\x20-\x7e\n]*$/)
  })

  test('survives JSON: every format is made of the document alone', async () => {
    const again = JSON.parse(await render('json', report, plain)) as Report
    expect(again).toEqual(report)
    for (const format of formats) expect(await render(format, again, plain)).toBe(await render(format, report, plain))
  })

  test('tells its exit code in every format', async () => {
    const of = async (format: Format) => render(format, report, plain)
    const { exitCode: code } = report
    expect(JSON.parse(await of('sarif')).runs[0].invocations[0].exitCode).toBe(code)
    expect(await of('junit')).toContain(`name="exitCode" value="${code}"`)
    for (const format of ['pretty', 'short', 'github', 'html', 'markdown'] as const) {
      expect(await of(format)).toContain(`exit code ${code}`)
    }
  })
})

const schemaText = (file: string) => readFileSync(join(fixtures, 'schemas', file), 'utf8')
const xsd = XsdValidator.fromDoc(XmlDocument.fromString(schemaText('junit.xsd')))
const sarifSchema = (() => {
  const ajv = new (AjvDraft04 as unknown as typeof Ajv)({ strict: false, allErrors: true })
  ;(addFormats as unknown as (ajv: Ajv) => void)(ajv)
  return ajv.compile(JSON.parse(schemaText('sarif-2.1.0.json')))
})()

const expectJunit = (xml: string) => {
  const doc = XmlDocument.fromString(xml)
  try {
    xsd.validate(doc)
    return {
      failures: doc.find('//failure').length,
      errors: doc.find('//error').length,
      declared: doc.find('//testsuite').map((suite) => ({
        tests: suite.get('@tests')?.content,
        cases: String(suite.find('testcase').length),
      })),
    }
  } finally {
    doc.dispose()
  }
}
const expectSarif = (text: string) => {
  sarifSchema(JSON.parse(text))
  expect(sarifSchema.errors ?? []).toEqual([])
}

describe('what others have published', () => {
  test('the schemas refuse what is wrong', () => {
    expect(() => expectJunit('<testsuites><testsuite/></testsuites>')).toThrow()
    expect(sarifSchema({ version: '2.1.0', runs: [{ tool: {} }] })).toBe(false)
  })

  test.each(names)('JUnit and SARIF of "%s" are valid', async (name) => {
    const report = reportOf(name)
    const { failures, errors, declared } = expectJunit(await render('junit', report, plain))
    for (const { tests, cases } of declared) expect(tests).toBe(cases)
    expect(failures + errors > 0).toBe(report.exitCode !== 0)
    if (report.exitCode === 3) expect(errors).toBeGreaterThan(0)
    expectSarif(await render('sarif', report, plain))
  })

  /** Whatever a name, a message or a figure holds. */
  const words = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      'a\u0000b',
      ']]>',
      '<!--',
      '\ud800',
      '::error::x',
      '</script>',
      ' ',
      's3://b/%zz?x#y',
      '\uffff',
      '```',
    ),
  )
  test('JUnit and SARIF stay valid whatever stands in a report', async () => {
    const report = reportOf('damaged')
    await fc.assert(
      fc.asyncProperty(words, words, words, async (at, says, path) => {
        const hostile: Report = {
          ...report,
          target: at,
          checks: report.checks.map((check) => ({
            ...check,
            target: path,
            reason: says,
            findings: check.findings.map((finding) => ({
              ...finding,
              at,
              says,
              remedy: { ...finding.remedy, text: says },
            })),
          })),
          forecast: [{ path, bytes: 1, verdict: 'fails', because: says }],
        }
        expectJunit(await render('junit', hostile, plain))
        expectSarif(await render('sarif', hostile, plain))
        // No line that a CI system obeys, but for the annotations themselves.
        for (const format of ['pretty', 'short', 'markdown', 'junit', 'sarif', 'json'] as const) {
          expect(await render(format, hostile, plain)).not.toMatch(/^\s*(::|##\[)/m)
        }
        const annotations = (await render('github', hostile, plain)).trimEnd().split('\n')
        for (const line of annotations)
          expect(line).toMatch(/^(::(error|warning|notice) title=[^:,]*::[^\n]*|mlflow-doctor: .*|and .*)$/)
        expect(await render('html', hostile, plain)).not.toMatch(/<script|<img|onerror=["']/i)
      }),
      { numRuns: 60 },
    )
  })

  test.each(['error', 'warning', 'info'] as const)(
    'JUnit fails exactly where the exit code is not 0, at --fail-on %s',
    async (failOn) => {
      for (const name of names) {
        const report = reportOf(name)
        const weighed = { ...report, failOn, exitCode: exitCode({ ...report, failOn }) }
        const { failures, errors } = expectJunit(await render('junit', weighed, plain))
        expect(failures + errors > 0, `${name} at ${failOn}`).toBe(weighed.exitCode !== 0)
      }
    },
  )

  test('an interrupted run fails in JUnit and SARIF', async () => {
    const report = { ...reportOf('well'), interrupted: true, exitCode: 130 as const }
    expect(expectJunit(await render('junit', report, plain)).errors).toBe(1)
    expect(JSON.parse(await render('sarif', report, plain)).runs[0].invocations[0].executionSuccessful).toBe(false)
  })
})
