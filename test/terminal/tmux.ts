import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { systemProgram } from '../lab/apt.ts'

const run = promisify(execFile)
const bin = fileURLToPath(new URL('../../src/bin.js', import.meta.url))

/** One argument as a POSIX shell reads it back. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

export interface Terminal {
  /** What the screen shows, without the empty lines at its end; `styled` with its colours. */
  screen(styled?: 'styled'): Promise<string>
  /** All lines, those that have scrolled away too; what the terminal has broken is one line again. */
  history(): Promise<string>
  type(...keys: string[]): Promise<void>
  resize(columns: number, rows: number): Promise<void>
  /** Waits until the history shows this; throws with the screen when it does not. */
  until(shows: RegExp): Promise<string>
  close(): Promise<void>
}

export interface TerminalOptions {
  readonly columns: number
  readonly rows: number
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

/** Runs the command line in a terminal of its own; when it ends, the screen shows `code=N`. */
export const openTerminal = (args: readonly string[], options: TerminalOptions): Promise<Terminal> => {
  const command = [process.execPath, bin, ...args].map(quoted).join(' ')
  return openShell(`sh -c ${quoted(`trap : INT; ${command}; echo "code=$?"; exec sleep 600`)}`, options)
}

/** Runs any command in a terminal of its own. */
export const openShell = async (
  command: string,
  { columns, rows, cwd, env = {} }: TerminalOptions,
): Promise<Terminal> => {
  const tmux = await systemProgram('tmux', 'tmux')
  // A server of its own, so that no terminal of the user's is met.
  const socket = `mlflow-doctor-${randomBytes(6).toString('hex')}`
  const call = async (...words: string[]) => (await run(tmux, ['-L', socket, '-f', '/dev/null', ...words])).stdout
  const variables = {
    PATH: process.env.PATH ?? '',
    HOME: '/nonexistent',
    LANG: 'C.UTF-8',
    TERM: 'screen-256color',
    ...env,
  }
  const set = Object.entries(variables).map(([name, value]) => `${name}=${quoted(value)}`)
  await call(
    'new-session',
    '-d',
    '-s',
    'it',
    '-x',
    String(columns),
    '-y',
    String(rows),
    '-c',
    cwd,
    `env -i ${set.join(' ')} ${command}`,
  )
  await call('set-option', '-g', 'history-limit', '5000')
  const trimmed = (text: string): string => text.replace(/[ \t]+$/gm, '').replace(/\n+$/, '\n')
  const history = async () => trimmed(await call('capture-pane', '-p', '-J', '-t', 'it', '-S', '-'))
  return {
    screen: async (styled) => trimmed(await call('capture-pane', '-p', ...(styled ? ['-e'] : []), '-t', 'it')),
    history,
    type: async (...keys) => void (await call('send-keys', '-t', 'it', ...keys)),
    resize: async (x, y) => void (await call('resize-window', '-t', 'it', '-x', String(x), '-y', String(y))),
    async until(shows) {
      for (let tries = 0; tries < 600; tries += 1) {
        const text = await history()
        if (shows.test(text)) return text
        await wait(100)
      }
      throw new Error(`the terminal never showed ${shows}:\n${await history()}`)
    },
    close: async () => void (await call('kill-server').catch(() => '')),
  }
}
