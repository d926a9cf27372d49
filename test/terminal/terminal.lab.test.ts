import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { openTerminal, type TerminalOptions } from './tmux.ts'

/** What a person sees, in a real terminal, kept in `fixtures/terminal`; `npx vitest -u` writes it anew. */
const kept = (name: string) => join(import.meta.dirname, '../../fixtures/terminal', `${name}.txt`)
const MiB = 1024 * 1024

let dir: string
beforeEach(async () => {
  // Always the same name, since lines are cut by its length and a terminal breaks it where it likes.
  dir = '/tmp/mdterm'
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir)
  for (const name of ['whole', 'short']) await mkdir(join(dir, name))
  await writeFile(join(dir, 'whole/MLmodel'), 'flavors: {}\nmodel_size_bytes: 3000000\n')
  await writeFile(join(dir, 'short/MLmodel'), 'flavors: {}\nmodel_size_bytes: 3000000\n')
  await writeFile(join(dir, 'whole/weights.bin'), Buffer.alloc(3_000_000, 'weights'))
  await writeFile(join(dir, 'short/weights.bin'), Buffer.alloc(1_000_000, 'weights'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const open = async (args: readonly string[], options: Partial<TerminalOptions> = {}) => {
  const env = { XDG_STATE_HOME: join(dir, 'state'), ...options.env }
  const terminal = await openTerminal(args, { columns: 80, rows: 50, cwd: dir, ...options, env })
  onTestFinished(terminal.close)
  return terminal
}

/** What changes from run to run gives way: times and rates. */
const steady = (text: string): string =>
  text
    .replace(/last touched [\d.]+ m?s/g, 'last touched 0 s')
    .replace(/\d[\d.]* [KMG]?i?B\/s/g, '0 MiB/s')
    .replace(/about [\d.]+ m?s\b/g, 'about 0 s')

describe('a scan with findings', () => {
  const scan = ['scan', './short', '--against', './whole']

  test.each([
    ['at 80 columns', 'scan-80', { columns: 80, rows: 50 }, []],
    ['at 120 columns', 'scan-120', { columns: 120, rows: 50 }, []],
    ['at 40 columns', 'scan-40', { columns: 40, rows: 70 }, []],
    ['without signs beyond ASCII', 'scan-ascii', { columns: 80, rows: 50 }, ['--no-unicode']],
    ['without colour', 'scan-no-colour', { columns: 80, rows: 50, env: { NO_COLOR: '1' } }, []],
  ])('%s', async (_, name, options, more) => {
    const terminal = await open([...scan, ...more], options)
    await terminal.until(/\[y\/N\]/)
    const screen = steady(await terminal.screen('styled'))
    await expect(screen).toMatchFileSnapshot(kept(name))
    if (name === 'scan-no-colour') expect(screen).not.toMatch(/\u001b\[3\d/)
    else expect(screen).toContain('\u001b[')
    if (name === 'scan-ascii') expect(screen.replace(/\u001b\[[\d;]*m/g, '')).toMatch(/^[\x20-\x7e\n]*$/)
  })

  test.each([
    ['Enter, which is no', ['Enter'], 1],
    ['n', ['n', 'Enter'], 1],
    ['Ctrl-D', ['C-d'], 1],
    ['Ctrl-C', ['C-c'], 130],
  ])('offers a repair, and takes %s for an answer', async (_, keys, code) => {
    const terminal = await open(scan)
    await terminal.until(/Show the plan of a repair\?[\s\S]*\[y\/N\]/)
    await terminal.type(...keys)
    const text = await terminal.until(/code=\d+/)
    if (code === 1) expect(text).toContain('code=1')
    else expect(text).toMatch(/code=(1|130)/)
    expect((await readFile(join(dir, 'short/weights.bin'))).length).toBe(1_000_000)
  })

  test('shows the plan, effect by effect, and carries it out when it is agreed to', async () => {
    const terminal = await open(scan, { columns: 100, rows: 60 })
    await terminal.until(/\[y\/N\]/)
    await terminal.type('y', 'Enter')
    const plan = await terminal.until(/Carry out \d steps?[\s\S]*\[y\/N\]/)
    await expect(steady(plan)).toMatchFileSnapshot(kept('plan'))
    await terminal.type('y', 'Enter')
    expect(await terminal.until(/code=\d/)).toContain('code=0')
    expect(await readFile(join(dir, 'short/weights.bin'))).toEqual(await readFile(join(dir, 'whole/weights.bin')))
  })

  test('shows the plan, and does nothing when it is not agreed to', async () => {
    const terminal = await open(scan)
    await terminal.until(/\[y\/N\]/)
    await terminal.type('y', 'Enter')
    await terminal.until(/Carry out[\s\S]*\[y\/N\]/)
    await terminal.type('n', 'Enter')
    expect(await terminal.until(/code=\d/)).toMatch(/Nothing was done[\s\S]*code=1/)
    expect((await readFile(join(dir, 'short/weights.bin'))).length).toBe(1_000_000)
  })
})

describe('an upload that takes a while', () => {
  const upload = ['upload', './large', './store', '--yes', '--bandwidth', '2MiB']
  beforeEach(async () => {
    await mkdir(join(dir, 'large'))
    await writeFile(join(dir, 'large/weights.bin'), Buffer.alloc(24 * MiB, 'large'))
  })
  /** The one line of progress. */
  const progressIn = (screen: string) => screen.split('\n').filter((line) => /\d+% /.test(line))

  test('draws one bar, fits a window that is made smaller, and leaves no rest of longer lines', async () => {
    const terminal = await open(upload, { columns: 100, rows: 20 })
    await terminal.until(/█░* \d+% /)
    const masked = (line: string) =>
      line
        .replace(/^\S /, '* ')
        .replace(/[█░]+/, 'BAR')
        .replace(/\d[\d.]*/g, '0')
        .replace(/[KM]i?B/g, 'MiB')
        .replace(/0 (min 0 )?s/, '0 s')
    const [wide = '', ...others] = progressIn(await terminal.screen())
    expect(others).toEqual([])
    await expect(masked(wide)).toMatchFileSnapshot(kept('progress-100'))
    for (const columns of [60, 30, 90]) {
      await terminal.resize(columns, 20)
      await terminal.until(/\d+% /)
      await new Promise((resolve) => setTimeout(resolve, 1500))
      const screen = await terminal.screen()
      expect(progressIn(screen).length, screen).toBe(1)
      expect(screen.split('\n').filter((line) => line !== '').length, screen).toBe(1)
    }
    await terminal.type('C-c')
    await terminal.until(/code=/)
  })

  test('Ctrl-C ends it in good order with 130, and the same command goes on from there', async () => {
    const terminal = await open(upload, { rows: 30 })
    await terminal.until(/ [3-9]\d?% /)
    await terminal.type('C-c')
    const text = await terminal.until(/code=\d+/)
    expect(text).toContain('Interrupted: ending in good order')
    expect(text).toContain('exit code 130: interrupted')
    expect(text).toContain('code=130')
    const again = await open(['upload', './large', './store', '--yes'], { rows: 30 })
    expect(await again.until(/code=\d+/)).toMatch(/[1-9][\d.]* [KM]iB\s+reused[\s\S]*code=0/)
    expect(await readFile(join(dir, 'store/weights.bin'))).toEqual(await readFile(join(dir, 'large/weights.bin')))
  })

  test('--no-unicode draws it in ASCII, and --quiet not at all', async () => {
    const ascii = await open([...upload, '--no-unicode'])
    await ascii.until(/#-* \d+% /)
    expect(await ascii.screen()).toMatch(/^[\x20-\x7e\n]*$/)
    await ascii.type('C-c')
    await ascii.until(/code=/)
    const quiet = await open(['upload', './large', './store2', '--yes', '--quiet'])
    expect(await quiet.until(/code=\d/)).not.toMatch(/%/)
  })
})

test('a terminal that shows no Unicode is believed', async () => {
  const terminal = await open(['scan', './whole'], { env: { TERM: 'linux' } })
  const text = await terminal.until(/code=0/)
  expect(text).toContain('[ok]')
  expect(text).toMatch(/^[\x20-\x7e\n]*$/)
})
