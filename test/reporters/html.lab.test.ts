import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import axe, { type AxeResults } from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Report } from '../../src/report.ts'
import { html } from '../../src/reporters/html.ts'
import { systemProgram } from '../lab/apt.ts'

/** The page of each kept report, in Debian's Chromium. `SCREENSHOTS=DIR` keeps the pictures for somebody to look at. */
const names = ['well', 'findings', 'unknown', 'damaged', 'repaired'] as const

let browser: Browser
let dir: string
beforeAll(async () => {
  const executablePath = await systemProgram('chromium', 'chromium')
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
  dir = await mkdtemp(join(tmpdir(), 'md-html-'))
})
afterAll(async () => {
  await browser?.close()
  await rm(dir, { recursive: true, force: true })
})

const reportOf = async (name: string): Promise<Report> =>
  JSON.parse(await readFile(join(import.meta.dirname, '../../fixtures/reports', name, 'report.json'), 'utf8'))

interface Opened {
  readonly page: Page
  /** Addresses that the page asked for, beside itself. */
  readonly asked: readonly string[]
}

const open = async (
  name: string,
  of: { width: number; dark: boolean },
  change = (report: Report) => report,
): Promise<Opened> => {
  const file = join(dir, `${name}-${of.width}-${of.dark}.html`)
  await writeFile(file, html(change(await reportOf(name))))
  const context = await browser.newContext({
    viewport: { width: of.width, height: 900 },
    colorScheme: of.dark ? 'dark' : 'light',
    // The page forbids every script, that of the accessibility check too.
    bypassCSP: true,
  })
  const page = await context.newPage()
  const asked: string[] = []
  page.on('request', (request) => asked.push(request.url()))
  const { href } = pathToFileURL(file)
  await page.goto(href)
  return { page, asked: asked.filter((url) => url !== href) }
}

/** Scripts are text here: the names of a browser are none of Node's. */
const widthOf = (page: Page) => page.evaluate<number>('document.documentElement.scrollWidth')
const violationsOf = async (page: Page): Promise<AxeResults['violations']> =>
  (await page.evaluate<AxeResults>(`${axe.source}; axe.run(document, { resultTypes: ['violations'] })`)).violations

const cases = names.flatMap((name) =>
  [400, 1600].flatMap((width) => [false, true].map((dark) => [name, width, dark] as const)),
)

describe.each(cases)('%s at %i pixels, dark: %s', (name, width, dark) => {
  test('is accessible, overflows nowhere, and asks for nothing', async () => {
    const { page, asked } = await open(name, { width, dark })
    expect(asked).toEqual([])
    expect(await widthOf(page)).toBeLessThanOrEqual(width)
    // All that is folded away is looked at, too.
    await page.evaluate(`for (const each of document.querySelectorAll('details')) each.open = true`)
    expect(await widthOf(page)).toBeLessThanOrEqual(width)
    const told = (await violationsOf(page)).map(({ id, nodes }) => [
      id,
      ...nodes.map((node) => node.html.slice(0, 200)),
    ])
    expect(told).toEqual([])
    const { SCREENSHOTS: kept } = process.env
    if (kept)
      await page.screenshot({ path: join(kept, `${name}-${width}-${dark ? 'dark' : 'light'}.png`), fullPage: true })
    await page.context().close()
  })
})

test('axe would find a fault: an image without words', async () => {
  const { page } = await open('well', { width: 400, dark: false })
  await page.evaluate(`for (const each of document.querySelectorAll('[role=img]')) each.removeAttribute('aria-label')`)
  expect((await violationsOf(page)).map(({ id }) => id)).toContain('role-img-alt')
  await page.context().close()
})

test('works from the keyboard: the skip link first, every section, every fold, every box that scrolls', async () => {
  const { page } = await open('damaged', { width: 400, dark: false })
  const focused = () =>
    page.evaluate<string>(`(() => {
      const at = document.activeElement
      return at.tagName.toLowerCase() + ' ' + (at.getAttribute('href') ?? at.getAttribute('aria-label') ?? at.textContent)
    })()`)
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('a #main')
  const seen: string[] = []
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press('Tab')
    const now = await focused()
    if (now.startsWith('body')) break
    seen.push(now)
  }
  const sections = await page.evaluate<string[]>(
    `[...document.querySelectorAll('main section')].map(({ id }) => 'a #' + id)`,
  )
  for (const section of sections) expect(seen).toContain(section)
  expect(seen.filter((each) => each.startsWith('summary')).length).toBe(await page.locator('summary').count())
  // A fold opens by a key.
  await page.locator('summary').first().focus()
  await page.keyboard.press('Enter')
  expect(await page.locator('details').first().getAttribute('open')).not.toBeNull()
  await page.context().close()
})

test('names that are markup stay text', async () => {
  const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
  const { page, asked } = await open('damaged', { width: 1600, dark: false }, (report) => ({
    ...report,
    target: evil,
    checks: report.checks.map((check) => ({
      ...check,
      title: evil,
      target: evil,
      reason: evil,
      findings: check.findings.map((finding) => ({
        ...finding,
        at: evil,
        says: evil,
        remedy: { ...finding.remedy, commands: [evil] },
      })),
    })),
    files: {
      rows: [{ target: evil, path: evil, state: 'cut', bytes: 1, expected: 3 }],
      more: { whole: 1, missing: 0, cut: 0, unproved: 0 },
    },
  }))
  expect(asked).toEqual([])
  expect(await page.locator('img, script').count()).toBe(0)
  expect(await page.title()).toContain('<img')
  await page.context().close()
})

test('a report of many files and steps is drawn whole', async () => {
  const { page } = await open('repaired', { width: 400, dark: false }, (report) => ({
    ...report,
    files: {
      rows: Array.from(
        { length: 1500 },
        (_, n) =>
          ({
            target: 't',
            path: `a/very/long/folder/name/with/many/parts/part-${n}.bin`,
            state: n % 7 === 0 ? 'cut' : 'whole',
            bytes: n * 1000,
            expected: n * 1100,
          }) as const,
      ),
      more: { whole: 9000, missing: 0, cut: 0, unproved: 0 },
    },
  }))
  expect(await page.locator('.tile').count()).toBe(1500)
  expect(await widthOf(page)).toBeLessThanOrEqual(400)
  await page.context().close()
})
