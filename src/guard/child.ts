import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { Trouble } from '../errors.ts'

/** Runs the command with this process's own input and outputs. */
export interface Child {
  /** Its exit code, 128 + n for a signal as shells have it. @throws Trouble `usage` where it cannot be started */
  readonly ended: Promise<number>
  /** Passes a signal on. */
  send(signal: NodeJS.Signals): void
}

const whyNot: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such command',
  EACCES: 'it may not be executed',
}

export const startChild = (
  [program = '', ...args]: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): Child => {
  const child = spawn(program, args, { stdio: 'inherit', env, cwd })
  return {
    ended: new Promise((resolve, reject) => {
      child.on('error', (error: NodeJS.ErrnoException) => {
        if (child.pid !== undefined) return
        const why = whyNot[error.code ?? ''] ?? error.message
        reject(
          new Trouble({
            kind: 'usage',
            what: `cannot run ${program}`,
            why,
            todo: 'Check the command after --',
            cause: error,
          }),
        )
      })
      child.on('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
    }),
    send: (signal) => void child.kill(signal),
  }
}
