import { randomBytes } from 'node:crypto'
import { open, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Trouble } from '../errors.ts'
import { isRunning, type ProcessId, processIdIn, thisProcess } from '../host/process.ts'

/**
 * Keeps two repairs of one file apart. Each contender writes a file of its own and then looks for others: nothing shared
 * is ever taken over, so a crash at any instant leaves at worst a file whose process is gone, which the next one removes.
 */
type Claim = ProcessId

const beatMs = 60_000
/** A claim of another machine that shares this folder counts as dead after five missed beats. */
const deadAfterMs = 5 * beatMs
const tries = 6

const claimIn = (text: string): Claim | undefined => {
  try {
    return processIdIn(JSON.parse(text))
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
  const running = claim && (await isRunning(claim))
  if (claim === undefined || running === undefined) {
    return Date.now() - seen.mtimeMs < deadAfterMs ? `a process on ${claim?.host ?? 'another machine'}` : undefined
  }
  return running ? `process ${claim.pid} on this machine` : undefined
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
  const claim = await thisProcess()
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
