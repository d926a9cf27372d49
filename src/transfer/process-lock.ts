import { randomBytes } from 'node:crypto'
import { open, readdir, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Trouble } from '../errors.ts'
import { isRunning, nameOfProcess, processInName, thisProcess } from '../host/process.ts'

/**
 * Keeps two repairs of one file apart. Each contender makes an empty file of its own, whose name tells its process, and then
 * looks for others: nothing shared is ever taken over, so a crash at any instant leaves at worst a file whose process is
 * gone, which the next one removes.
 */

const beatMs = 60_000
/** A claim of another machine that shares this folder counts as dead after five missed beats. */
const deadAfterMs = 5 * beatMs
const tries = 6

/** `<key>.<process>.<random>.lock` */
const claimIn = (name: string) => processInName(/^[^.]+\.([\w-]+)\.\w+\.lock$/.exec(name)?.[1] ?? '')

/** The live holder of the claim of that name; undefined when there is none any more. */
const holder = async (dir: string, name: string): Promise<string | undefined> => {
  const seen = await stat(join(dir, name)).catch(() => undefined)
  if (seen === undefined) return undefined
  const claim = claimIn(name)
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
    const by = await holder(dir, name)
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
  const own = `${key}.${nameOfProcess(await thisProcess())}.${randomBytes(6).toString('hex')}.lock`
  const path = join(dir, own)
  let by: string | undefined
  for (let attempt = 0; attempt < tries; attempt += 1) {
    await (await open(path, 'wx', 0o600)).close()
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
