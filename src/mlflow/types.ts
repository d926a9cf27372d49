import type { Trouble } from '../errors.ts'
import type { AzureSettings, GoogleSettings } from './clouds.ts'
import type { ModelLogging } from './logging.ts'

/** What the tool knows of MLflow's entities, whichever of the three kinds of tracking store they come from. */

/** REST spelling of a logged model's status (server/handlers.py of MLflow 3.17.2). */
export type ModelStatus = 'PENDING' | 'READY' | 'UPLOAD_FAILED' | 'UNKNOWN'
export type RunStatus = 'RUNNING' | 'SCHEDULED' | 'FINISHED' | 'FAILED' | 'KILLED' | 'UNKNOWN'

export interface Experiment {
  readonly experimentId: string
  readonly name: string
  readonly artifactLocation: string
  readonly lifecycle: 'active' | 'deleted'
}

export interface Run {
  readonly runId: string
  readonly experimentId: string
  readonly status: RunStatus
  readonly artifactUri: string
  /** Milliseconds since the epoch. */
  readonly startedAt?: number
  readonly endedAt?: number
  readonly lifecycle: 'active' | 'deleted'
  /** Present where the store told it in the same answer. */
  readonly record?: RunRecord
}

/** What was logged to a run, as far as it tells what should be stored and when the run last showed life. */
export interface RunRecord {
  /** The newest timestamp among the latest values of its metrics, in milliseconds since the epoch, by the client's clock. */
  readonly lastMetricAt?: number
  /** Ids of the logged models that the run names as its outputs, whether they still exist or not. Empty before MLflow 3. */
  readonly outputs: readonly string[]
  /** Folders of the run's artifacts to which a model was logged the way of MLflow 2 (tag `mlflow.log-model.history`). */
  readonly modelFolders: readonly string[]
}

export interface LoggedModel {
  readonly modelId: string
  readonly experimentId: string
  readonly name: string
  readonly status: ModelStatus
  readonly artifactUri: string
  readonly sourceRunId?: string
  /** Milliseconds since the epoch. */
  readonly createdAt?: number
  readonly updatedAt?: number
  /** Only ever set where deleted ones are asked for. */
  readonly deleted?: true
}

/** REST spelling of a registered version's status (protos/model_registry.proto of MLflow 3.17.2). */
export type VersionStatus = 'PENDING_REGISTRATION' | 'FAILED_REGISTRATION' | 'READY' | 'UNKNOWN'

export interface ModelVersion {
  readonly name: string
  readonly version: string
  /** `models:/m-…`, `runs:/…`, or a store URI. */
  readonly source: string
  readonly runId?: string
  readonly status: VersionStatus
  /** What the registry says of the status, such as why it failed. */
  readonly statusMessage?: string
  /** Milliseconds since the epoch. */
  readonly createdAt?: number
  readonly updatedAt?: number
  /** The store URI that the server resolves the version to, where it tells. */
  readonly artifactUri?: string
}

/** How a list goes on where a plain one would leave something out, or end. */
export interface Leniency {
  /** Deleted ones, too, where the store lists them: a server lists no deleted models. */
  readonly deleted?: boolean
  /** Told of each entry that cannot be read, which is then passed over; without it, the first one ends the list. */
  damaged?(trouble: Trouble): void
}

/** A tracking server, a sqlite file or a folder: one contract. Every method throws `Trouble` (`not-found` where the id is unknown). */
export interface Tracking {
  readonly kind: 'server' | 'sqlite' | 'folder'
  /** The tracking URI without credentials. */
  readonly uri: string
  experiment(by: { id: string } | { name: string }, signal?: AbortSignal): Promise<Experiment>
  experiments(signal?: AbortSignal, leniency?: Leniency): AsyncIterable<Experiment>
  run(runId: string, signal?: AbortSignal): Promise<Run>
  runs(experimentId: string, signal?: AbortSignal, leniency?: Leniency): AsyncIterable<Run>
  /** What was logged to the run; no request where the run came with it. */
  record(run: Run, signal?: AbortSignal): Promise<RunRecord>
  /** The runs that name this one as their parent (tag `mlflow.parentRunId`), in the same experiment. */
  children(run: Run, signal?: AbortSignal): AsyncIterable<Run>
  /** The active runs of all experiments that carry this tag; absent where the store cannot be searched for one. */
  tagged?(tag: string, value: string, signal?: AbortSignal): AsyncIterable<Run>
  model(modelId: string, signal?: AbortSignal): Promise<LoggedModel>
  /** Logged models of an experiment, or only those that a run logged, PENDING ones included. Empty on servers older than 3.0, which have none. */
  models(
    of: { experimentId: string; runId?: string },
    signal?: AbortSignal,
    leniency?: Leniency,
  ): AsyncIterable<LoggedModel>
  /** Whether there is a run or logged model of this id, in whatever experiment, deleted or not. */
  knows(id: string, signal?: AbortSignal): Promise<boolean>
  /** `version` is a number, `@alias`, `latest`, or a stage, as in MLflow's `models:/` URIs. */
  version(name: string, version: string, signal?: AbortSignal): Promise<ModelVersion>
  /** Every version of every registered model, in no promised order. Empty where the server keeps no registry. */
  versions(signal?: AbortSignal): AsyncIterable<ModelVersion>
  /** The versions that were registered from a run, or from a logged model. */
  versionsOf(
    source: { readonly runId: string } | { readonly modelId: string },
    signal?: AbortSignal,
  ): AsyncIterable<ModelVersion>
  /** Beginning a logged model; only a server of MLflow 3 does it. */
  readonly logging?: ModelLogging
  /** Sets a PENDING or UPLOAD_FAILED logged model to READY, and nothing else. Only after its files were verified. */
  setModelReady(modelId: string, signal?: AbortSignal): Promise<void>
}

/** What a tracking server says of itself; absent values were not answered. */
export interface ServerInfo {
  /** From GET /version. */
  readonly version?: string
  /** From the `server` response header: `uvicorn`, `gunicorn`, `nginx/1.22.1`. */
  readonly software?: string
  readonly multipartUploads?: boolean
  readonly multipartDownloads?: boolean
  /** Files go to the store by signed addresses alone: the server takes and gives no bytes itself (MLflow 3.18, MLFLOW_ARTIFACTS_PRESIGNED_ONLY). */
  readonly presignedOnly?: boolean
  /** False with --no-serve-artifacts (MLflow 3.18; older servers say so only when they are asked for an artifact). */
  readonly servesArtifacts?: boolean
}

/** Where a piece of configuration came from, so that the report can say it. The value of a secret is never in here. */
export interface SettingSource {
  readonly name: string
  readonly from: 'flag' | 'environment' | 'file' | 'default' | 'uri'
}

/** Settings as MLflow itself would resolve them on this machine. */
export interface Settings {
  /** With `user:password@` taken out. */
  readonly trackingUri: string
  readonly trackingKind: 'server' | 'sqlite' | 'folder'
  readonly auth: { readonly username?: string; readonly password?: string; readonly token?: string }
  readonly tls: {
    readonly insecure: boolean
    /** A file or a folder. */
    readonly caFile?: string
    /** The variable that names it; MLFLOW_TRACKING_SERVER_CERT_PATH unless told. */
    readonly caVariable?: string
    /** Certificate and key in one file. */
    readonly clientCertFile?: string
  }
  readonly workspace?: string
  /** Milliseconds; MLFLOW_HTTP_REQUEST_TIMEOUT. */
  readonly requestTimeoutMs: number
  /** What a run without further words would log to. */
  readonly experiment: { readonly id: string } | { readonly name: string }
  /** MLFLOW_RUN_ID: the run that a training script would take up again. */
  readonly runId?: string
  readonly s3: {
    readonly endpoint?: string
    readonly ignoreTls: boolean
    readonly addressing: 'auto' | 'path' | 'virtual'
    readonly region?: string
    readonly extraArgs: Readonly<Record<string, string>>
    readonly expectedBucketOwner?: string
    /** When boto3 adds a checksum of its own choice to what it sends: `when_supported` unless told (botocore 1.36 and later). */
    readonly checksums?: string
  }
  readonly azure: AzureSettings
  readonly google: GoogleSettings
  /** Milliseconds; MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT, which Azure's and Google's repositories read; `Infinity` for none at all. */
  readonly transferTimeoutMs?: number
  /** MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: undefined means that the client asks the server. */
  readonly proxyMultipart: boolean | undefined
  /** Bytes. */
  readonly multipartMinimum: number
  /** Bytes. */
  readonly multipartChunk: number
  /** `--artifacts-destination`: where a proxying server keeps its artifacts. */
  readonly artifactsDestination?: string
  /** Hosts that `--trust-host` names: they may receive the user's store credentials. */
  readonly trustedHosts: readonly string[]
  readonly sources: readonly SettingSource[]
}

export type TargetSpec =
  /** `path` is the part after the run's id in `runs:/<id>/<path>`: the name of a model that it logged, or a folder of its artifacts. */
  | { readonly kind: 'run'; readonly runId: string; readonly path?: string }
  | { readonly kind: 'model'; readonly modelId: string }
  | { readonly kind: 'version'; readonly name: string; readonly version: string }
  | { readonly kind: 'experiment'; readonly by: { readonly id: string } | { readonly name: string } }
  | { readonly kind: 'uri'; readonly uri: string }

/** One artifact root to look at or to write to. A run yields one for itself and one for each model that it logged. */
export interface Target {
  /** As printed and as `at` begins: `runs:/<id>`, `models:/m-<id>`, `experiments:/<id>`, or the store URI itself. */
  readonly name: string
  readonly kind: 'run' | 'model' | 'experiment' | 'uri'
  /** The location as MLflow tracks it: `mlflow-artifacts:/1/<run>/artifacts`, `s3://…`, `file:///…`, `/…`. */
  readonly artifactUri: string
  readonly experimentId?: string
  readonly run?: Run
  readonly model?: LoggedModel
  /** The registered version by which it was asked for. */
  readonly version?: ModelVersion
  /** Why what the version was registered from is not there: the run or logged model is deleted or unknown. */
  readonly sourceGone?: string
  /** Says why this is not exactly what was asked for, such as an experiment that does not exist yet. */
  readonly assumed?: string
}
