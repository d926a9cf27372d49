import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cleanEnv, type Ended, runToEnd } from './running.ts'
import { freshDir, removeDir } from './scratch.ts'
import { type MlflowVersion, mlflowPython } from './venv.ts'

export interface PythonOptions {
  readonly args?: readonly string[]
  readonly env?: Record<string, string>
  /** Of the MLflow client; 3.17.2 unless told. */
  readonly version?: MlflowVersion
}

export interface PythonResult extends Ended {
  readonly stdout: string
  readonly stderr: string
}

const SCRIPTS = join(import.meta.dirname, 'python')

/**
 * Runs a script of test/lab/python/ with the real MLflow client. Environment variables of MLflow and the clouds come from
 * `env` alone. `TMPDIR` is a folder that is removed afterwards, unless `env` names one: name one where a killed client's leavings matter.
 */
export async function python(script: string, options: PythonOptions = {}): Promise<PythonResult> {
  const interpreter = await mlflowPython(options.version)
  const scratch = await freshDir('py')
  const [stdout, stderr] = [join(scratch, 'stdout'), join(scratch, 'stderr')]
  try {
    const ended = await runToEnd({
      command: [interpreter, join(SCRIPTS, script), ...(options.args ?? [])],
      env: cleanEnv({ HOME: scratch, TMPDIR: scratch, PYTHONPATH: SCRIPTS, ...options.env }),
      cwd: scratch,
      stdout,
      stderr,
    })
    return { ...ended, stdout: await readFile(stdout, 'utf8'), stderr: await readFile(stderr, 'utf8') }
  } finally {
    await removeDir(scratch)
  }
}

/** The same script as a command line of its own, for tests in which something else runs it; `HOME` and `TMPDIR` are the caller's. */
export async function clientCommand(
  script: string,
  options: Pick<PythonOptions, 'args' | 'version'> = {},
): Promise<{ readonly command: readonly string[]; readonly env: Record<string, string> }> {
  const interpreter = await mlflowPython(options.version)
  return { command: [interpreter, join(SCRIPTS, script), ...(options.args ?? [])], env: { PYTHONPATH: SCRIPTS } }
}

/** The events that a script printed: every line of its output that is a JSON object, in order. */
export function eventsOf(result: Pick<PythonResult, 'stdout'> & Partial<PythonResult>): Record<string, unknown>[] {
  return result.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
