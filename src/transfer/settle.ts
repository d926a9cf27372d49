import { setTimeout as wait } from 'node:timers/promises'
import { Trouble, type TroubleKind } from '../errors.ts'
import type { Part, Store, UnfinishedUpload } from '../stores/store.ts'
import { longestTimerMs } from '../timers.ts'
import { duration } from '../words.ts'

/**
 * Whether somebody is still sending an upload that this machine did not begin: its parts are looked at twice, with a
 * pause. What was seen first is kept apart from the waiting, so that a plan over many files waits once and not for each.
 */

interface Sighting {
  /** Milliseconds of this process's own clock. */
  readonly at: number
  readonly print: string
}

/** First sightings by path and upload id; filled by `sight`, good for one run of the tool. */
export type Sightings = Map<string, Sighting>

export interface Candidate {
  readonly found: UnfinishedUpload
  readonly parts: readonly Part[]
}

const print = (parts: readonly Part[]): string =>
  JSON.stringify(
    parts
      .map((part) => [part.number, part.size, part.etag ?? '', part.modified ?? ''])
      .sort((a, b) => Number(a[0]) - Number(b[0])),
  )

const keyOf = (found: UnfinishedUpload): string => `${found.path}\0${found.id}`

const is = (error: unknown, ...kinds: readonly TroubleKind[]): boolean =>
  error instanceof Trouble && kinds.includes(error.kind)

/** The unfinished uploads of exactly this key, with their parts. None where the route cannot tell. */
const candidates = async (
  store: Store,
  path: string,
  signal: AbortSignal | undefined,
): Promise<readonly Candidate[]> => {
  const found: UnfinishedUpload[] = []
  try {
    for await (const one of store.unfinished({ path, ...(signal === undefined ? {} : { signal }) })) {
      if (one.path === path) found.push(one)
    }
  } catch (error) {
    // Where the route cannot list them, or may not, there is nothing to take up.
    if (!is(error, 'unsupported', 'denied')) throw error
  }
  const seen: Candidate[] = []
  for (const one of found) {
    try {
      seen.push({ found: one, parts: await store.partsOf(one, signal) })
    } catch (error) {
      // Ended between the two calls, or another identity's.
      if (!is(error, 'not-found', 'denied')) throw error
    }
  }
  return seen
}

/** Looks at the unfinished uploads of a key and remembers those seen for the first time. */
export const sight = async (
  store: Store,
  path: string,
  sightings: Sightings,
  signal?: AbortSignal,
): Promise<readonly Candidate[]> => {
  const seen = await candidates(store, path, signal)
  for (const { found, parts } of seen) {
    if (!sightings.has(keyOf(found))) sightings.set(keyOf(found), { at: performance.now(), print: print(parts) })
  }
  return seen
}

/** `end` in milliseconds of this process's own clock. */
const waitUntil = async (end: number, signal: AbortSignal | undefined): Promise<void> => {
  for (let left = end - performance.now(); left > 0; left = end - performance.now()) {
    await wait(Math.min(left, longestTimerMs), undefined, signal === undefined ? {} : { signal })
  }
}

export interface Settling {
  /** Milliseconds. */
  readonly settleMs: number
  readonly sightings: Sightings
  readonly signal: AbortSignal | undefined
}

/** The candidates once none of them has moved for `settleMs`. Throws `conflict` when one has. */
export const settled = async (store: Store, path: string, settling: Settling): Promise<readonly Candidate[]> => {
  const { settleMs, sightings, signal } = settling
  const first = await sight(store, path, sightings, signal)
  if (first.length === 0) return []
  const begun = Math.max(...first.map(({ found }) => sightings.get(keyOf(found))?.at ?? performance.now()))
  const left = begun + settleMs - performance.now()
  await waitUntil(begun + settleMs, signal)
  const now = left > 0 ? await candidates(store, path, signal) : first
  for (const { found, parts } of now) {
    if (sightings.get(keyOf(found))?.print === print(parts)) continue
    throw new Trouble({
      kind: 'conflict',
      what: `cannot take up the unfinished upload of ${path}`,
      why: `somebody is still sending it: a part arrived within ${duration(settleMs)}`,
      todo: 'Wait until that upload has ended, then run the same command again',
    })
  }
  return now
}
