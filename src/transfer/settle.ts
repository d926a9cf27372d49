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

/** The unfinished uploads of exactly this key. None where the route cannot list them, or may not: there is nothing to take up then. */
const uploadsOf = async (
  store: Store,
  path: string,
  signal: AbortSignal | undefined,
): Promise<readonly UnfinishedUpload[]> => {
  const found: UnfinishedUpload[] = []
  try {
    for await (const one of store.unfinished({ path, ...(signal === undefined ? {} : { signal }) })) {
      if (one.path === path) found.push(one)
    }
  } catch (error) {
    if (!is(error, 'unsupported', 'denied')) throw error
  }
  return found
}

/** More of them are not held in memory; each key is asked for by itself then. */
const mostListed = 10_000

/** All unfinished uploads by their keys; undefined where one listing does not show them all. */
const listed = async (
  store: Store,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, readonly UnfinishedUpload[]> | undefined> => {
  if (store.listsUploads === undefined) return undefined
  const all = new Map<string, UnfinishedUpload[]>()
  let count = 0
  try {
    for await (const one of store.unfinished(signal === undefined ? {} : { signal })) {
      count += 1
      if (count > mostListed) return undefined
      all.set(one.path, [...(all.get(one.path) ?? []), one])
    }
  } catch (error) {
    if (is(error, 'unsupported', 'denied')) return undefined
    throw error
  }
  return store.listsUploads() === 'all' ? all : undefined
}

/** Finds the unfinished uploads of one key. */
export type FindUploads = (path: string) => Promise<readonly UnfinishedUpload[]>

/** For a look at many keys at once: lists the uploads of the whole root the first time, where the store shows all of them so. */
export const uploadFinder = (store: Store, signal?: AbortSignal): FindUploads => {
  let listing: ReturnType<typeof listed> | undefined
  return async (path) => {
    listing ??= listed(store, signal)
    const all = await listing
    return all === undefined ? uploadsOf(store, path, signal) : (all.get(path) ?? [])
  }
}

/** The unfinished uploads of exactly this key, with their parts. */
const candidates = async (
  store: Store,
  path: string,
  signal: AbortSignal | undefined,
  find: FindUploads = (of) => uploadsOf(store, of, signal),
): Promise<readonly Candidate[]> => {
  const found = await find(path)
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
  find?: FindUploads,
): Promise<readonly Candidate[]> => {
  const seen = await candidates(store, path, signal, find)
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
