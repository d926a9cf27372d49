import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cleanEnv, runToEnd } from '../test/lab/running.ts'
import { freshDir, removeDir } from '../test/lab/scratch.ts'

/** What one run of a program took, as the kernel counted it. */
export interface Measured {
  /** Seconds from start to end. */
  readonly wall: number
  /** Seconds of processor time, user and system, start-up included. */
  readonly cpu: number
  /** The most memory that was resident, in bytes. */
  readonly rss: number
  /** What it wrote to standard output. */
  readonly output: string
}

export interface Program {
  readonly command: readonly string[]
  readonly env: Record<string, string>
  /** Exit codes by which it says that it did its work. */
  readonly good: readonly number[]
}

const MEASURE = join(import.meta.dirname, 'measure.py')

/** Runs a program to its end and measures it from outside. Throws when it did not do its work. */
export const measured = async ({ command, env, good }: Program): Promise<Measured> => {
  const scratch = await freshDir('bench')
  const [own, stdout, stderr] = ['measured', 'stdout', 'stderr'].map((name) => join(scratch, name)) as [
    string,
    string,
    string,
  ]
  try {
    await runToEnd({
      command: ['python3', '-S', '-E', MEASURE, stdout, stderr, ...command],
      env: cleanEnv(env),
      cwd: scratch,
      stdout: own,
      stderr: own,
    })
    const { code, ...took } = JSON.parse(await readFile(own, 'utf8')) as Omit<Measured, 'output'> & { code: number }
    const output = await readFile(stdout, 'utf8')
    if (good.includes(code)) return { ...took, output }
    throw new Error(`${command[0]} ended with ${code}: ${(await readFile(stderr, 'utf8')) || output.slice(-2000)}`)
  } finally {
    await removeDir(scratch)
  }
}

export const median = (numbers: readonly number[]): number => {
  const sorted = [...numbers].sort((a, b) => a - b)
  return ((sorted[(sorted.length - 1) >> 1] ?? Number.NaN) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2
}
