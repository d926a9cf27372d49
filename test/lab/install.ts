import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { cleanEnv, runToEnd } from './running.ts'
import { freshDir, removeDir } from './scratch.ts'

/** Something that this machine cannot have; the tests that need it are skipped with this sentence. */
export class LabMissing extends Error {}

export interface Step {
  readonly command: readonly string[]
  readonly env?: Record<string, string>
}

const ONCE = join(import.meta.dirname, 'python', 'once.py')

function cacheRoot(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'mlflow-doctor-lab')
}

/**
 * Brings a folder of the cache into being by `steps`, once per machine however many ask at a time, and gives its path.
 * `key` is all that decides the content; another key makes another folder. `$DIR` in a step is the folder.
 */
export async function installed(name: string, key: string, steps: (dir: string) => readonly Step[]): Promise<string> {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n${key}`).digest('hex').slice(0, 12)
  const dir = join(cacheRoot(), `${name}-${hash}`)
  if (existsSync(join(dir, '.complete'))) return dir
  const started = Date.now()
  console.log(`lab: installing ${name} ...`)
  const scratch = await freshDir('install')
  const output = join(scratch, 'output')
  const { code } = await runToEnd({
    command: ['python3', ONCE, dir, JSON.stringify(steps(dir))],
    env: cleanEnv(),
    cwd: scratch,
    stdout: output,
    stderr: output,
  })
  const said = await readFile(output, 'utf8')
  await removeDir(scratch)
  if (code !== 0) throw new Error(`${name} could not be installed:\n${said.slice(-4000)}`)
  console.log(`lab: ${name} installed in ${Math.round((Date.now() - started) / 1000)} s`)
  return dir
}
