import { execFile } from 'node:child_process'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Report } from '../../../src/report.ts'
import { scratch, shared } from '../../lab/index.ts'
import { cleanEnv } from '../../lab/running.ts'
import { mlflowPython } from '../../lab/venv.ts'

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** In a shell that may write no file above 4,096,000 bytes: `ulimit -f` of a POSIX shell counts 512. */
const limited = (command: readonly string[], env: Record<string, string>) =>
  new Promise<{ code: unknown; stdout: string; stderr: string }>((done) => {
    const args = ['-c', 'ulimit -Sf 8000; exec "$0" "$@"', ...command]
    execFile('/bin/sh', args, { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : error.code, stdout, stderr }),
    )
  })

test.each([
  ['4096000', 0],
  ['4096001', 1],
] as const)('a model file of %s bytes, where none above 4096000 may be written', async (bytes, code) => {
  const dir = await scratch()
  const env = cleanEnv({ HOME: dir, TMPDIR: dir, MLFLOW_TRACKING_URI: shared().mlflowFolder.url })
  const doctor = [process.execPath, file('../../../src/bin.js'), 'check', '--size', bytes, '--json']
  const { forecast } = JSON.parse((await limited(doctor, { ...env, XDG_STATE_HOME: dir })).stdout) as Report
  expect(forecast).toMatchObject([
    code === 0
      ? { verdict: 'passes' }
      : { verdict: 'fails', hop: 'host', limit: { setting: 'ulimit -f', max: 4_096_000, unit: 'bytes' } },
  ])
  const script = [file('../../lab/python/log_model.py'), '--experiment', 'ulimit', '--artifact', join(dir, 'data.bin')]
  // The data lies there already: it is log_model's copy that is too large.
  await writeFile(join(dir, 'data.bin'), '')
  await truncate(join(dir, 'data.bin'), Number(bytes))
  const python = await mlflowPython()
  const logged = await limited([python, ...script], { ...env, PYTHONPATH: file('../../lab/python') })
  expect(logged.code, logged.stderr).toBe(code)
  if (code === 1) expect(logged.stderr).toMatch(/File too large/)
})
