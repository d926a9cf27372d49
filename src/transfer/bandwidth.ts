import { readFile, stat } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'

/** How many bytes a second may leave, all transfers of a command together. */
export interface Bandwidth {
  /** Resolves when `bytes` more may leave. */
  allow(bytes: number, signal?: AbortSignal): Promise<void>
}

/** Milliseconds between two looks at a rate that stands in a file. */
const lookEvery = 1000
/** Milliseconds' worth of the rate that may be saved up while nothing is sent. */
const saved = 1000

export const unlimited: Bandwidth = { allow: () => Promise.resolve() }

/**
 * A token bucket. `rate` gives bytes per second, asked for again before each wait, so that it may change while bytes flow;
 * undefined means no limit.
 */
export const limited = (rate: () => number | undefined | Promise<number | undefined>): Bandwidth => {
  /** When the last byte that was allowed will have left, by this process's clock in milliseconds. */
  let busyUntil = 0
  let turn: Promise<void> = Promise.resolve()
  const next = async (bytes: number, signal: AbortSignal | undefined): Promise<void> => {
    const perSecond = await rate()
    if (perSecond === undefined) return
    const now = performance.now()
    busyUntil = Math.max(busyUntil, now - saved) + (bytes / perSecond) * 1000
    // In slices, so that a rate that is raised meanwhile is felt soon.
    for (let left = busyUntil - now; left > 0; left = busyUntil - performance.now()) {
      await wait(Math.min(left, lookEvery), undefined, signal === undefined ? {} : { signal })
      const changed = await rate()
      if (changed === undefined) {
        busyUntil = performance.now()
        return
      }
      if (changed !== perSecond) {
        const rest = busyUntil - performance.now()
        busyUntil = performance.now() + Math.max(0, rest) * (perSecond / changed)
        return next(0, signal)
      }
    }
  }
  return {
    allow(bytes, signal) {
      const mine = turn.then(() => next(bytes, signal))
      turn = mine.catch(() => undefined)
      return mine
    },
  }
}

/**
 * A rate that stands in a file, looked at again once a second. What cannot be read or understood leaves the last rate as it
 * was, and is told once for each state of the file.
 */
export const rateIn = (
  file: string,
  first: number,
  parse: (text: string) => number | undefined,
  tell: (why: string) => void,
): (() => Promise<number>) => {
  let rate = first
  let looked = performance.now()
  let seen = ''
  return async () => {
    if (performance.now() - looked < lookEvery) return rate
    looked = performance.now()
    const state = await stat(file).then(
      ({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`,
      () => 'gone',
    )
    if (state === seen) return rate
    seen = state
    const found = parse(await readFile(file, 'utf8').catch(() => ''))
    if (found === undefined) tell(`${file} holds no rate; the last one stays`)
    else rate = found
    return rate
  }
}
