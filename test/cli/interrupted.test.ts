/** An interruption that comes while the report is written: it must not come out in halves, or not at all. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Report } from '../../src/report.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-in-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s while the report is written leaves it whole, and the exit code',
  async (signal) => {
    await mkdir(join(dir, 'stored'))
    await mkdir(join(dir, 'from'))
    // Some 10 MB of findings: more than any pipe holds, so that the doctor waits in the middle of them.
    for (let i = 0; i < 5000; i++) await writeFile(join(dir, 'from', `${i}-${'x'.repeat(200)}`), '')
    const bin = fileURLToPath(new URL('../../src/bin.js', import.meta.url))
    const child = spawn(process.execPath, [bin, 'scan', './stored', '--against', './from', '--json'], {
      cwd: dir,
      env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent' },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const closed = once(child, 'close')
    await once(child.stdout, 'readable')
    child.kill(signal)
    let text = ''
    for await (const data of child.stdout) text += String(data)
    const [code, by] = await closed
    expect({ code, by }).toEqual({ code: 1, by: null })
    expect(text.length).toBeGreaterThan(1_000_000)
    expect((JSON.parse(text) as Report).exitCode).toBe(1)
  },
)
