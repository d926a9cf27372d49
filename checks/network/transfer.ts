import { defineCheck, type Finding, type Limit, type Remedy, type RouteKind } from '../../src/check.ts'
import { plannedUpload, route, server, trackingReach, transfers } from '../../src/needs/declarations.ts'
import { bytes, count, duration, exactBytes } from '../../src/words.ts'
import { closedInSilence, worker, workerAllows, workerRemedy } from '../proxy/products/patience.ts'
import { recognise } from '../proxy/products/recognise.ts'

type Measured = typeof transfers extends { readonly is?: infer V } ? NonNullable<V> : never
type Transfer = Measured extends ReadonlyMap<RouteKind, infer T> ? T : never
type Try = Transfer['tries'][number]
type Failure = NonNullable<Try['failed']>
type Failed = Try & { readonly failed: Failure }

/** Answers of a proxy whose patience is over: what they tell is a time, and another check's to judge. */
const timeOuts: ReadonlySet<number> = new Set([408, 502, 503, 504, 522, 524])
/** Milliseconds below which two cut connections say nothing about a time. */
const soonest = 1000
/** How far apart two figures may lie that are taken for the same. */
const alike = 1.15

const facts = { canary: 'bytes', passed: 'bytes', status: 'count', after: 'ms', took: 'ms' } as const

export default defineCheck({
  id: 'network/transfer',
  title: 'Canaries of growing size get through on the way that planned files take',
  severity: 'error',
  on: ['check'],
  answers: ['limits'],
  needs: [transfers, route],
  wants: [server, plannedUpload, trackingReach],
  facts,
  explain: {
    measures:
      "Uploads noise of growing size on each route that planned files take, under the name of a canary, and removes it again: whole files through the tracking server, parts by signed addresses, parts to the store, or a file in a folder; uploads in parts are aborted and never completed. `--traffic` bounds all canaries together, and a planned file below it is tried at its full size. The last byte sent is timed apart from the answer, which shows the server's way to its store. A canary that fails is sent again, and its size closed in on. Right to delete and kept versions are asked for first.",
    breaks:
      'Whatever the upload would meet: a server that may not write to its store, a body limit that counts bytes as they arrive, a full disk behind the server or the proxy, connections that are cut after a time or a number of bytes. The MLflow client prints the same few words for all of them ("too many 500 error responses", "Connection aborted").',
    remedy:
      'The finding names the hop. Servers of MLflow 3.3 to 3.11 copy a body again for each piece that arrives; 3.12 and later do not. Where only the server knows the reason, its log has it: its credentials, its bucket and its temp folder are not visible from outside.',
  },
  async *run({ transfers: measured, route, server, plannedUpload: plan, trackingReach: reach }) {
    const inFront = recognise({ ...reach, host: URL.parse(route.firstHop)?.hostname })
    // Such an end tells of a time, and is another check's to judge.
    const pausing = ({ failed }: Failed): boolean => closedInSilence(failed, inFront) !== undefined
    const inStore = server?.info.multipartUploads === true
    const inParts = (size: number): boolean => route.multipart && size >= route.multipartMinimum
    for (const [kind, transfer] of measured) {
      const at = kind === 'folder-copy' ? route.location : route.firstHop
      const software = reach?.software ?? server?.info.software
      yield* judged(kind, transfer, at, { inStore, software, pausing })
      if (transfer.barred !== undefined) yield* barredBy(transfer.barred, kind, at)
      if (transfer.objection !== undefined) {
        yield {
          kind: 'gap',
          at,
          cannot: 'see',
          because: `${transfer.objection}, so no canary${transfer.tries.length > 0 ? ' beyond the first' : ''} was written, and neither rates nor limits by size are measured on this route`,
          unexpected: false,
          about: 'limits',
        }
      }
      if (transfer.quadratic) yield growing(transfer, at)
      const passed = passedOf(transfer.tries)
      const larger = plan === undefined || plan.files.some((file) => file.bytes > passed && !inParts(file.bytes))
      if (kind === 'proxied-put' && passed >= 0 && larger) {
        yield {
          kind: 'gap',
          at,
          cannot: 'see',
          because: `the server ${inStore ? 'first writes each whole file to its own temp folder' : 'keeps files, or at least spools them, on its own disk'}; how much room it has there does not show from outside, beyond the ${bytes(passed)} that a canary took`,
          unexpected: false,
          about: 'limits',
        }
      }
    }
  },
})

const passedOf = (tries: readonly Try[]): number =>
  tries.reduce((most, { failed, bytes: size }) => (failed === undefined ? Math.max(most, size) : most), -1)

interface Known {
  readonly inStore: boolean
  /** The `Server` header. */
  readonly software: string | undefined
  pausing(one: Failed): boolean
}

function* judged(
  kind: RouteKind,
  { tries }: Transfer,
  at: string,
  known: Known,
): Generator<Finding<typeof facts> | Limit> {
  const passed = passedOf(tries)
  const failed = tries.filter((one): one is Failed => one.failed !== undefined && one.bytes > passed)
  const [first] = failed
  if (first === undefined) return
  const last = failed.at(-1) ?? first
  const { failed: failure } = last
  if (passed >= 0 && failure.status !== undefined && timeOuts.has(failure.status)) return
  if (passed < 0 && failure.status !== undefined && timeOuts.has(failure.status) && failure.afterMs > soonest) return
  if (kind === 'proxied-put' && failed.length > 1 && failed.every(known.pausing)) return
  const cause = passed < 0 ? never(kind, failure) : boundary(kind, failed, passed, known)
  if (cause === undefined) return
  const { remedy, remedyFor, ...limit } = cause
  yield { kind: 'limit', basis: 'measured', routes: [kind], remedy: remedyFor ?? (() => remedy), ...limit }
  yield {
    kind: 'finding',
    at,
    says: limit.because,
    facts: {
      canary: last.bytes,
      ...(passed >= 0 && { passed }),
      ...(failure.status !== undefined && { status: failure.status }),
      after: Math.round(failure.afterMs),
    },
    // A limit that no planned file meets is no error; the forecast says which files do.
    ...(passed >= 0 && { severity: 'warning' as const }),
    remedy,
  }
}

type Cause = Pick<Limit, 'hop' | 'setting' | 'scope' | 'max' | 'because'> & {
  readonly remedy: Remedy
  /** Where the value can be worked out. */
  readonly remedyFor?: Limit['remedy']
}

/** Not even the smallest canary gets through. */
const never = (kind: RouteKind, failure: Failure): Cause => {
  const none = { scope: 'file', max: { bytes: 0 } } as const
  if (kind === 'signed-parts' && (failure.status ?? 0) >= 500 && failure.sentBytes === 0) {
    return {
      ...none,
      hop: 'server',
      setting: 'signing of parts',
      because: `the server offers to sign addresses for parts, and cannot: ${failure.why}`,
      remedy: {
        text: "Read the server's log: its login may have no key to sign with, or be wrong. Until then, have whole files go through the server.",
        commands: ['export MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=false'],
      },
    }
  }
  if (kind !== 'proxied-put') {
    const hop = kind === 'signed-parts' && failure.status === undefined ? 'network' : 'store'
    return {
      ...none,
      hop,
      setting: hop === 'network' ? 'host of the signed addresses' : 'store',
      because: `no part gets through: ${failure.why}`,
      remedy: {
        text:
          kind === 'signed-parts'
            ? 'Let this machine reach the host that the server signs addresses for, or have the client send whole files through the server.'
            : 'Mend what the store says, then run the check again.',
        ...(kind === 'signed-parts' && { commands: ['export MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=false'] }),
      },
    }
  }
  if (failure.status === 401 || failure.status === 403) {
    return {
      ...none,
      hop: 'server',
      setting: 'permission to write artifacts',
      because: `no artifact may be written: ${failure.why}`,
      remedy: { text: 'Ask for EDIT permission on the experiment, or log in as a user who has it.' },
    }
  }
  return {
    ...none,
    hop: 'relay',
    setting: "the server's access to its store",
    because: `not even a file of 1 KiB can be written: ${failure.why}`,
    remedy: {
      text: "Read the server's log: from outside, wrong or missing credentials, a bucket that is not there, a missing right to write and a full disk all look like this.",
    },
  }
}

/** Nothing was written, for nobody could have removed it. */
function* barredBy(barred: string, kind: RouteKind, at: string): Generator<Finding<typeof facts> | Limit> {
  const because = `${barred}: its store is out of its reach, or its credentials are wrong`
  const remedy = {
    text: "Read the server's log: its credentials, its bucket and the way to its store are not visible from outside.",
  }
  const setting = "the server's access to its store"
  const common = { hop: 'relay', setting, scope: 'file', max: { bytes: 0 }, routes: [kind], because } as const
  yield { kind: 'limit', basis: 'assumed', remedy: () => remedy, ...common }
  yield { kind: 'finding', at, says: because, facts: {}, remedy }
}

const near = (values: readonly number[]): boolean => Math.max(...values) <= Math.min(...values) * alike

/** Smaller canaries got through, and these did not. */
const boundary = (kind: RouteKind, failed: readonly Failed[], passed: number, known: Known): Cause | undefined => {
  const smallest = failed.reduce((least, one) => (one.bytes < least.bytes ? one : least))
  const { failed: failure } = smallest
  // As long as the client waits: its own patience is another check's.
  if (failure.how === 'silent') return undefined
  const between = `${exactBytes(passed)} got through, and ${exactBytes(smallest.bytes)} did not: ${failure.why}`
  if (failure.status === 413) {
    return {
      hop: 'proxy',
      setting: 'request body size',
      scope: 'request',
      max: { bytes: passed },
      because: between,
      remedy: {
        text: `Raise the request size limit of ${failure.by ?? 'what answers'}, which counts bytes as they arrive or stands behind another proxy.`,
      },
    }
  }
  const ended = failed.filter(({ failed: { by, afterMs } }) => by === 'gunicorn' && afterMs >= soonest)
  if (ended.length > 0) return byWorker(ended, `gunicorn ended its worker after`)
  const cut = failed.filter(({ failed: { how } }) => how === 'closed')
  const times = cut.map(({ failed: { afterMs } }) => afterMs)
  const sizes = cut.map(({ failed: { sentBytes } }) => sentBytes)
  const differ = new Set(cut.map((one) => one.bytes)).size > 1
  // Of parts, only the time of the whole upload is known, and that of no connection.
  if (kind === 'proxied-put' && cut.length === failed.length && cut.length > 1) {
    if (near(times) && Math.min(...times) >= soonest && (!near(sizes) || !differ)) {
      if (/gunicorn/i.test(known.software ?? ''))
        return byWorker(cut, `gunicorn answers here, and ${count(cut.length, 'connection')} were cut after`)
      const ms = Math.round(Math.min(...times))
      return {
        hop: 'network',
        setting: 'how long a connection may last',
        scope: 'request',
        max: { ms },
        because: `${count(cut.length, 'connection')} were cut after ${duration(ms)}, whatever had been sent by then`,
        remedy: {
          text: 'Look for what ends connections after that time: a worker time-out of gunicorn (mlflow server --gunicorn-opts "--timeout SECONDS"), a load balancer, a firewall.',
        },
      }
    }
    const seen = near(sizes) && cut.every(({ failed: { during } }) => during === 'body')
    // What has no room left answers with an error. Buffers hide how far bodies got that were cut soon and each time without a word.
    if (differ && (seen || Math.max(...times) < soonest)) {
      const most = seen ? Math.min(...sizes) : passed
      return {
        hop: 'network',
        setting: 'bytes that one connection carries',
        scope: 'request',
        max: { bytes: most },
        because: seen
          ? `connections were cut after some ${exactBytes(most)}, whatever the size of the file`
          : `${between}; nothing larger did either`,
        remedy: { text: 'Look for what counts bytes on the way: a gateway, a firewall, a quota.' },
      }
    }
  }
  const disk = (hop: Limit['hop'], setting: string, text: string): Cause => ({
    hop,
    setting,
    scope: 'file',
    max: { bytes: passed },
    because: between,
    remedy: { text },
  })
  if (kind !== 'proxied-put') return disk('store', 'store', 'Mend what the store says, then run the check again.')
  if (/nginx|openresty/i.test(failure.by ?? '')) {
    return disk(
      'proxy',
      'client_body_temp_path',
      'nginx writes each body to its own disk first, and that is full: make room at client_body_temp_path, or set proxy_request_buffering off for the artifacts.',
    )
  }
  return known.inStore
    ? disk(
        'server',
        'TMPDIR of the server',
        'The server first writes each whole file to its temp folder: give its TMPDIR room for the largest file times the uploads at once, or have files go in parts. Its log tells whether it was that.',
      )
    : disk(
        'store',
        'disk of the server',
        "The server's disk, where the artifacts or its temp files lie, has no room: its log tells which.",
      )
}

/** The worker's time is counted in whole seconds. */
const byWorker = (failed: readonly Failed[], says: string): Cause => {
  const ms = Math.min(...failed.map(({ failed: { afterMs } }) => afterMs))
  return {
    ...worker,
    max: { ms: workerAllows(ms) },
    because: `${says} ${duration(ms)}`,
    remedy: workerRemedy(undefined),
    remedyFor: workerRemedy,
  }
}

const growing = ({ tries }: Transfer, at: string): Finding<typeof facts> => {
  const [first, second] = tries
    .filter(({ failed }) => failed === undefined)
    .toSorted((a, b) => b.bytes - a.bytes)
    .slice(0, 2)
  const took = ({ bodyMs, answerMs = 0 }: Try): number => bodyMs + answerMs
  const [large, small] = [first as Try, second as Try]
  return {
    kind: 'finding',
    at,
    severity: 'warning',
    says: `the time grows faster than the size: ${bytes(small.bytes)} took ${duration(took(small))} and ${bytes(large.bytes)} ${duration(took(large))}, as on servers that copy the body again for each piece that arrives (MLflow 3.3 to 3.11)`,
    facts: { canary: large.bytes, took: Math.round(took(large)) },
    remedy: { text: 'Upgrade the server to MLflow 3.15 or later, or have large files go in parts.' },
  }
}
