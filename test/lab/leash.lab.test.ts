import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { scratch } from './index.ts'

/** Runs JavaScript that may use the lab in a Node of its own, waits for its first line, sends it the signal, waits for its end. */
async function interrupted(
  code: string,
  signal: NodeJS.Signals,
  tmp: string,
): Promise<{ said: string; left: string[] }> {
  const marker = join(tmp, 'is-here')
  const runner = spawn(process.execPath, ['--input-type=module', '-e', code], {
    env: { ...process.env, TMPDIR: tmp, LAB_MARKER: marker },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gone = new Promise((resolve) => runner.once('exit', resolve))
  const first = await createInterface({ input: runner.stdout })[Symbol.asyncIterator]().next()
  expect(processesWith(marker).length).toBeGreaterThan(1)
  runner.kill(signal)
  await gone
  // What is left after a while, however long the watchdog's grace is.
  for (let tries = 0; tries < 300 && processesWith(marker).length > 0; tries++) await sleep(100)
  return { said: String(first.value), left: processesWith(marker) }
}

/** Command lines of all processes that inherited the marker, whoever their parent is now. */
function processesWith(marker: string): string[] {
  const found: string[] = []
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`LAB_MARKER=${marker}`)) continue
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      if (line !== '') found.push(line)
    } catch {}
  }
  return found
}

const lab = (file: string) => JSON.stringify(join(import.meta.dirname, file))

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
  test(`${signal} to the one who started it ends a command and what it put into sessions of their own`, async () => {
    const tmp = await scratch()
    const code = `
      import { serve } from ${lab('running.ts')}
      import { freshDir } from ${lab('scratch.ts')}
      const command = ['sh', '-c', 'trap "" TERM INT; setsid sleep 600 & (setsid sh -c "sleep 601 & sleep 602" &); sleep 603']
      await serve({ name: 'sleepers', command, dir: await freshDir('sleep'), answers: async () => true })
      setTimeout(() => console.log('up'), 500)`
    const { said, left } = await interrupted(code, signal, tmp)
    expect(said).toBe('up')
    expect(left).toEqual([])
    expect((await readdir(tmp)).filter((name) => name.startsWith('mdlab-'))).toEqual([])
  })
}

test('SIGKILL to the one who started it ends an MLflow server with its workers', async () => {
  const tmp = await scratch()
  const code = `
    import { startMlflow } from ${lab('mlflow.ts')}
    const server = await startMlflow({ engine: 'gunicorn', workers: 2 })
    console.log(server.url)`
  const { said, left } = await interrupted(code, 'SIGKILL', tmp)
  expect(left).toEqual([])
  await expect(fetch(`${said}/health`)).rejects.toThrow()
})
