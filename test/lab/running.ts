import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** A process of the lab. Whatever happens to us, its watchdog (python/watchdog.py) takes it down with all its descendants. */
export interface Running {
  readonly pid: number
  /** SIGTERM, SIGKILL after ten seconds; then its folder is removed. May be called again, and after `kill`. */
  stop(): Promise<void>
  /** SIGKILL to all of it. Its folder stays until `stop`. */
  kill(): Promise<void>
  /** What it has printed so far. */
  log(): string
}

export interface Ended {
  readonly code: number | null
  readonly signal: string | null
}

export interface Command {
  readonly command: readonly string[]
  readonly env: Record<string, string>
  readonly cwd: string
  readonly stdout: string
  readonly stderr: string
  /** Removed when the process is over and we let go of it. */
  readonly remove?: string
}

interface Watched {
  readonly pid: number
  readonly ended: Promise<Ended>
  order(word: 'stop' | 'kill'): void
  /** Lets go of the leash; resolves when the watchdog itself is gone. */
  release(): Promise<void>
}

const WATCHDOG = join(import.meta.dirname, 'python', 'watchdog.py')

/** What a process of the lab inherits: enough to find programs, nothing that would change a client's or server's behaviour. */
export function cleanEnv(more: Record<string, string> = {}): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined || /^(MLFLOW_|AWS_|AZURE_|GOOGLE_|STORAGE_|VGW_|PYTHON|VITEST|NODE_)/.test(name)) continue
    kept[name] = value
  }
  return {
    ...kept,
    NO_PROXY: '127.0.0.1,localhost',
    no_proxy: '127.0.0.1,localhost',
    PYTHONUNBUFFERED: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    MLFLOW_DISABLE_TELEMETRY: 'true',
    ...more,
  }
}

/** Starts a command under its watchdog. Throws when the command cannot be started. */
async function watch(what: Command): Promise<Watched> {
  const remove = what.remove === undefined ? [] : ['--remove', what.remove]
  const options = ['--stdout', what.stdout, '--stderr', what.stderr, '--cwd', what.cwd, ...remove]
  const dog = spawn('python3', ['-S', '-E', WATCHDOG, ...options, '--', ...what.command], {
    env: what.env,
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const gone = new Promise<void>((resolve) => {
    dog.once('exit', () => resolve())
    dog.once('error', () => resolve())
  })
  dog.stdin.on('error', () => {})
  const events = eventsOf(dog)
  const first = await events.next()
  if (first?.pid === undefined) {
    dog.stdin.end()
    throw new Error(`${what.command[0]} could not be started: ${first?.error ?? 'no watchdog (is python3 there?)'}`)
  }
  return {
    pid: first.pid,
    ended: events.next().then((last) => ({ code: last?.code ?? null, signal: last?.signal ?? null })),
    order: (word) => void dog.stdin.write(`${word}\n`),
    release: () => {
      dog.stdin.end()
      return gone
    },
  }
}

interface WatchdogEvent {
  pid?: number
  error?: string
  code?: number | null
  signal?: string | null
}

function eventsOf(dog: ChildProcess): { next(): Promise<WatchdogEvent | undefined> } {
  if (dog.stdout === null) throw new Error('the watchdog has no output')
  dog.once('error', () => dog.stdout?.destroy())
  const lines = createInterface({ input: dog.stdout })[Symbol.asyncIterator]()
  return {
    next: async () => {
      const line = await lines.next()
      return line.done ? undefined : (JSON.parse(line.value) as WatchdogEvent)
    },
  }
}

/** Runs a command to its end under a watchdog. */
export async function runToEnd(what: Command): Promise<Ended> {
  const watched = await watch(what)
  const ended = await watched.ended
  await watched.release()
  return ended
}

export interface Service {
  readonly name: string
  readonly command: readonly string[]
  readonly env?: Record<string, string>
  /** Its own folder: working directory, log, data. Removed by `stop`. */
  readonly dir: string
  /** True when the service answers as it should; it may throw while it does not. */
  readonly answers: () => Promise<boolean>
  /** For servers that do not listen to SIGTERM. */
  readonly killOnStop?: boolean
}

/** A service that ended before it answered, such as one that lost its port to another process. */
export class EndedEarly extends Error {}

const PATIENCE_SECONDS = 240

/** Starts a service and waits until it answers. Throws with its log when it ends first or never answers. */
export async function serve(service: Service): Promise<Running> {
  const file = join(service.dir, 'server.log')
  const watched = await watch({
    command: service.command,
    env: cleanEnv({ TMPDIR: service.dir, ...service.env }),
    cwd: service.dir,
    stdout: file,
    stderr: file,
    remove: service.dir,
  })
  const log = () => readFileSync(file, 'utf8')
  let over: Ended | undefined
  const ended = watched.ended.then((how) => {
    over = how
  })
  const give = async (word: 'stop' | 'kill') => {
    if (over === undefined) watched.order(word)
    await ended
  }
  const running: Running = {
    pid: watched.pid,
    log,
    kill: () => give('kill'),
    stop: async () => {
      await give(service.killOnStop ? 'kill' : 'stop')
      await watched.release()
    },
  }
  const deadline = Date.now() + PATIENCE_SECONDS * 1000
  while (!(await service.answers().catch(() => false))) {
    if (over !== undefined || Date.now() > deadline) {
      const said = log().slice(-4000)
      await running.stop()
      const why = over === undefined ? 'did not answer' : `ended (${over.signal ?? over.code})`
      throw new EndedEarly(`${service.name} ${why}; its log ends:\n${said}`)
    }
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 50))])
  }
  return running
}
