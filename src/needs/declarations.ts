/** Every need that a check can ask for: name, cost, scope and figures. How each is opened stands in the other files of this folder. */
import type { Gap, RouteKind } from '../check.ts'
import { need } from '../check.ts'
import type { FolderFinding } from '../formats/folders.ts'
import type { HostMemory, ProcessLimits, Room, TempFolder } from '../host/types.ts'
import type { ModelBundle } from '../mlflow/bundle.ts'
import type { Client } from '../mlflow/client.ts'
import type { Expiring } from '../mlflow/expiry.ts'
import type { ModelFile } from '../mlflow/mlmodel.ts'
import type { Registry } from '../mlflow/registry.ts'
import type { Route } from '../mlflow/route.ts'
import type { TrackingServer } from '../mlflow/server.ts'
import type { LoggedModel, ModelVersion, RunStatus, Settings, Target, Tracking } from '../mlflow/types.ts'
import type { MultipartCanary } from '../probes/multipart-canary.ts'
import type { ProxyPlan } from '../probes/proxies.ts'
import type { BodyLimit, Paced, Reach, Transfer } from '../probes/types.ts'
import type { BucketSettings, ChecksumTry, Right } from '../stores/bucket.ts'
import type { Keeping, PassedOver, SignedFor, Store, StoredFile } from '../stores/store.ts'
import type { Manifest } from '../transfer/manifest.ts'
import type { Untold } from './side-by-side.ts'

/** A file that is going to be uploaded. `path` is relative to the artifact root; `bytes` in bytes. */
export interface PlannedFile {
  readonly path: string
  readonly bytes: number
}

/** A local folder that holds what the store should hold. */
export interface LocalTree {
  readonly dir: string
  /** Where a folder that nobody named was found; absent where the user named it. */
  readonly origin?: string
  /** Path below the target's root to the file's place and size in bytes; regular files only. */
  readonly files: ReadonlyMap<string, { readonly file: string; readonly bytes: number }>
  /** What lies there and was left out, such as a link that leaves the folder, and why. */
  readonly problems?: readonly { readonly path: string; readonly why: string }[]
}

/** An MLmodel and the folder that it lies in: empty for the root, else ending in `/`. */
export interface PlacedModel {
  readonly folder: string
  /** Why it could not be understood, in place of its content. */
  readonly content: ModelFile | { readonly malformed: string }
}

export interface Listing {
  readonly files: ReadonlyMap<string, StoredFile>
  readonly bytes: number
  /** One section of many of a huge root, cut where no MLmodel and no manifest speaks of files on both sides. */
  readonly partial?: boolean
  /** What was met and could not be listed: whether a file lies at or below one of these is not known. */
  readonly passedOver?: readonly PassedOver[]
}

export interface PlannedUpload {
  readonly files: readonly PlannedFile[]
  readonly largest: number
  readonly total: number
  /** What will be called: `log_model` writes a full copy to the client's temp folder first. */
  readonly as: 'log_model' | 'log_artifact'
  /** The model folder that `--model` names. */
  readonly dir?: string
}

/** `--training-time` in milliseconds: how long after now the upload begins. Not applicable where it is not given. */
export const trainingTime = need<number>()({ name: 'trainingTime', touches: 'nothing', scope: 'run', facts: {} })
export const settings = need<Settings>()({ name: 'settings', touches: 'nothing', scope: 'run', facts: {} })
export const plannedUpload = need<PlannedUpload>()({
  name: 'plannedUpload',
  touches: 'nothing',
  scope: 'run',
  facts: { plannedFiles: 'count', plannedLargest: 'bytes', plannedTotal: 'bytes' },
})
/** What lies in the folder that `--model` names. Not applicable where none is given. */
export const modelBundle = need<ModelBundle>()({
  name: 'modelBundle',
  touches: 'nothing',
  scope: 'run',
  facts: { pickles: 'count', comparedAlike: 'count' },
})
/** What will be called, whatever is planned. */
export const calling = need<PlannedUpload['as']>()({ name: 'calling', touches: 'nothing', scope: 'run', facts: {} })
export const tempFolder = need<TempFolder>()({
  name: 'tempFolder',
  touches: 'nothing',
  scope: 'run',
  facts: { tempPath: 'text', tempFree: 'bytes', tempFilesystem: 'text', tempInMemory: 'flag' },
})
/** The folder that artifacts are copied into, as far as it exists; not applicable where they go elsewhere. */
export const destinationFolder = need<Room & { readonly path: string }>()({
  name: 'destinationFolder',
  touches: 'reads',
  scope: 'target',
  facts: { destinationFree: 'bytes', destinationFilesystem: 'text' },
})
export const memory = need<HostMemory>()({
  name: 'memory',
  touches: 'nothing',
  scope: 'run',
  facts: { memoryAvailable: 'bytes', memoryLimit: 'bytes' },
})
/** What a process started from here may write and open. */
export const processLimits = need<ProcessLimits>()({
  name: 'processLimits',
  touches: 'nothing',
  scope: 'run',
  facts: { largestWritable: 'bytes', openFiles: 'count' },
})
/** The environment variables of this process, secrets included: a check names the variables that it reads and never shows a value that it does not know to be harmless. */
export const environment = need<Readonly<Record<string, string | undefined>>>()({
  name: 'environment',
  touches: 'nothing',
  scope: 'run',
  facts: {},
})
/** The MLflow of the Python that the user would train with, read from its metadata; not applicable where none is found. */
export const client = need<Client>()({
  name: 'client',
  touches: 'nothing',
  scope: 'run',
  facts: { clientVersion: 'text', clientPython: 'text' },
})
/** The logins of the client that end by themselves, and the time by this machine's clock, in milliseconds since the epoch. */
export const logins = need<{ readonly expiring: readonly Expiring[]; readonly now: number }>()({
  name: 'logins',
  touches: 'nothing',
  scope: 'run',
  facts: {},
})
export const tracking = need<Tracking>()({
  name: 'tracking',
  touches: 'reads',
  scope: 'run',
  facts: { trackingUri: 'text' },
})
/** The tracking server; not applicable where the tracking URI is a database file or a folder. */
export const server = need<TrackingServer>()({
  name: 'server',
  touches: 'reads',
  scope: 'run',
  facts: { serverVersion: 'text', serverSoftware: 'text' },
})
export const trackingReach = need<Reach>()({
  name: 'trackingReach',
  touches: 'reads',
  scope: 'run',
  facts: { dns: 'ms', tcp: 'ms', tls: 'ms', http: 'ms' },
})
/** The folder given by `--from` or `--against`, where it belongs to the target; not applicable otherwise. */
export const localTree = need<LocalTree>()({
  name: 'localTree',
  touches: 'reads',
  scope: 'target',
  facts: { localFiles: 'count' },
})
export const target = need<Target>()({ name: 'target', touches: 'reads', scope: 'target', facts: {} })
/** The logged model that the target is; not applicable to runs and bare stores. */
export const loggedModel = need<LoggedModel>()({ name: 'loggedModel', touches: 'reads', scope: 'target', facts: {} })
export const route = need<Route>()({
  name: 'route',
  touches: 'reads',
  scope: 'target',
  facts: { location: 'text', firstHop: 'text', proxied: 'flag', multipart: 'flag', storeOpenedBy: 'text' },
})
export const store = need<Store>()({
  name: 'store',
  touches: 'reads',
  scope: 'target',
  facts: { storeUri: 'text', reached: 'text' },
})
/** What the proxy variables say of the tracking server and of the store that the client speaks to itself. Not applicable where no hop is reached over HTTP. */
export const proxies = need<ProxyPlan>()({
  name: 'proxies',
  touches: 'reads',
  scope: 'target',
  facts: { trackingProxy: 'text', storeProxy: 'text' },
})
export const storeReach = need<Reach>()({
  name: 'storeReach',
  touches: 'reads',
  scope: 'target',
  facts: { dns: 'ms', tcp: 'ms', tls: 'ms', http: 'ms' },
})
export const listing = need<Listing>()({
  name: 'listing',
  touches: 'reads',
  scope: 'target',
  facts: { objects: 'count', stored: 'bytes' },
})
/** Every MLmodel below the target's root; a run may hold several, a logged model holds one. */
export const modelFiles = need<readonly PlacedModel[]>()({
  name: 'modelFiles',
  touches: 'reads',
  scope: 'target',
  facts: { models: 'count' },
})
/** Milliseconds; an unfinished upload whose last sign of life is younger counts as in progress (`--older-than`). */
export const orphanAge = need<number>()({
  name: 'orphanAge',
  touches: 'nothing',
  scope: 'run',
  facts: {},
})
/**
 * How far a look goes (`--depth`). `names`: which files there are; `sizes`: and their sizes in the listing; `structure`: and
 * small reads of what each format keeps at its ends; `sample`: and that share of the files (0 to 1) read whole; `full`: all.
 */
export type Depth =
  | { readonly kind: 'names' | 'sizes' | 'structure' | 'full' }
  | { readonly kind: 'sample'; readonly share: number }
export const depth = need<Depth>()({ name: 'depth', touches: 'nothing', scope: 'run', facts: {} })
/** Uploads that were begun below the root and neither completed nor aborted, with what their parts tell. */
export interface UnfinishedUploads {
  readonly uploads: readonly {
    readonly path: string
    readonly id: string
    /** When it was begun, in milliseconds since the epoch by the store's clock. */
    readonly initiated?: number
    /** Who began it, in the store's words. */
    readonly initiator?: string
    readonly parts?: number
    /** Bytes. */
    readonly stored?: number
    /** The newest of initiation and newest part, in milliseconds since the epoch by the store's clock. */
    readonly lastSign?: number
  }[]
  /** The store's clock, in milliseconds since the epoch. */
  readonly now?: number
  /** What could not be asked. */
  readonly gaps: readonly Omit<Gap, 'kind'>[]
}
export const unfinishedUploads = need<UnfinishedUploads>()({
  name: 'unfinishedUploads',
  touches: 'reads',
  scope: 'target',
  facts: { unfinished: 'count', unfinishedBytes: 'bytes' },
})
/** What a run says of itself and when it last showed life; times in milliseconds since the epoch. */
export interface RunSigns {
  readonly runId: string
  readonly status: RunStatus
  /** The newest of all times that are known: metrics, objects, parts, models, child runs. */
  readonly lastSign?: number
  /** What could not be dated, as a noun: "3 stored files". Absent where every time is known. */
  readonly undated?: string
}
/** Not applicable to anything but a whole run. Of a run that has ended only its status is told. */
export const runSigns = need<RunSigns>()({ name: 'runSigns', touches: 'reads', scope: 'target', facts: {} })
/** What lies at the artifact root of a run or model, held against what the tracking store says was put there. */
export interface ArtifactRoot {
  readonly uri: string
  readonly lifecycle: 'active' | 'deleted'
  /** Why nothing can lie there: the bucket or folder is gone. */
  readonly gone?: string
  /** Why nobody can tell from here. */
  readonly unseen?: string
  /** Folders to which the run logged a model, and in which nothing is stored. */
  readonly emptyModels: readonly string[]
}
export const artifactRoot = need<ArtifactRoot>()({
  name: 'artifactRoot',
  touches: 'reads',
  scope: 'target',
  facts: {},
})
/** The logged models that a run names as its outputs, and those of them that no longer exist. Not applicable to anything but a whole run. */
export interface Outputs {
  readonly named: readonly string[]
  readonly missing: readonly string[]
}
export const outputs = need<Outputs>()({
  name: 'outputs',
  touches: 'reads',
  scope: 'target',
  facts: { modelOutputs: 'count' },
})
export const registry = need<Registry>()({ name: 'registry', touches: 'reads', scope: 'run', facts: {} })
/** The registered versions that a target stands behind. */
export interface Registrations {
  readonly versions: readonly {
    readonly version: ModelVersion
    /** Whether anything is stored where it points; undefined where that cannot be told. */
    readonly stored?: boolean
    /** Why its source is not there. */
    readonly gone?: string
  }[]
}
export const registrations = need<Registrations>()({
  name: 'registrations',
  touches: 'reads',
  scope: 'target',
  facts: { versions: 'count' },
})
/** Objects below an experiment's location that lie in no folder of a run or model, by top folder. */
export interface Strays {
  readonly folders: readonly {
    /** Below the location; empty for what lies at its top. */
    readonly folder: string
    readonly objects: number
    readonly bytes: number
    /** One of them, by its path below the location. */
    readonly example: string
  }[]
  /** Objects in folders beyond those that are told one by one. */
  readonly more: number
  /** Folders of which nobody was asked whether a run or model of that name exists. */
  readonly unasked: number
}
/** Only of whole experiments, and only with `--stray`; not applicable otherwise. */
export const strays = need<Strays>()({
  name: 'strays',
  touches: 'reads',
  scope: 'target',
  facts: { strayFolders: 'count', strayObjects: 'count' },
})
/** What the tracking server lets this login do; undefined where it cannot be told. */
export interface Access {
  /** Create runs in the experiment and log to them. */
  readonly log?: boolean
  /** Remove artifacts that the server keeps. Only where it serves them. */
  readonly remove?: boolean
}
export const access = need<Access>()({
  name: 'access',
  touches: 'writes',
  scope: 'target',
  facts: { mayLog: 'flag', mayRemove: 'flag' },
})
export const bodyLimit = need<BodyLimit>()({
  name: 'bodyLimit',
  touches: 'writes',
  scope: 'target',
  facts: { bodyAccepted: 'bytes', bodyRefused: 'bytes', requests: 'count' },
})
/** How long a request body may pause, and how long it may take, under `--deep`; not applicable without it. */
export const paced = need<Paced>()({
  name: 'paced',
  touches: 'writes',
  scope: 'target',
  facts: { longestPause: 'ms', longestBody: 'ms', watched: 'ms' },
})
/** What the bucket tells of itself; not applicable where the store is no bucket that this machine reaches itself. */
export const bucketSettings = need<BucketSettings>()({
  name: 'bucketSettings',
  touches: 'reads',
  scope: 'target',
  facts: { bucketRegion: 'text', clockOffset: 'ms', versioning: 'text', encryption: 'text' },
})
/** What the container of Azure's or bucket of Google's keeps of what is replaced or removed. */
export const keeping = need<Keeping>()({
  name: 'keeping',
  touches: 'reads',
  scope: 'target',
  facts: { removedDays: 'count', keepsVersions: 'flag' },
})
/** What the login may do there, as Google tells it. */
export const cloudRights = need<readonly Right[]>()({
  name: 'cloudRights',
  touches: 'reads',
  scope: 'target',
  facts: {},
})
/** Which of the rights that reading takes the credentials in use have. */
export const readRights = need<readonly Right[]>()({
  name: 'readRights',
  touches: 'reads',
  scope: 'target',
  facts: {},
})
/** Whether an object may be deleted, by deleting one that is not there. */
export const deleteRight = need<Right>()({ name: 'deleteRight', touches: 'writes', scope: 'target', facts: {} })
/** What the addresses tell that the server signs for parts; not applicable where it signs none, or none that tell. */
export const signedAddresses = need<SignedFor>()({
  name: 'signedAddresses',
  touches: 'writes',
  scope: 'target',
  facts: {},
})
/** Tiny parts of uploads that are aborted, each proved in another way, from none to the strongest. */
export const checksumTries = need<readonly ChecksumTry[]>()({
  name: 'checksumTries',
  touches: 'writes',
  scope: 'target',
  facts: { strongestChecksum: 'text' },
})
/** A tiny multipart upload that is begun, listed and aborted. */
export const multipartCanary = need<MultipartCanary>()({
  name: 'multipartCanary',
  touches: 'writes',
  scope: 'target',
  facts: {},
})
/** What canaries of growing size took, on each route that planned files take; without a plan, on each that files can take. */
export const transfers = need<ReadonlyMap<RouteKind, Transfer>>()({
  name: 'transfers',
  touches: 'writes',
  scope: 'target',
  facts: { uplink: 'bytesPerSecond', relay: 'bytesPerSecond', relayFixed: 'ms', canaryBytes: 'bytes' },
})
/** What earlier runs of this user left when they were killed, and what came of removing it. */
export interface Leftovers {
  readonly removed: readonly string[]
  readonly failed: readonly { readonly path: string; readonly why: string }[]
  /** Uploads that were asked for just before the kill, on a route that cannot tell whether they were begun. */
  readonly unsure: readonly string[]
}
export const leftovers = need<Leftovers>()({
  name: 'leftovers',
  touches: 'writes',
  scope: 'target',
  facts: { removedCanaries: 'count' },
})
/** What an earlier upload or repair of this tool wrote down beside the files; not applicable where there is none. */
export const manifest = need<Manifest>()({
  name: 'manifest',
  touches: 'reads',
  scope: 'target',
  facts: { manifestFiles: 'count' },
})
/** The format that a file's name promises: its title and the bytes of its smallest valid file. */
export const formatNames = need<(path: string) => { readonly title: string; readonly least: number } | undefined>()({
  name: 'formatNames',
  touches: 'nothing',
  scope: 'run',
  facts: {},
})
/** What a listing alone shows of files that belong together: shards by their numbers, the pieces of formats that are folders. */
export const folderParts = need<readonly FolderFinding[]>()({
  name: 'folderParts',
  touches: 'reads',
  scope: 'target',
  facts: {},
})
/** What the format verifiers said of the stored files. */
export interface Structures {
  /** Files, reads and bytes that it took. */
  readonly files: number
  readonly reads: number
  readonly bytes: number
  readonly doubtful: readonly {
    readonly path: string
    /** Bytes. */
    readonly size: number
    readonly judgement: 'broken' | 'suspect'
    readonly because: string
    /** The format's title: "a safetensors file". */
    readonly format?: string
    /** Bytes that it would have at least were it whole. */
    readonly expected?: number
  }[]
  /** Files that nothing shows to be whole, whether or not anything speaks against them; absent where they are more than a few. */
  readonly unproved?: readonly string[]
  /** Files that others cannot do without. Paths below the target's root, hostile until checked. */
  readonly refers: readonly { readonly from: string; readonly path: string; readonly least?: number }[]
  readonly untold: readonly Untold[]
}
export const structures = need<Structures>()({
  name: 'structures',
  touches: 'reads',
  scope: 'target',
  facts: { judgedFiles: 'count', structureReads: 'count', structureBytes: 'bytes' },
})
/** What comparing contents with the manifest or a local folder gave; not applicable where neither is there. */
export interface Contents {
  /** Paths whose content was found equal. */
  readonly proved: ReadonlySet<string>
  readonly different: readonly {
    readonly path: string
    readonly because: string
    readonly with: 'folder' | 'manifest'
    /** Milliseconds since the epoch, by the store's clock. */
    readonly modified?: number
  }[]
  readonly untold: readonly Untold[]
}
export const contents = need<Contents>()({
  name: 'contents',
  touches: 'reads',
  scope: 'target',
  facts: { comparedFiles: 'count' },
})
