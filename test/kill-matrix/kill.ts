import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Report } from '../../src/report.ts'
import { doctor } from '../doctor.ts'
import type { Seen, WatchingProxy } from '../watching-proxy.ts'
import { type Cell, type Fault, losesAnswers, type Moment } from './cells.ts'

const MiB = 1024 ** 2
/** The memory below is cut into four. */
export const partBytes = 5 * MiB
/** Five parts. */
const largeBytes = 22 * MiB + 321
const memory = '20MiB'

/** A store by means that are not under test. */
export interface Remote {
  readonly proxy: WatchingProxy
  /** The whole object of that key. */
  read(key: string): Promise<Buffer | undefined>
  /** Unfinished uploads below a prefix; with `empty`, those without a part are left out. */
  unfinished(prefix: string, empty: boolean): Promise<string[]>
  /** Keys below a prefix. */
  keys(prefix: string): Promise<string[]>
}

/** Where the files of one cell go, and how to look at them without the code under test. */
export interface Destination {
  /** As the command line names it. */
  readonly target: string
  /** Common beginning of the keys; of the files, for a folder. */
  readonly prefix: string
  readonly options: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** The store behind it; absent for a folder. */
  readonly remote?: Remote
  /** Switches the fault of the line on, and off again. */
  fault?(fault: Fault): Promise<void>
}

export interface Outcome {
  /** Kills that met the running process. */
  readonly kills: number
  /** Bytes that the last run did not send again. */
  readonly reused: number
  /** Reads of a file that was whole, while all this went on. */
  readonly looks: number
}

class Failed extends Error {}

const must = (is: boolean, why: string): void => {
  if (!is) throw new Failed(why)
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const stored = ({ prefix, remote }: Destination, path: string): Promise<Buffer | undefined> =>
  remote === undefined ? readFile(join(prefix, path)).catch(() => undefined) : remote.read(`${prefix}/${path}`)

/** Unfinished uploads or staged files below the destination; with `empty`, uploads without a part are left out: one that a server begins while its client dies has an id that nobody knows. */
const leftovers = async ({ prefix, remote }: Destination, empty: boolean): Promise<string[]> => {
  if (remote !== undefined) return remote.unfinished(`${prefix}/`, empty)
  const names = await readdir(prefix, { recursive: true }).catch(() => [])
  return names.filter((name) => name.includes('.artifact.uploading.'))
}

const number = (moment: Moment): number => Number(/\d+$/.exec(moment)?.[0] ?? 0)

/** The request that a moment is about. */
const concerns = (moment: Moment, seen: Seen, completed: boolean): boolean => {
  if (moment.endsWith(' create')) return seen.call === 'create'
  // In one piece where the store is reached directly, else by a complete of its own.
  if (moment.endsWith(' manifest')) {
    return (seen.call === 'PUT' || seen.call === 'complete') && seen.url.includes('manifest.json')
  }
  if (moment.endsWith(' complete'))
    return seen.call === 'complete' && decodeURIComponent(seen.url).includes('large.bin')
  if (moment.endsWith(' small file')) return seen.call === 'PUT' && seen.url.includes('small.bin')
  if (moment === 'at verification') return completed && (seen.method === 'HEAD' || seen.method === 'GET')
  return seen.call === 'part' && seen.part === number(moment) && seen.url.includes('large.bin')
}

/** 308 is what Google says to a chunk that is not the last one. */
const isAccepted = (status: number | undefined): boolean => status !== undefined && (status < 300 || status === 308)

const mine = (url: string, prefix: string): boolean => decodeURIComponent(url).includes(prefix)

/** Arms the proxy: `kill` is called once, at the moment. Resolves `met` when it was. */
const arm = (proxy: WatchingProxy, { moment, fault }: Cell, prefix: string, kill: () => Promise<void>) => {
  let done = false
  let completed = false
  let faulted = false
  proxy.meddle = async (seen) => {
    if (!mine(seen.url, prefix)) return 'pass'
    const due = !done && concerns(moment, seen, completed)
    if (due && (moment.startsWith('before') || moment === 'at verification')) {
      done = true
      await kill()
      return 'cut'
    }
    const wrapper = fault === 'broken' || fault === 'busy' || fault === 'flip'
    if (wrapper && !faulted && seen.call === 'part' && seen.part === 1) {
      faulted = true
      return fault
    }
    return 'pass'
  }
  proxy.answered = async (seen) => {
    if (!mine(seen.url, prefix)) return 'deliver'
    const refused = !isAccepted(seen.status)
    if (seen.call === 'complete' && !refused) completed = true
    if (done || refused || !concerns(moment, seen, completed)) return 'deliver'
    if (moment.startsWith('after')) {
      done = true
      await kill()
      return 'lose'
    }
    if (moment.startsWith('journal')) {
      done = true
      // As near to the journal's fsync as can be had from outside: a millisecond or two after the answer.
      setTimeout(() => void kill(), Math.random() * 3)
    }
    return 'deliver'
  }
}

const namesIn = (dir: string): string[] => {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

/** Without requests to hold, the folders tell where the process is; a look takes some 50 µs, a part several milliseconds. */
const seenInFolders = (moment: Moment, prefix: string, notes: string): boolean => {
  const files = namesIn(prefix)
  if (moment === 'after create') return files.some((name) => name.startsWith('.artifact.uploading.'))
  if (moment === 'after complete') return files.includes('large.bin')
  if (moment === 'after small file') return files.includes('small.bin')
  if (moment === 'after manifest')
    return (
      files.includes('large.bin') &&
      files.includes('small.bin') &&
      namesIn(notes).some((name) => name.startsWith('tmp-'))
    )
  const journals = namesIn(notes).filter((name) => name.endsWith('.jsonl'))
  return journals.some((name) => readFileSync(join(notes, name), 'utf8').split('\n').length > number(moment) + 1)
}

const watchFolders = (moment: Moment, prefix: string, notes: string, kill: () => void): (() => void) => {
  const timer = setInterval(() => {
    try {
      if (!seenInFolders(moment, prefix, notes)) return
    } catch {
      // A note that ended between the two looks.
      return
    }
    clearInterval(timer)
    kill()
  }, 1)
  return () => clearInterval(timer)
}

const disarm = (proxy: WatchingProxy): void => {
  proxy.meddle = () => 'pass'
  proxy.answered = () => 'deliver'
}

/** Kills one command as the cell says, runs it again, and looks at what is there. Throws `Failed`. */
export const killed = async (cell: Cell, to: Destination, dir: string): Promise<Outcome> => {
  const from = join(dir, 'from')
  const state = join(dir, 'state')
  await mkdir(from, { recursive: true })
  const files = new Map([
    ['large.bin', randomBytes(largeBytes)],
    ['small.bin', randomBytes(300_000)],
    ['whole.bin', randomBytes(200_000)],
  ])
  const write = (path: string) => writeFile(join(from, path), files.get(path) ?? '')
  const args = ['upload', from, to.target, '--yes', '--json', '--settle', '0', '--memory', memory, ...to.options]
  const env = { ...to.env, HOME: dir, XDG_STATE_HOME: state }
  const { remote } = to

  // One file is whole before anything goes wrong, and must stay readable all the time.
  await write('whole.bin')
  const first = await doctor(args, { env })
  must(first.code === 0, `the file before it did not arrive: ${first.stdout.slice(0, 2000)} ${first.stderr}`)
  await write('large.bin')
  await write('small.bin')
  const whole = digest(files.get('whole.bin') ?? Buffer.alloc(0))
  let looks = 0
  let unreadable: string | undefined
  let looking = true
  const reader = (async () => {
    while (looking) {
      const seen = await stored(to, 'whole.bin').catch((error: unknown) => Buffer.from(String(error)))
      looks += 1
      if (seen === undefined || digest(seen) !== whole) unreadable = `after ${looks} looks a file that was whole is not`
      await wait(40)
    }
  })()

  const seenBefore = remote?.proxy.seen.length ?? 0
  let kills = 0
  try {
    for (let n = 0; n < cell.kills; n += 1) {
      await to.fault?.(cell.fault)
      let stopWatching = (): void => undefined
      const ran = await doctor(args, {
        env,
        started: (kill) => {
          const now = async () => kill('SIGKILL')
          if (cell.moment !== 'random' && remote !== undefined) arm(remote.proxy, cell, to.prefix, now)
          else if (cell.moment !== 'random') {
            stopWatching = watchFolders(cell.moment, to.prefix, join(state, 'mlflow-doctor'), () => void now())
          } else setTimeout(() => void now(), 500 + Math.random() * (cell.store === 'folder' ? 350 : 900))
        },
      })
      if (remote !== undefined) disarm(remote.proxy)
      stopWatching()
      await to.fault?.('none')
      if (ran.signal === 'SIGKILL') kills += 1
      await remote?.proxy.idle()
    }
    const again = await doctor(args, { env })
    const report = JSON.parse(again.stdout) as Report
    must(again.code === 0, `the next run ended with ${again.code}: ${JSON.stringify([report.trouble, report.steps])}`)
    const open = report.steps?.filter((step) => step.state !== 'verified') ?? []
    must(open.length === 0, `not verified: ${JSON.stringify(open)}`)
    for (const [path, bytes] of files) {
      const seen = await stored(to, path)
      must(seen !== undefined && digest(seen) === digest(bytes), `${path} is not byte-equal`)
    }
    const left = await leftovers(to, cell.store === 'proxied' || losesAnswers(cell))
    must(left.length === 0, `left over: ${left.join(', ')}`)
    const notes = (await readdir(join(state, 'mlflow-doctor')).catch(() => [])).filter((name) => name !== 'spools')
    must(notes.length === 0, `left in the state folder: ${notes.join(', ')}`)
    if (remote !== undefined) await expectNoPartTwice(cell, to, seenBefore)
    const reused = report.steps?.reduce((sum, step) => sum + step.reused, 0) ?? 0
    return { kills, reused, looks }
  } finally {
    looking = false
    await reader
    must(unreadable === undefined, unreadable ?? '')
  }
}

/** Where an upload goes on, no part that the store has accepted is sent again; a lost answer within one run is the exception. */
const expectNoPartTwice = async ({ fault }: Cell, { prefix, remote }: Destination, from: number): Promise<void> => {
  if (remote === undefined || !['none', 'broken', 'busy', 'flip'].includes(fault)) return
  const accepted = remote.proxy.seen
    .slice(from)
    .filter(({ call, status, url }) => call === 'part' && isAccepted(status) && mine(url, prefix))
    .map(({ upload, part }) => `${upload} ${part}`)
  must(new Set(accepted).size === accepted.length, `a part was sent twice: ${accepted.join(', ')}`)
  const keys = await remote.keys(`${prefix}/`)
  must(keys.length === 4, `${keys.length} objects in place of three and a manifest`)
}
