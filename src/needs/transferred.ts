/** Measuring what uploads take, by canaries on the routes that planned files take. */
import type { RouteKind } from '../check.ts'
import { NotApplicable, Trouble } from '../errors.ts'
import type { Route } from '../mlflow/route.ts'
import { routeFor } from '../mlflow/route.ts'
import type { TrackingServer } from '../mlflow/server.ts'
import { partsTransfer } from '../probes/parts-transfer.ts'
import type { PutPlace } from '../probes/put-transfer.ts'
import { putTransfer } from '../probes/put-transfer.ts'
import { clientThreads } from '../probes/threads.ts'
import type { Transfer } from '../probes/types.ts'
import type { Store } from '../stores/store.ts'
import { keeper, proxiedPlace } from './canaries.ts'
import { access, bodyLimit, leftovers, memory, route, server, settings, store, transfers } from './declarations.ts'
import type { Needed } from './needed.ts'
import { type Opening, opener } from './opener.ts'

/** Milliseconds that all canaries together take at most, so that a check answers within a minute on a slow line, too. */
const timeMs = 24_000
/** Milliseconds for a TCP or TLS handshake. */
const handshakeMs = 10_000
/** Milliseconds that the end of a run waits for what a server may still store after its answer was lost. */
const lateMs = 6000
/** `--traffic` unless told, in bytes. */
const usualTraffic = 100_000_000

export const transfersOpener = opener(transfers, async (opening: Opening<Needed>) => {
  const { context, open } = opening
  const by = await open(route)
  await open(leftovers).catch(ifTrouble)
  const plan = context.planned
  const kinds = plan ? new Set(plan.files.map(({ bytes }) => routeFor(by, bytes))) : possible(by)
  const budget = Math.floor((context.trafficBytes ?? usualTraffic) / Math.max(1, kinds.size))
  const measured = new Map<RouteKind, Transfer>()
  for (const kind of kinds) {
    const planned = plan?.files.flatMap(({ bytes }) => (routeFor(by, bytes) === kind ? [bytes] : [])) ?? []
    const share = { budget, planned, timeMs: timeMs / kinds.size }
    const result = kind === 'proxied-put' ? await whole(opening, by, share) : await inParts(opening, by, kind, share)
    measured.set(kind, result)
  }
  const main = measured.get('proxied-put') ?? [...measured.values()][0]
  const canaryBytes = [...measured.values()].flatMap(({ tries }) => tries).reduce((sum, { bytes }) => sum + bytes, 0)
  return {
    value: measured,
    facts: {
      canaryBytes,
      ...(main?.uplink && { uplink: Math.round(main.uplink.bytesPerSecond) }),
      ...(main?.relay && {
        relay: Math.round(main.relay.bytesPerSecond),
        relayFixed: Math.max(0, Math.round(main.relay.fixedMs)),
      }),
    },
  }
})

interface Share {
  readonly budget: number
  readonly planned: readonly number[]
  readonly timeMs: number
}

/** Both sides of the size from which files go in parts. */
const possible = (by: Route): ReadonlySet<RouteKind> =>
  new Set([routeFor(by, by.multipartMinimum), ...(by.proxied && by.multipartMinimum > 0 ? [routeFor(by, 0)] : [])])

const whole = async (opening: Opening<Needed>, by: Route, share: Share): Promise<Transfer> => {
  const { context, open, signal, progress } = opening
  const tracked = await open(server)
  const { hold, name } = keeper(opening)
  const place = proxiedPlace(tracked, by.location)
  // Asked before anything is written: who may not delete must not write.
  const may = await open(access).catch(ifTrouble)
  if (may?.remove === false) return { tries: [], objection: 'this login may not delete what it writes' }
  await place.remove(name(Date.now()), signal)
  const declared = await open(bodyLimit).catch(ifTrouble)
  const accepted = declared?.unmeasured === undefined ? declared?.accepted : undefined
  let lateUntil: number | undefined

  const begin = async (): Promise<PutPlace> => {
    const path = name(Date.now())
    let late = true
    const end = await hold({ place: place.place, path }, () => {
      lateUntil ??= Date.now() + lateMs
      return late ? place.removeLate(path, lateUntil) : place.remove(path)
    })
    return {
      url: place.urlOf(path),
      objection: () => versioned(tracked, by.location, path, signal),
      async remove(mayCome) {
        late = mayCome
        // What may come later is removed once more when the run ends.
        await (late ? place.remove(path) : end())
      },
    }
  }
  return putTransfer({
    ...share,
    begin,
    accepted: accepted ?? Number.MAX_SAFE_INTEGER,
    headers: tracked.headers,
    timeoutMs: handshakeMs,
    silenceMs: tracked.settings.requestTimeoutMs,
    tls: tracked.settings.tls,
    env: context.host.env,
    signal,
    progress,
  })
}

/** Why nothing large may be written and removed there: a store that keeps versions keeps what is deleted, too. */
const versioned = async (
  tracked: TrackingServer,
  location: string,
  path: string,
  signal: AbortSignal,
): Promise<string | undefined> => {
  if (tracked.info.multipartDownloads !== true) return undefined
  const { proxiedPaths, proxiedRoot } = await import('../stores/proxied-location.ts')
  const { signedUrls } = await import('../stores/signed-url.ts')
  const signed = signedUrls(tracked.settings)
  try {
    const what = 'look whether the store keeps versions'
    const address = proxiedPaths(proxiedRoot(location, tracked.uri)).signedDownload(path)
    const { url, headers } = await tracked.call<{ url?: unknown; headers?: unknown }>('GET', address, { what, signal })
    if (typeof url !== 'string') return undefined
    const plain = Object.fromEntries(Object.entries(headers ?? {}).filter(([, value]) => typeof value === 'string'))
    const answer = await signed.range(url, plain, 0, 1, { what: `cannot ${what}`, signal })
    const version = answer.header('x-amz-version-id')
    if (answer.header('x-amz-object-lock-mode') !== undefined) return 'the bucket locks its objects'
    return version !== undefined && version !== 'null' ? 'the bucket keeps versions of what is deleted' : undefined
  } catch (error) {
    // The store may be out of reach from here; nothing then speaks against it.
    return ifTrouble(error)
  } finally {
    await signed.close()
  }
}

const inParts = async (opening: Opening<Needed>, by: Route, kind: RouteKind, share: Share): Promise<Transfer> => {
  const { open, signal, onClose, progress } = opening
  let through: Store
  if (kind === 'signed-parts') {
    const { proxiedStore } = await import('../stores/proxied.ts')
    const signed = proxiedStore(await open(server), by.location, '')
    onClose(() => signed.close())
    if (signed.route !== 'signed-parts') throw new NotApplicable('the server signs no parts')
    through = signed
  } else through = await open(store)
  const { processors } = await open(memory)
  const { upload } = keeper(opening)
  const time = (await through.now(signal).catch(ifTrouble)) ?? Date.now()
  const partSize = Math.max(1, by.multipartChunk || (await open(settings)).multipartChunk)
  return partsTransfer(through, {
    ...share,
    partSize,
    threads: clientThreads(by, processors),
    begin: (bytes) => upload(through, { sourceSize: bytes, partSize }, time),
    signal,
    progress,
  })
}

const ifTrouble = (error: unknown): undefined => {
  if (error instanceof Trouble || error instanceof NotApplicable) return undefined
  throw error
}
