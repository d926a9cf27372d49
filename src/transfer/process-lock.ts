import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { open, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Trouble } from '../errors.ts'

/**
 * Keeps two repairs of one file apart. Each contender writes a file of its own and then looks for others: nothing shared
 * is ever taken over, so a crash at any instant leaves at worst a file whose process is gone, which the next one removes.
 * A process id alone may be reused, so its start time goes with it.
 */
interface Claim {
  readonly pid: number
  readonly started: string
  readonly host: string
}

const beatMs = 60_000
/** A claim of another machine that shares this folder counts as dead after five missed beats. */
const deadAfterMs = 5 * beatMs
const tries = 6

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

const claimIn = (text: string): Claim | undefined => {
  try {
    const { pid, started, host } = JSON.parse(text) as Partial<Claim>
    if (typeof pid !== 'number' || typeof started !== 'string' || typeof host !== 'string') return undefined
    return { pid, started, host }
  } catch {
    return undefined
  }
}

/** The live holder of the claim in `file`; undefined when there is none any more. */
const holder = async (file: string): Promise<string | undefined> => {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  const seen = await stat(file).catch(() => undefined)
  if (text === undefined || seen === undefined) return undefined
  const claim = claimIn(text)
  // Without a readable claim, or from another machine, only the beat tells.
  if (claim === undefined || claim.host !== hostname()) {
    return Date.now() - seen.mtimeMs < deadAfterMs ? `a process on ${claim?.host ?? 'another machine'}` : undefined
  }
  return (await startOf(claim.pid)) === claim.started ? `process ${claim.pid} on this machine` : undefined
}

const others = async (dir: string, key: string, own: string): Promise<string | undefined> => {
  for (const name of await readdir(dir)) {
    if (!name.startsWith(`${key}.`) || !name.endsWith('.lock') || name === own) continue
    const by = await holder(join(dir, name))
    if (by !== undefined) return by
    await rm(join(dir, name), { force: true })
  }
  return undefined
}

export interface ProcessLock {
  release(): Promise<void>
}

/** Throws `conflict` when a live process works under the same key; `what` says what cannot be done then. */
export const takeLock = async (dir: string, key: string, what: string): Promise<ProcessLock> => {
  const claim: Claim = { pid: process.pid, started: (await startOf(process.pid)) ?? '', host: hostname() }
  const own = `${key}.${process.pid}-${randomBytes(6).toString('hex')}.lock`
  const path = join(dir, own)
  let by: string | undefined
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const file = await open(path, 'wx', 0o600)
    try {
      await file.writeFile(JSON.stringify(claim))
    } finally {
      await file.close()
    }
    by = await others(dir, key, own)
    if (by === undefined) {
      const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), beatMs)
      beat.unref()
      return {
        async release() {
          clearInterval(beat)
          await rm(path, { force: true })
        },
      }
    }
    await rm(path, { force: true })
    // Two that began together both step back; unequal pauses let one of them through.
    await wait(10 + Math.random() * 40 * (attempt + 1))
  }
  throw new Trouble({
    kind: 'conflict',
    what,
    why: `${by} is sending it already`,
    todo: 'Wait until it has ended, then run the same command again',
  })
}
