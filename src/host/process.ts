import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { promisify } from 'node:util'

/** A process id alone may be reused, so its start time goes with it. */
export interface ProcessId {
  readonly pid: number
  readonly started: string
  readonly host: string
}

/** When a process began, in its system's own words; undefined when there is no such process. */
const startOf = async (pid: number): Promise<string | undefined> => {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8')
    // proc(5): field 22; the name in field 2 may hold blanks and brackets, so count from the last bracket.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return process.platform === 'linux' ? undefined : startByPs(pid)
  }
}

/** The same by `ps`, for systems without /proc. */
export const startByPs = async (pid: number): Promise<string | undefined> => {
  try {
    // Two processes of one user may live in different time zones and languages; the answer must not.
    const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' }
    const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)], { env })
    return stdout.trim() || undefined
  } catch {
    return undefined
  }
}

export const thisProcess = async (): Promise<ProcessId> => ({
  pid: process.pid,
  started: (await startOf(process.pid)) ?? '',
  host: hostname(),
})

/** Whether that process still runs; undefined for one of another machine, of which nothing is known here. */
export const isRunning = async ({ pid, started, host }: ProcessId): Promise<boolean | undefined> =>
  host === hostname() ? (await startOf(pid)) === started : undefined

/** A process id as a part of a file's name: letters, digits, `-` and `_`. What is named so has an owner from its first instant on. */
export const nameOfProcess = (id: ProcessId): string => Buffer.from(JSON.stringify(id)).toString('base64url')

/** The process that a name tells; undefined for anything else. */
export const processInName = (name: string): ProcessId | undefined => {
  try {
    return processIdIn(JSON.parse(Buffer.from(name, 'base64url').toString('utf8')))
  } catch {
    return undefined
  }
}

/** A process id as written by another run; undefined for anything else. */
export const processIdIn = (value: unknown): ProcessId | undefined => {
  const { pid, started, host } = (value ?? {}) as Partial<ProcessId>
  if (typeof pid !== 'number' || typeof started !== 'string' || typeof host !== 'string') return undefined
  return { pid, started, host }
}
