import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Report } from '../src/report.ts'

const bin = fileURLToPath(new URL('../src/bin.js', import.meta.url))

export interface Ran {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface DoctorOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** A command that it runs below, such as one that sets its limits. */
  readonly below?: readonly string[]
  /** Called once, with a way to send signals; for tests that interrupt or kill. */
  readonly started?: (kill: (signal: NodeJS.Signals) => void, pid: number) => void
}

/** Runs the command line as a user does, in a process of its own, with nothing of this machine's settings but PATH. */
export const doctor = (args: readonly string[], options: DoctorOptions = {}): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const [program = process.execPath, ...rest] = [...(options.below ?? []), process.execPath, bin, ...args]
    const child = spawn(program, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd ?? process.cwd(),
      env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent', AWS_EC2_METADATA_DISABLED: 'true', ...options.env },
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (data: Buffer) => {
      stdout += data
    })
    child.stderr.on('data', (data: Buffer) => {
      stderr += data
    })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
    options.started?.((signal) => child.kill(signal), child.pid ?? 0)
  })

export const reportOf = (ran: Ran): Report => JSON.parse(ran.stdout) as Report

/** `--json` runs: the report and the exit code, which must agree. */
export const examined = async (args: readonly string[], options: DoctorOptions = {}): Promise<Report> => {
  const ran = await doctor([...args, '--json'], options)
  const report = reportOf(ran)
  if (report.exitCode !== ran.code) throw new Error(`exit code ${ran.code}, report says ${report.exitCode}`)
  return report
}
