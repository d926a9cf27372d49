/** Measuring what uploads take, by canaries on the routes that planned files take. */
import type { RouteKind } from '../check.ts'
import { ifTrouble, NotApplicable, Trouble } from '../errors.ts'
import type { Route } from '../mlflow/route.ts'
import { routeFor, routesOf } from '../mlflow/route.ts'
import type { TrackingServer } from '../mlflow/server.ts'
import type { CanaryStep, MultipartCanary } from '../probes/multipart-canary.ts'
import { partsTransfer } from '../probes/parts-transfer.ts'
import type { PutPlace } from '../probes/put-transfer.ts'
import { putTransfer } from '../probes/put-transfer.ts'
import { boundless } from '../probes/rates.ts'
import { clientThreads } from '../probes/threads.ts'
import type { Transfer, TransferTry } from '../probes/types.ts'
import { join } from '../stores/path.ts'
import type { Store } from '../stores/store.ts'
import { keeper, type ProxiedPlace, proxiedPlace } from './canaries.ts'
import {
  access,
  bodyLimit,
  bucketSettings,
  leftovers,
  memory,
  multipartCanary,
  route,
  server,
  settings,
  signedAddresses,
  store,
  transfers,
} from './declarations.ts'
import type { Needed } from './needed.ts'
import { type Opening, opener } from './opener.ts'

/** Milliseconds that all canaries together take at most, so that a check answers within a minute on a slow line, too. */
const timeMs = 24_000
/** Milliseconds for a TCP or TLS handshake. */
const handshakeMs = 10_000
/** Milliseconds that the end of a run waits at least, and at most, for what a server may still store after its answer was lost. */
const lateMs = { least: 6000, most: 45_000 }
/** The same after an interruption, when somebody waits for the end; what comes later is removed by the next run. */
const interruptedMs = 3000
/** The rest of `--traffic` is for headers, and for what other probes send. */
const share = 0.95
/** `--traffic` unless told, in bytes. */
const usualTraffic = 100_000_000

export const transfersOpener = opener(transfers, async (opening: Opening<Needed>) => {
  const { context, open } = opening
  const by = await open(route)
  await open(leftovers).catch(ifTrouble)
  const plan = context.planned
  const kinds = plan ? new Set(plan.files.map(({ bytes }) => routeFor(by, bytes))) : routesOf(by)
  const budget = Math.floor(((context.trafficBytes ?? usualTraffic) * share) / Math.max(1, kinds.size))
  const measured = new Map<RouteKind, Transfer>()
  for (const kind of kinds) {
    const planned = plan?.files.flatMap(({ bytes }) => (routeFor(by, bytes) === kind ? [bytes] : [])) ?? []
    const each = { budget, planned, timeMs: timeMs / kinds.size }
    const result = kind === 'proxied-put' ? await whole(opening, by, each) : await inParts(opening, by, kind, each)
    measured.set(kind, result)
  }
  const main = measured.get('proxied-put') ?? [...measured.values()][0]
  const canaryBytes = [...measured.values()].flatMap(({ tries }) => tries).reduce((sum, { bytes }) => sum + bytes, 0)
  return {
    value: measured,
    facts: {
      canaryBytes,
      ...(main && !main.blurred && ratesOf(main)),
    },
  }
})

/** Rates that were measured; one that no canary noticed is none. */
const ratesOf = ({ uplink, relay }: Transfer) => ({
  ...(uplink && uplink.bytesPerSecond < boundless && { uplink: Math.round(uplink.bytesPerSecond) }),
  ...(relay && {
    ...(relay.bytesPerSecond < boundless && { relay: Math.round(relay.bytesPerSecond) }),
    relayFixed: Math.max(0, Math.round(relay.fixedMs)),
  }),
})

interface Share {
  readonly budget: number
  readonly planned: readonly number[]
  readonly timeMs: number
}

const whole = async (opening: Opening<Needed>, by: Route, share: Share): Promise<Transfer> => {
  const { context, open, signal, progress } = opening
  const tracked = await open(server)
  const { hold, name } = keeper(opening)
  const place = proxiedPlace(tracked, by.location)
  // Asked before anything is written: who may not delete must not write.
  const may = await open(access).catch(ifTrouble)
  if (may?.remove === false) return { tries: [], objection: 'this login may not delete what it writes' }
  // Older servers tell nothing of versions; who has credentials for the bucket behind one can ask it.
  const bucket = await open(bucketSettings).catch(ifTrouble)
  const versioning = bucket?.versioning
  if (versioning && 'told' in versioning && versioning.told !== 'off') return { tries: [], objection: keepsVersions }
  const barred = await place.remove(name(Date.now()), signal).catch((error) => withoutStore(error, place, signal))
  if (barred !== undefined) return { tries: [], barred }
  const stored = await anyFile(place, signal)
  const known = stored && (await versioned(tracked, by.location, stored, signal))
  if (known !== undefined) return { tries: [], objection: known }
  const declared = await open(bodyLimit).catch(ifTrouble)
  const accepted = declared?.unmeasured === undefined ? declared?.accepted : undefined

  const begin = async (): Promise<PutPlace> => {
    const path = name(Date.now())
    // Until it is told otherwise, the run was interrupted while the canary was on its way.
    let mayComeUntil: (() => number) | undefined = () => Date.now() + interruptedMs
    const end = await hold({ place: place.place, path }, async () => {
      if (mayComeUntil !== undefined) return place.removeLate(path, mayComeUntil())
      await place.remove(path)
    })
    return {
      url: place.urlOf(path),
      objection: () => versioned(tracked, by.location, path, signal),
      async remove(ms) {
        if (ms === undefined) {
          mayComeUntil = undefined
          return end()
        }
        const until = Date.now() + Math.min(lateMs.most, Math.max(lateMs.least, ms * 1.5))
        mayComeUntil = () => until
        // What comes later is removed when the run ends.
        await place.remove(path)
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

/**
 * What tells that the server does not get at its store at all: it can neither remove nor list. Wrong credentials and a
 * bucket that is not there look like this. Throws the error otherwise.
 */
const withoutStore = async (error: unknown, place: ProxiedPlace, signal: AbortSignal): Promise<string> => {
  const removal = error instanceof Trouble ? (error.status ?? 0) : 0
  if (removal < 500) throw error
  const listed: unknown = await place.list('', signal).catch((trouble: unknown) => trouble)
  const listing = listed instanceof Trouble ? (listed.status ?? 0) : 0
  // 403: the store knows the credentials and grants no list. Who may not list nor remove may still be allowed to write.
  if (listing < 400 || listing === 403) throw error
  return `the server answered ${removal} when a file was to be removed, and ${listing} when files were to be listed`
}

const keepsVersions = 'the bucket keeps versions of what is deleted'

/** Folders that are looked into for a file; a run's lie two or three below an experiment's. */
const mostLooks = 12

/** The path of any file that is stored there already and holds something; undefined when a short look finds none. */
const anyFile = async (place: ProxiedPlace, signal: AbortSignal): Promise<string | undefined> => {
  const folders = ['']
  for (let looks = 0; looks < mostLooks; looks += 1) {
    // The one found last first: down, not across.
    const folder = folders.pop()
    if (folder === undefined) return undefined
    const entries = (await place.list(folder, signal).catch(ifTrouble)) ?? []
    const file = entries.find((entry) => !entry.folder && (entry.size ?? 0) > 0)
    if (file) return join(folder, file.name)
    folders.push(...entries.flatMap((entry) => (entry.folder ? [join(folder, entry.name)] : [])))
  }
  return undefined
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
    return version !== undefined && version !== 'null' ? keepsVersions : undefined
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
  const tiny = await tinyUpload(open, kind)
  const unbegun = troubleOf(tiny, 'create')
  // A server that begins an upload and then cannot sign its parts leaves it behind, and tells no id by which to abort it.
  if (kind === 'signed-parts' && unbegun !== undefined) return { tries: [notBegun(unbegun)] }
  const unaborted = troubleOf(tiny, 'abort')
  if (unaborted !== undefined) {
    return { tries: [], objection: `an upload that is begun here cannot be aborted (${unaborted.why})` }
  }
  const { processors } = await open(memory)
  const { upload } = keeper(opening)
  const time = (await through.now(signal).catch(ifTrouble)) ?? Date.now()
  const partSize = Math.max(1, by.multipartChunk || (await open(settings)).multipartChunk)
  const maxParts = kind === 'signed-parts' ? (await open(signedAddresses).catch(ifTrouble))?.maxParts : undefined
  return partsTransfer(through, {
    ...share,
    partSize,
    ...(maxParts !== undefined && { most: maxParts * partSize }),
    threads: clientThreads(by, processors),
    begin: (bytes) => upload(through, { sourceSize: bytes, partSize }, time),
    signal,
    progress,
  })
}

/** The tiny upload that was tried in the same way; undefined where it went another. */
const tinyUpload = async (open: Opening<Needed>['open'], kind: RouteKind): Promise<MultipartCanary | undefined> => {
  // With one's own credentials for the store behind a server, the tiny one says nothing about the server's.
  const opened = await open(store).catch(ifTrouble)
  if ((kind === 'signed-parts') !== (opened?.kind === 'proxied')) return undefined
  return open(multipartCanary).catch(ifTrouble)
}

const troubleOf = (tiny: MultipartCanary | undefined, of: CanaryStep): Trouble | undefined =>
  tiny?.steps.find(({ step }) => step === of)?.trouble

const notBegun = ({ status, why }: Trouble): TransferTry => ({
  ...{ bytes: 0, parts: 1, bodyMs: 0, stallMs: 0 },
  ...(status !== undefined && { status }),
  failed: {
    how: status === undefined ? 'closed' : 'status',
    ...(status !== undefined && { status }),
    ...{ during: 'body', afterMs: 0, sentBytes: 0, why },
  },
})
