/** How what probes write is kept track of, and how what an earlier run left is removed. */
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ifTrouble, NotApplicable, Trouble } from '../errors.ts'
import type { TrackingServer } from '../mlflow/server.ts'
import { type Canary, canaryBegunAt, canaryJournal, canaryName, canaryOwner, staleAfterMs } from '../probes/canary.ts'
import { safeFolder, join as within } from '../stores/path.ts'
import { listProxied, type ProxiedEntry } from '../stores/proxied-list.ts'
import { proxiedPaths, proxiedRoot } from '../stores/proxied-location.ts'
import { removeThrough } from '../stores/proxied-remove.ts'
import type { OpenUpload, Store } from '../stores/store.ts'
import { stateDir } from '../transfer/journal.ts'
import { leftovers, route, server, store } from './declarations.ts'
import type { Needed } from './needed.ts'
import { type Opening, opener } from './opener.ts'

/** A container with a random user id has no entry in /etc/passwd, and `userInfo` throws there. */
const ownerOf = ({ env }: Needed['host']): string => canaryOwner(env.USER || String(process.getuid?.() ?? 'unknown'))

const journalOf = ({ env, home }: Needed['host']) =>
  canaryJournal(join(stateDir({ XDG_STATE_HOME: join(home, '.local', 'state'), ...env }), 'canaries'))

const lookEveryMs = 400

/** What a probe needs to leave nothing behind. */
export interface Keeper {
  readonly owner: string
  /** A fresh name; `time` by the store's clock. */
  name(time: number): string
  /**
   * Notes a canary on disk before it exists; what it gives removes canary and note, once, now or when the run ends. The
   * note stays, for the next run, where `undo` gives false: it is not there, and may still come.
   */
  hold(canary: Canary, undo: () => Promise<unknown>): Promise<() => Promise<void>>
  /** An upload that is aborted whatever happens. */
  upload<U extends Begun = OpenUpload>(of: Begins<U>, plan: UploadPlan, time: number): Promise<Held<U>>
}

type UploadPlan = Parameters<Store['openUpload']>[1]
type Begun = Pick<OpenUpload, 'id' | 'abort'>
type Sweepable = Pick<Store, 'unfinished' | 'abort'>

/** A store, or what begins uploads there in another way. */
interface Begins<U extends Begun> extends Partial<Sweepable> {
  readonly uri: string
  readonly kind?: Store['kind']
  openUpload(path: string, plan: UploadPlan): Promise<U>
}

export interface Held<U extends Begun = OpenUpload> {
  readonly upload: U
  end(): Promise<void>
}

export const keeper = ({
  context: { host },
  onClose,
}: Pick<Opening<Pick<Needed, 'host'>>, 'context' | 'onClose'>): Keeper => {
  const journal = journalOf(host)
  const owner = ownerOf(host)
  const hold: Keeper['hold'] = async (canary, undo) => {
    let undone: Promise<void> | undefined
    const end = (): Promise<void> => {
      undone ??= undo().then((gone) => (gone === false ? undefined : journal.remove(canary)))
      return undone
    }
    onClose(end)
    await journal.add(canary)
    return end
  }
  return {
    owner,
    name: (time) => canaryName(owner, time),
    hold,
    async upload<U extends Begun>(of: Begins<U>, plan: UploadPlan, time: number) {
      let beginning: Promise<Held<U>> | undefined
      // An interruption while it is being begun: the end of the run waits for it.
      onClose(async () => (await beginning?.catch(() => undefined))?.end())
      beginning = (async () => {
        const path = canaryName(owner, time)
        const asked: Canary = { place: of.uri, path, beginning: true }
        await journal.add(asked)
        // Without a signal: an interrupted begin might leave an upload whose id nobody knows.
        const upload = await of.openUpload(path, { ...plan, disposable: true }).catch(async (error: unknown) => {
          // A refusal begins nothing; where no answer came, the note stays for the next run.
          if (!(error instanceof Trouble && error.kind === 'unreachable')) await journal.remove(asked)
          throw error
        })
        const end = await hold({ place: of.uri, path, uploadId: upload.id }, async () => {
          await upload.abort()
          // A request to begin that was lost and sent again may have begun two.
          if (of.kind === 's3' && isSweepable(of)) await sweep(of, path).catch(ifTrouble)
        })
        await journal.remove(asked)
        return { upload, end }
      })()
      return beginning
    },
  }
}

/** Whole canaries below a location that a tracking server serves. */
export interface ProxiedPlace {
  readonly place: string
  urlOf(name: string): URL
  /** Below the location; empty for the location itself. */
  list(folder: string, signal?: AbortSignal): Promise<readonly ProxiedEntry[]>
  /** A file that is not there is no error. Throws `Trouble`. */
  remove(name: string, signal?: AbortSignal): Promise<void>
  /** Removes what may be stored late, by looking until then, in milliseconds since the epoch. False when it never came. */
  removeLate(name: string, until: number): Promise<boolean>
}

export const proxiedPlace = (tracked: TrackingServer, location: string): ProxiedPlace => {
  const root = proxiedRoot(location, tracked.uri)
  const paths = proxiedPaths(root)
  const list: ProxiedPlace['list'] = async (folder, signal) =>
    listProxied(tracked, within(root, safeFolder(folder)), signal)
  const remove = (name: string, signal?: AbortSignal): Promise<void> =>
    removeThrough(tracked, paths.file(name), name, signal)
  return {
    place: `${tracked.uri} mlflow-artifacts:/${root}`,
    urlOf: (name) => new URL(`${tracked.uri}${paths.file(name)}`),
    list,
    remove,
    async removeLate(name, until) {
      for (; ; await pause(lookEveryMs)) {
        const there = (await list('')).some((entry) => entry.name === name)
        if (there) await remove(name)
        if (there || Date.now() >= until) return there
      }
    },
  }
}

/**
 * Removes what earlier runs of this user left at the places that this run writes to: what a process of this machine noted
 * and did not remove before it ended, and what carries this user's name and is older than an hour by the store's clock.
 */
export const leftoversOpener = opener(leftovers, async (opening: Opening<Needed>) => {
  const { context, open, signal } = opening
  const { proxied, location } = await open(route)
  const opened = await open(store).catch(ifTrouble)
  const tracked = proxied ? await open(server) : undefined
  if (opened === undefined && tracked === undefined) throw new NotApplicable('no store can be opened')
  const journal = journalOf(context.host)
  const owner = ownerOf(context.host)
  const removed: string[] = []
  const unsure: string[] = []
  const failed: { path: string; why: string }[] = []
  const attempt = async (
    path: string,
    act: () => Promise<'removed' | 'gone' | 'may come'>,
    canary?: Canary,
  ): Promise<void> => {
    try {
      const now = await act()
      if (now === 'removed') removed.push(path)
      if (canary && now !== 'may come') await journal.settle(canary)
    } catch (error) {
      if (!(error instanceof Trouble)) throw error
      failed.push({ path, why: error.why })
    }
  }
  const now = (await (opened?.now(signal) ?? Promise.resolve(undefined)).catch(ifTrouble)) ?? Date.now()
  const isYoung = (path: string): boolean => now - (canaryBegunAt(path, owner) ?? 0) < staleAfterMs
  const isStale = (path: string, begun = 0): boolean => {
    const named = canaryBegunAt(path, owner)
    return named !== undefined && now - Math.max(named, begun) >= staleAfterMs
  }

  if (tracked !== undefined) {
    const { proxiedStore } = await import('../stores/proxied.ts')
    const place = proxiedPlace(tracked, location)
    const names = (await place.list('', signal).catch(ifTrouble))?.map((entry) => entry.name)
    for (const canary of await journal.abandoned(place.place)) {
      await attempt(
        canary.path,
        async () => {
          if (names?.includes(canary.path) !== false) await place.remove(canary.path, signal)
          if (names?.includes(canary.path)) return 'removed'
          // A server may still be storing what a killed client sent: the note stays until the name alone tells.
          return isYoung(canary.path) ? 'may come' : 'gone'
        },
        canary,
      )
    }
    for (const name of names ?? []) {
      if (!isStale(name)) continue
      await attempt(name, async () => {
        await place.remove(name, signal)
        return 'removed'
      })
    }
    const signed = proxiedStore(tracked, location, '')
    const listing = opened?.kind === 'proxied' ? undefined : opened
    for (const canary of await journal.abandoned(signed.uri)) {
      if (canary.beginning && listing === undefined) {
        unsure.push(canary.path)
        await journal.settle(canary)
      } else await attempt(canary.path, () => give(canary.beginning && listing ? listing : signed, canary), canary)
    }
    await signed.close()
  }
  if (opened !== undefined && opened.kind !== 'proxied') {
    for (const canary of await journal.abandoned(opened.uri))
      await attempt(canary.path, () => give(opened, canary), canary)
    try {
      for await (const upload of opened.unfinished({ signal })) {
        if (!isStale(upload.path, upload.initiated)) continue
        await attempt(upload.path, async () => {
          await opened.abort(upload, signal)
          return 'removed'
        })
      }
    } catch (error) {
      // What cannot be listed stays for the next run; the multipart canary tells that it cannot.
      ifTrouble(error)
    }
  }
  return { value: { removed, failed, unsure }, facts: { removedCanaries: removed.length } }
})

/** Removes what a process that has ended noted. A tracking server does not tell an upload that is gone from one that it cannot abort. */
const give = async (of: Store, { path, uploadId, beginning }: Canary): Promise<'removed' | 'gone'> => {
  if (beginning) return (await sweep(of, path)) > 0 ? 'removed' : 'gone'
  if (uploadId === undefined) await of.remove(path)
  else await (await of.resumeUpload(path, uploadId, { sourceSize: 1, partSize: 1 }))?.abort()
  return 'removed'
}

const isSweepable = (of: Partial<Sweepable>): of is Sweepable => of.unfinished !== undefined && of.abort !== undefined

/** Aborts every upload of one canary's own path, and tells how many there were. */
const sweep = async (of: Sweepable, path: string): Promise<number> => {
  let found = 0
  for await (const upload of of.unfinished({ path })) {
    await of.abort(upload)
    found += 1
  }
  return found
}
