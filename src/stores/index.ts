import { stat } from 'node:fs/promises'
import { Trouble } from '../errors.ts'
import { below, isLocal, localPath, schemeOf, withoutSecrets } from '../mlflow/location.ts'
import { s3Compatible } from '../mlflow/s3-compatible.ts'
import type { TrackingServer } from '../mlflow/server.ts'
import type { Settings, Target, Tracking } from '../mlflow/types.ts'
import type { Store } from './store.ts'

/** Where the store is opened from. */
export interface Surroundings {
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Relative locations start here. */
  readonly cwd: string
  readonly signal?: AbortSignal
}

type Open = (location: string, reached: string, settings: Settings, around: Surroundings) => Promise<Store>

/** One entry per kind of store that this machine can reach itself; each imports its SDK only when it is asked for. */
const direct: Readonly<Record<string, Open>> = {
  s3: async (location, reached, settings, { env }) => {
    const { connectS3 } = await import('./s3-client.ts')
    const { parseS3Uri, s3Store } = await import('./s3.ts')
    const root = parseS3Uri(location)
    const connection = await connectS3(settings, env)
    return s3Store(connection, root, settings, `${connection.identity} at ${connection.endpoint}, ${reached}`)
  },
  wasbs: async (location, reached, settings, { env }) => {
    const { connectAzure } = await import('./azure-client.ts')
    const { azureStore } = await import('./azure.ts')
    const { parseAzureUri } = await import('./azure-address.ts')
    const root = parseAzureUri(location)
    const connection = await connectAzure(root, settings, env)
    return azureStore(connection, root, `${connection.identity} at ${connection.endpoint}, ${reached}`)
  },
  r2: async (location, reached, settings, { env }) => {
    const { connectS3 } = await import('./s3-client.ts')
    const { s3Store } = await import('./s3.ts')
    const root = s3Compatible(location)
    if (root === undefined) throw new RangeError(schemeOf(location))
    const { host, hostname } = new URL(root.endpoint)
    if (!root.own && !settings.trustedHosts.some((each) => each === host || each === hostname)) {
      throw new Trouble({
        kind: 'denied',
        what: `cannot open ${withoutSecrets(location)}`,
        why: `${host} is no host of that provider, and your credentials are not sent to it`,
        todo: `Name it by --trust-host ${host} if it is yours`,
      })
    }
    const { addressing, region } = root
    const theirs = { ...settings, s3: { ...settings.s3, endpoint: root.endpoint, addressing, region } }
    const connection = await connectS3(theirs, env, root.endpoint)
    return s3Store(connection, root, theirs, `${connection.identity} at ${connection.endpoint}, ${reached}`)
  },
  gs: async (location, reached, settings, { env }) => {
    const { connectGcs } = await import('./gcs-client.ts')
    const { gcsStore, parseGcsUri } = await import('./gcs.ts')
    const root = parseGcsUri(location)
    const connection = await connectGcs(settings, env)
    return gcsStore(connection, root, `${connection.identity} at ${connection.endpoint}, ${reached}`)
  },
  file: async (location, reached, _settings, { cwd }) => {
    const { folderStore } = await import('./folder.ts')
    return folderStore(localPath(location, cwd), `as a folder of this machine, ${reached}`)
  },
}
const sameAs: Readonly<Record<string, string>> = {
  '': 'file',
  s3a: 's3',
  s3n: 's3',
  wasb: 'wasbs',
  abfss: 'wasbs',
  abfs: 'wasbs',
  b2: 'r2',
}

/** What MLflow writes to by libraries that only Python has. */
const beyond: readonly string[] = ['dbfs', 'hdfs', 'viewfs', 'sftp', 'ftp']

/** Opens a store that needs no tracking server. Throws `Trouble` (`unsupported`) for schemes that this version does not reach. */
const openDirect: Open = async (location, reached, settings, around) => {
  const scheme = schemeOf(location)
  const open = direct[sameAs[scheme] ?? scheme]
  if (open !== undefined) return open(location, reached, settings, around)
  const known = beyond.includes(scheme)
  throw new Trouble({
    kind: 'unsupported',
    what: `cannot open ${withoutSecrets(location)}`,
    why: known
      ? `MLflow writes to ${scheme}: stores, and this tool does not speak with them: whether files there are whole is not known`
      : `${scheme}: stores are not supported by this version`,
    todo: known
      ? 'Check the host, the server and the proxies with mlflow-doctor check, and the files with the tools of that store; behind a server that keeps its artifacts there, scan goes through the server'
      : 'Use a store of the scheme s3:, r2:, b2:, wasbs:, abfss: or gs:, or a folder',
  })
}

const isServer = (tracking: Tracking | undefined): tracking is TrackingServer => tracking?.kind === 'server'

/**
 * The artifact store of a target, by the best way that the settings allow: the store itself where its address is known and
 * this machine has credentials, else through the tracking server. Throws `Trouble`.
 */
export const openStore = async (
  target: Target,
  settings: Settings,
  tracking: Tracking | undefined,
  around: Surroundings,
): Promise<Store> => {
  const location = target.artifactUri
  const proxied = ['mlflow-artifacts', 'http', 'https'].includes(schemeOf(location))
  if (!proxied) return openDirect(location, 'at the location that MLflow tracks', settings, around)
  if (!isServer(tracking)) {
    throw new Trouble({
      kind: 'usage',
      what: `cannot open ${withoutSecrets(location)}`,
      why: 'its artifacts are served by a tracking server, and none is set',
      todo: 'Set MLFLOW_TRACKING_URI to the server',
    })
  }
  const { proxiedRoot } = await import('./proxied-location.ts')
  const root = proxiedRoot(location, tracking.uri)
  if (settings.artifactsDestination !== undefined) {
    const destination = settings.artifactsDestination
    if (isLocal(destination)) await requireFolder(localPath(destination, around.cwd))
    const place = withWorkspace(root, settings)
    return openDirect(
      below(destination, place),
      'at the destination given by --artifacts-destination',
      settings,
      around,
    )
  }
  const { proxiedStore } = await import('./proxied.ts')
  const { learnStore } = await import('./learned.ts')
  const learned = await learnStore(tracking, root, settings, around)
  if ('store' in learned) return learned.store
  return proxiedStore(tracking, location, `through the tracking server ${tracking.uri}${learned.because}`)
}

/** With workspaces, the server keeps each one's artifacts below `workspaces/<name>` (`_get_workspace_scoped_repo_path_if_enabled`, MLflow 3.17.2). */
const withWorkspace = (root: string, { workspace }: Settings): string =>
  workspace === undefined || root.startsWith('workspaces/') ? root : `workspaces/${workspace}/${root}`

/** A mistyped destination must not be taken for an empty store. */
const requireFolder = async (dir: string): Promise<void> => {
  const is = await stat(dir).catch(() => undefined)
  if (is?.isDirectory() === true) return
  throw new Trouble({
    kind: 'usage',
    what: `cannot open the artifacts destination ${dir}`,
    why: is === undefined ? 'there is no such folder on this machine' : 'it is not a folder',
    todo: 'Correct --artifacts-destination, or leave it out',
  })
}
