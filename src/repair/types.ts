import type { Target, Tracking } from '../mlflow/types.ts'
import type { LocalTree } from '../needs/declarations.ts'
import type { Step } from '../report.ts'
import type { Patience } from '../retry.ts'
import type { Earlier, Store, StoredFile } from '../stores/store.ts'
import type { Bandwidth } from '../transfer/bandwidth.ts'
import type { FileIdentity } from '../transfer/identity.ts'
import type { Manifest, ManifestKind } from '../transfer/manifest.ts'
import type { Progress } from '../transfer/progress.ts'
import type { Verification } from '../transfer/read-back.ts'
import type { Sightings } from '../transfer/settle.ts'

/** One target with the means to repair it. */
export interface Place {
  readonly target: Target
  readonly store: Store
  /** The folder that offers its files. */
  readonly source?: LocalTree & { readonly problems?: readonly { readonly path: string; readonly why: string }[] }
  /** Asks, without sending one, how large a body may be that goes through the tracking server, and who says so; undefined where no limit shows. */
  readonly bodyLimit?: () => Promise<{ readonly accepted: number; readonly by: string } | undefined>
  /** Whether a file must prove itself before it is used to restore a stored one. */
  readonly proveSources?: boolean
  /** Why the folder as a whole is short of what its MLmodel counts; a file of it must then prove itself whole. */
  readonly sourceShort?: string
  /** What an earlier upload or repair has written down of the target's files. */
  readonly manifest?: Manifest
  /** Why there is no source: "no folder was given", "/tmp/x holds the model m-2". */
  readonly noSource?: string
  /** What the store holds, where it was just listed: each file of the plan is then looked up here. */
  readonly listed?: ReadonlyMap<string, StoredFile>
  /** For setting the status of a model. */
  readonly tracking?: Tracking
}

export interface RepairOptions {
  /** Paths whose objects may be replaced though they are no beginning of the source. */
  readonly overwrite: ReadonlySet<string>
  readonly abortOrphans: boolean
  /** Add a lifecycle rule to the bucket, where none aborts unfinished uploads. */
  readonly addLifecycleRule?: boolean
  /** Milliseconds without a sign of life after which an upload may be aborted. */
  readonly orphanAgeMs: number
  /** Milliseconds without a new part after which somebody else's upload may be taken up. */
  readonly settleMs: number
  /** Bytes for all buffers. */
  readonly memoryBytes: number
  /** Parts in flight that the memory is cut for. */
  readonly concurrency: number
  /** Requests side by side, at most, as long as their buffers fit into the memory; as many as `concurrency` unless told. */
  readonly requests?: number
  /** The rate at which bytes may leave; none unless told. */
  readonly bandwidth?: Bandwidth
  readonly journalDir: string
  /** How a stored file is proved where the store keeps no checksum of it. */
  readonly verification: Verification
  /** Checksums of the manifest that is written once all files of a target are verified; `none` writes none. */
  readonly manifest: ManifestKind
  readonly patience?: Patience
  /** Shared by plan and apply, so that settling is waited for once. */
  readonly sightings: Sightings
  readonly signal?: AbortSignal
}

/** Consent names a file by its path below the target, or with the target's name before it. */
export const mayOverwrite = (
  { overwrite }: Pick<RepairOptions, 'overwrite'>,
  { name }: Pick<Target, 'name'>,
  path: string,
): boolean => overwrite.has(path) || overwrite.has(`${name}/${path}`)

/** Plain data; `step` is what a dry run prints. A step whose state is not `planned` has nothing left to be done. */
export type Planned =
  | {
      readonly do: 'upload'
      readonly step: Step
      readonly file?: string
      /** The state of the local file that was planned with. */
      readonly identity?: FileIdentity
      /** What is to be replaced; absent when nothing is there. */
      readonly replaces?: StoredFile
    }
  | { readonly do: 'copy'; readonly step: Step; readonly from: Earlier }
  | { readonly do: 'manifest'; readonly step: Step }
  /** `before` is what the rules were when this was planned. */
  | { readonly do: 'rule'; readonly step: Step; readonly before: string }
  | { readonly do: 'abort'; readonly step: Step; readonly uploadId: string }
  | { readonly do: 'ready'; readonly step: Step; readonly modelId: string }

export interface Applying extends RepairOptions {
  readonly places: readonly Place[]
  /** Runs every check of this target again; why it is not whole, in words, or undefined when nothing but its status is found. */
  doubt(target: Target): Promise<string | undefined>
  readonly onProgress?: (step: Step, progress: Progress) => void
  /** Called with each step as it is begun and as it has ended. */
  readonly onStep?: (step: Step) => void
}
