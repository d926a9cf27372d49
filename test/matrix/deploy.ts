import { execFileSync } from 'node:child_process'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { HeadObjectCommand, ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { startHaproxy } from '../lab/haproxy.ts'
import { type MlflowServer, startMlflow } from '../lab/mlflow.ts'
import { startNginx } from '../lab/nginx.ts'
import { s3Env, s3Sdk } from '../lab/s3.ts'
import { freshDir, removeDir } from '../lab/scratch.ts'
import { type S3Server, startSeaweed } from '../lab/seaweed.ts'
import { startThrottle } from '../lab/throttle.ts'
import { startToxiproxy, type Toxiproxy } from '../lab/toxiproxy.ts'
import { startVersitygw } from '../lab/versitygw.ts'
import { type Cloud, elsewhere, startAzure, startGoogle } from './clouds.ts'
import { startStall } from './stall.ts'
import type { Front, Link, Site } from './types.ts'

interface Stoppable {
  stop(): Promise<void>
}

/** Ends what was begun, the latest first, whatever goes wrong with one of them. */
export class Stack {
  readonly #ends: (() => unknown)[] = []
  add(end: () => unknown): void {
    this.#ends.push(end)
  }
  async keep<T extends Stoppable>(starting: Promise<T>): Promise<T> {
    const started = await starting
    this.add(() => started.stop())
    return started
  }
  async end(): Promise<void> {
    const wrong: unknown[] = []
    for (const end of this.#ends.splice(0).reverse()) {
      try {
        await end()
      } catch (error) {
        wrong.push(error)
      }
    }
    if (wrong.length > 0) throw new AggregateError(wrong, 'not everything could be stopped')
  }
}

/** A disk of so many bytes: a tmpfs, which root alone may mount. Undefined size: a plain folder. */
export const disk = async (stack: Stack, bytes: number | undefined): Promise<string> => {
  const dir = await freshDir('disk')
  stack.add(() => removeDir(dir))
  if (bytes !== undefined) {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'none', dir], { stdio: 'ignore' })
    // Lazily: a worker that is still dying may hold a file there.
    stack.add(() => execFileSync('umount', ['-l', dir]))
  }
  return dir
}

/** A site that runs: where its clients go, and a look into its store past everything that stands in the way. */
export interface RunningSite {
  readonly url: string
  /** What clients need to know besides the tracking URI. */
  readonly env: Readonly<Record<string, string>>
  /** Bytes of a stored artifact; undefined when it is not there. */
  stored(uri: string): Promise<number | undefined>
  /** Names of canaries and of open uploads of canaries in the store, below an experiment of this id. */
  canaries(experiment: string): Promise<readonly string[]>
  newExperiment(): Promise<{ id: string; name: string }>
  /** Makes room again on a small disk: takes away what an experiment has stored there. */
  clear(experiment: string): Promise<void>
  /** Resolves when the server has ended what it still brings to its store for clients that have given up. */
  quiet(): Promise<void>
}

/** Stores and toxiproxy, one each, begun when the first site asks. */
export class Shared {
  readonly #stack = new Stack()
  readonly #stores = new Map<string, Promise<S3Server>>()
  #toxic: Promise<Toxiproxy> | undefined

  store(kind: 'seaweed' | 'versitygw'): Promise<S3Server> {
    const known = this.#stores.get(kind)
    const store =
      known ??
      this.#stack.keep(
        kind === 'versitygw'
          ? startVersitygw()
          : startSeaweed({
              identities: [
                { name: 'reader', accessKey: 'labreader', secretKey: 'labreadersecret', actions: ['Read', 'List'] },
                { name: 'writer', accessKey: 'labwriter', secretKey: 'labwritersecret', actions: ['Write'] },
              ],
            }),
      )
    this.#stores.set(kind, store)
    return store
  }
  readonly #clouds = new Map<string, Promise<Cloud>>()
  cloud(kind: 'azurite' | 'gcs'): Promise<Cloud> {
    const cloud = this.#clouds.get(kind) ?? this.#stack.keep(kind === 'azurite' ? startAzure() : startGoogle())
    this.#clouds.set(kind, cloud)
    return cloud
  }
  toxiproxy(): Promise<Toxiproxy> {
    this.#toxic ??= this.#stack.keep(startToxiproxy())
    return this.#toxic
  }
  /** Where `upstream` is reached over such a link, and what has gone over it, in bytes, where it is a slow one. */
  async over(link: Link | undefined, upstream: string, stack: Stack): Promise<{ url: string; sent(): number }> {
    let url = upstream
    let sent = () => 0
    if (link?.bytesPerSecond !== undefined) {
      const throttle = await stack.keep(startThrottle({ upstream: url, bytesPerSecond: link.bytesPerSecond }))
      url = throttle.url
      sent = throttle.sent
    }
    if (link?.pause !== undefined) url = (await stack.keep(startStall({ upstream: url, ...link.pause }))).url
    if (link?.latency !== undefined || link?.cutAfter !== undefined) {
      const toxic = await (await this.toxiproxy()).proxy(url)
      const { latency, cutAfter } = link
      if (latency !== undefined) await toxic.toxic({ type: 'latency', attributes: { latency } })
      if (cutAfter !== undefined) {
        await toxic.toxic({ type: 'limit_data', stream: 'upstream', attributes: { bytes: cutAfter } })
      }
      stack.add(() => toxic.enable(false))
      url = toxic.url
    }
    return { url, sent }
  }
  end(): Promise<void> {
    return this.#stack.end()
  }
}

/** A name that only a Python with this `sitecustomize` resolves. */
const hidden = 'store.hidden.invalid'
const sitecustomize = `import socket
real = socket.getaddrinfo
def getaddrinfo(host, *args, **kwargs):
    return real("127.0.0.1" if host == "${hidden}" else host, *args, **kwargs)
socket.getaddrinfo = getaddrinfo
`

const resolvesHidden = async (stack: Stack): Promise<Record<string, string>> => {
  const dir = await disk(stack, undefined)
  await writeFile(join(dir, 'sitecustomize.py'), sitecustomize)
  return { PYTHONPATH: dir }
}

export const startSite = async (site: Site, shared: Shared, stack: Stack): Promise<RunningSite> => {
  const common = {
    ...(site.version !== undefined && { version: site.version }),
    ...(site.engine !== undefined && { engine: site.engine }),
    ...(site.gunicornOpts !== undefined && { gunicornOpts: site.gunicornOpts }),
    ...(site.workers !== undefined && { workers: site.workers }),
    ...(site.args !== undefined && { args: site.args }),
  }
  const temp: Record<string, string> =
    site.serverTemp === undefined ? {} : { TMPDIR: await disk(stack, site.serverTemp) }
  if (site.store === 'folder') {
    const destination = await disk(stack, site.storeDisk)
    const server = await stack.keep(startMlflow({ ...common, env: temp, artifactsDestination: destination }))
    return {
      url: server.url,
      env: {},
      newExperiment: () => newExperiment(server),
      quiet: async () => {},
      clear: (experiment) => removeDir(join(destination, experiment)),
      stored: async (uri) => {
        const size = await stat(join(destination, pathOf(uri))).then(
          (found) => found.size,
          () => undefined,
        )
        return size
      },
      canaries: async (experiment) =>
        execFileSync('find', [destination, '-path', `*/${experiment}/*`, '-name', '*mlflow-doctor-canary*'], {
          encoding: 'utf8',
        })
          .split('\n')
          .filter((line) => line !== ''),
    }
  }
  if (site.store === 'azurite' || site.store === 'gcs') return cloudSite(site, site.store, shared, stack, common)
  const store = await shared.store(site.store)
  const bucket = site.access === 'no bucket' ? 'lab-not-there' : await store.bucket()
  const root = `s3://${bucket}/mlflow`
  const keys =
    site.access === 'read only'
      ? { accessKey: 'labreader', secretKey: 'labreadersecret' }
      : site.access === 'write only'
        ? { accessKey: 'labwriter', secretKey: 'labwritersecret' }
        : site.access === 'wrong secret'
          ? { accessKey: store.accessKey, secretKey: 'wrong' }
          : {}
  const relay = await shared.over(site.relay, store.endpoint, stack)
  let endpoint = relay.url
  let python: Record<string, string> = {}
  if (site.hiddenStore) {
    python = await resolvesHidden(stack)
    endpoint = endpoint.replace('127.0.0.1', hidden)
  }
  const own = s3Env({ ...store, ...keys, endpoint })
  const server = await stack.keep(
    startMlflow({
      ...common,
      env: { ...own, ...temp, ...python },
      ...(site.direct ? { defaultArtifactRoot: root } : { artifactsDestination: root }),
    }),
  )
  const sdk = s3Sdk(store)
  return {
    url: server.url,
    env: site.direct ? own : {},
    newExperiment: () => newExperiment(server),
    quiet: () => quiet(relay.sent),
    clear: async () => {},
    stored: async (uri) => {
      const key = site.direct ? uri.slice(`s3://${bucket}/`.length) : `mlflow/${pathOf(uri)}`
      const found = await sdk.send(new HeadObjectCommand({ Bucket: bucket, Key: key })).catch(() => undefined)
      return found?.ContentLength
    },
    canaries: async (experiment) => {
      if (site.access === 'no bucket') return []
      const below = `mlflow/${experiment}/`
      const { Uploads = [] } = await sdk.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
      const { Contents = [] } = await sdk.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: below }))
      return [...Uploads, ...Contents].flatMap(({ Key = '' }) =>
        Key.startsWith(below) && Key.includes('mlflow-doctor-canary') ? [Key] : [],
      )
    },
  }
}

const cloudSite = async (
  site: Site,
  kind: 'azurite' | 'gcs',
  shared: Shared,
  stack: Stack,
  common: Parameters<typeof startMlflow>[0],
): Promise<RunningSite> => {
  const cloud = await shared.cloud(kind)
  const place = await cloud.place()
  const root = site.access === 'no bucket' ? elsewhere(place.root) : place.root
  const relay = await shared.over(site.relay, cloud.origin, stack)
  const named = site.hiddenStore === true ? relay.url.replace('127.0.0.1', hidden) : relay.url
  const env = place.env(named, site.access)
  const python = site.hiddenStore === true ? await resolvesHidden(stack) : {}
  const server = await stack.keep(
    startMlflow({
      ...common,
      ...(site.direct ? { defaultArtifactRoot: root } : { artifactsDestination: root, env: { ...env, ...python } }),
    }),
  )
  return {
    url: server.url,
    env: site.direct ? env : {},
    newExperiment: () => newExperiment(server),
    quiet: () => quiet(relay.sent),
    clear: async () => {},
    stored: (uri) => place.size(site.direct ? pathOf(uri) : `mlflow/${pathOf(uri)}`),
    canaries: async (experiment) =>
      (await place.names(`mlflow/${experiment}/`)).filter((name) => name.includes('mlflow-doctor-canary')),
  }
}

/** Milliseconds without a byte on the relay after which nothing more is to come, and the most that is waited for it. */
const quietMs = { long: 800, most: 30_000 }

const quiet = async (sent: () => number): Promise<void> => {
  const until = Date.now() + quietMs.most
  let [last, since] = [sent(), Date.now()]
  if (last === 0) return
  while (Date.now() < until && Date.now() - since < quietMs.long) {
    await pause(100)
    if (sent() !== last) [last, since] = [sent(), Date.now()]
  }
}

/** Below the destination: `mlflow-artifacts:/1/…`, whatever host it names. */
const pathOf = (uri: string): string => new URL(uri).pathname.replace(/^\//, '')

let experiments = 0

const newExperiment = async (server: MlflowServer): Promise<{ id: string; name: string }> => {
  const name = `matrix-${++experiments}`
  const answer = await fetch(`${server.url}/api/2.0/mlflow/experiments/create`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
  })
  const { experiment_id: id } = (await answer.json()) as { experiment_id?: string }
  if (id === undefined) throw new Error(`no experiment was made: ${answer.status}`)
  return { id, name }
}

/** The proxies, the innermost started first; gives the address of the outermost. */
export const startFronts = async (fronts: readonly Front[], upstream: string, stack: Stack): Promise<string> => {
  let url = upstream
  for (const front of fronts.toReversed()) {
    if ('nginx' in front) {
      let directives = front.nginx.replaceAll('UPSTREAM', url)
      if (front.bodyDisk !== undefined) {
        const dir = join(await disk(stack, front.bodyDisk), 'body')
        await mkdir(dir)
        directives = `client_body_temp_path ${dir}; ${directives}`
      }
      const location = front.location === undefined ? {} : { location: front.location }
      url = (await stack.keep(startNginx({ upstream: url, directives, ...location }))).url
    } else url = (await stack.keep(startHaproxy({ upstream: url, ...front.haproxy }))).url
  }
  return url
}
