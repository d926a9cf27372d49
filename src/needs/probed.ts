/**
 * Needs that are measured by touching the network. Each probe is loaded when it is asked for: most commands ask for few of
 * them, and undici alone takes some 15 MiB.
 */
import { ifTrouble, NotApplicable } from '../errors.ts'
import { cloudTls, storeTls } from '../mlflow/trust.ts'
import { PhaseError } from '../probes/failures.ts'
import { proxyPlan } from '../probes/proxies.ts'
import type { Paced, Reach } from '../probes/types.ts'
import { keeper } from './canaries.ts'
import {
  bodyLimit,
  multipartCanary,
  paced,
  proxies,
  route,
  server,
  settings,
  signedAddresses,
  store,
  storeReach,
  target,
  trackingReach,
} from './declarations.ts'
import type { Needed } from './needed.ts'
import { type Opening, opener } from './opener.ts'

/** Milliseconds for each phase of a look at a host; a TCP handshake that takes longer is as good as none. */
const phaseMs = 10_000

const facts = ({ ms }: Reach) => ({ ...ms })

export const trackingReachOpener = opener(trackingReach, async ({ context, open, signal }: Opening<Needed>) => {
  const { trackingUri, trackingKind, tls } = await open(settings)
  if (trackingKind !== 'server') throw new NotApplicable('there is no tracking server to reach')
  // /health answers whatever the Host header says; only an API path shows a refusal of the name.
  const path = '/api/2.0/mlflow/experiments/get?experiment_id=0'
  const { reach } = await import('../probes/reach.ts')
  const value = await reach(trackingUri, {
    path,
    timeoutMs: phaseMs,
    signal,
    tls,
    env: context.host.env,
    role: 'tracking',
  })
  return { value, facts: facts(value) }
})

/** The library by which MLflow's client speaks to the store, and which therefore reads the proxy variables. */
const readerOf = (scheme: string): 'botocore' | 'requests' => (/^(?:s3|r2|b2)/.test(scheme) ? 'botocore' : 'requests')

export const storeReachOpener = opener(storeReach, async ({ context, open, signal }: Opening<Needed>) => {
  const { firstHop, scheme, proxied } = await open(route)
  if (proxied) throw new NotApplicable('the store is reached through the tracking server')
  if (!/^https?:/.test(firstHop)) throw new NotApplicable(`the store (${scheme}) is not reached over the network`)
  const { env } = context.host
  const asBy = readerOf(scheme)
  const tls = asBy === 'botocore' ? storeTls(await open(settings), env) : cloudTls(env)
  const role = /^(?:wasb|abfs)/.test(scheme) ? 'azure' : scheme === 'gs' ? 'google' : 'store'
  const { reach } = await import('../probes/reach.ts')
  const value = await reach(firstHop, { timeoutMs: phaseMs, signal, tls, env, role, asBy })
  return { value, facts: facts(value) }
})

/** A name below the artifact root, where a limit on the artifact location alone would hold. */
const belowRoot = (location: string): string => {
  const below = new URL(location, 'mlflow-artifacts:/').pathname.replace(/^\/+|\/+$/g, '')
  return `${below ? `${below}/` : ''}.mlflow-doctor-canary`
}
export const proxiesOpener = opener(proxies, async ({ context, open }: Opening<Needed>) => {
  const { trackingUri, trackingKind } = await open(settings)
  const by = await open(route)
  const { hops, ...rest } = proxyPlan(
    [
      ...(trackingKind === 'server' ? [{ role: 'tracking' as const, url: trackingUri, by: 'requests' as const }] : []),
      ...(!by.proxied && /^https?:/.test(by.firstHop)
        ? [
            {
              role: 'store' as const,
              url: by.firstHop,
              by: readerOf(by.scheme),
            },
          ]
        : []),
    ],
    context.host.env,
  )
  if (hops.length === 0) throw new NotApplicable('neither the tracking store nor the artifacts are reached over HTTP')
  const through = (role: 'tracking' | 'store') => hops.find((hop) => hop.role === role)?.proxy?.origin
  const [trackingProxy, storeProxy] = [through('tracking'), through('store')]
  return {
    value: { hops, ...rest },
    facts: {
      ...(trackingProxy !== undefined && { trackingProxy }),
      ...(storeProxy !== undefined && { storeProxy }),
    },
  }
})

export const bodyLimitOpener = opener(bodyLimit, async ({ context, open, signal }: Opening<Needed>) => {
  const { proxied, location } = await open(route)
  if (!proxied) throw new NotApplicable('the artifacts do not pass the tracking server')
  const spoken = await open(server)
  const probe = await import('../probes/body-limit.ts')
  const value = await probe.bodyLimit(spoken.uri, {
    path: `/api/2.0/mlflow-artifacts/artifacts/${belowRoot(location)}`,
    headers: spoken.headers,
    timeoutMs: phaseMs,
    signal,
    tls: spoken.settings.tls,
    env: context.host.env,
  })
  return {
    value,
    facts: {
      ...(value.unmeasured === undefined ? { bodyAccepted: value.accepted } : {}),
      requests: value.requests,
      ...(value.refused === undefined ? {} : { bodyRefused: value.refused }),
    },
  }
})

/** Bytes that a paced request declares: below the 1 MiB that nginx takes unless told, and more than is sent in all its time. */
const pacedBytes = 1_000_000

export const pacedOpener = opener(paced, async ({ context, open, signal, progress }: Opening<Needed>) => {
  if (context.pacedMs === undefined) throw new NotApplicable('--deep is not given')
  const { proxied, location } = await open(route)
  if (!proxied) throw new NotApplicable('the artifacts do not pass the tracking server')
  const spoken = await open(server)
  const declared = await open(bodyLimit).catch(ifTrouble)
  const most = declared?.refused === undefined ? pacedBytes : declared.accepted
  const probe = await import('../probes/paced.ts')
  const value = await probe
    .paced(spoken.uri, {
      // The first lies where uploads go, and MLflow has no use for a POST there. Flask answers it at once, though; it reads
      // the whole body of the second, which wants JSON and gets none.
      paths: ['artifacts', 'mpu/create'].map((call) => `/api/2.0/mlflow-artifacts/${call}/${belowRoot(location)}`),
      bytes: Math.min(pacedBytes, most),
      watchMs: context.pacedMs,
      headers: spoken.headers,
      timeoutMs: phaseMs,
      signal,
      progress,
      tls: spoken.settings.tls,
      env: context.host.env,
    })
    .catch(notReached)
  return {
    value,
    facts: {
      ...(value.unmeasured === undefined && { watched: Math.round(value.watchedMs) }),
      ...(value.idle && { longestPause: Math.round(value.idle.ms) }),
      ...(value.body && { longestBody: Math.round(value.body.ms) }),
    },
  }
})

/** No connection where there was one before is no news of any time-out. */
const notReached = (error: unknown): Paced => {
  if (!(error instanceof PhaseError)) throw error
  return { watchedMs: 0, unmeasured: error.failure.why }
}

export const multipartCanaryOpener = opener(multipartCanary, async (opening: Opening<Needed>) => {
  const { open, signal } = opening
  await open(target)
  const { upload } = keeper(opening)
  const probe = await import('../probes/multipart-canary.ts')
  return { value: await probe.multipartCanary(await open(store), { signal, begin: upload }), facts: {} }
})

export const signedAddressesOpener = opener(signedAddresses, async (opening: Opening<Needed>) => {
  const { open, signal } = opening
  const by = await open(route)
  if (!by.proxied || !by.multipart) throw new NotApplicable('no parts go by signed addresses')
  const { proxiedStore } = await import('../stores/proxied.ts')
  const signed = proxiedStore(await open(server), by.location, '')
  try {
    if (signed.route !== 'signed-parts') throw new NotApplicable('the server signs no parts')
    const sameWay = (await open(store).catch(ifTrouble))?.kind === 'proxied'
    const tiny = sameWay ? await open(multipartCanary).catch(ifTrouble) : undefined
    // What cannot be begun is not tried again: it may have been begun all the same, with nobody told how to abort it.
    if (tiny?.steps.some(({ step, trouble }) => step === 'create' && trouble !== undefined)) {
      throw new NotApplicable('no upload by signed addresses can be begun')
    }
    const time = (await signed.now(signal)) ?? Date.now()
    // Ten, since some names of blocks get longer with the tenth.
    const { upload, end } = await keeper(opening).upload(signed, { sourceSize: 10, partSize: 1 }, time)
    await end()
    if (upload.signed === undefined) throw new NotApplicable('the signed addresses do not tell how long they are valid')
    return { value: upload.signed }
  } finally {
    await signed.close()
  }
})
