import type { Occasion } from '../check.ts'
import type { Host } from '../commands/command.ts'
import type { FoundFolder } from '../transfer/found-folders.ts'
import type { Depth, PlannedUpload } from './declarations.ts'

/** What openers may know of the command that runs: its options and the machine it runs on. */
export interface Needed {
  readonly host: Host
  /** Whose checks run; `scan` for a repair, which looks as a scan does. */
  readonly occasion?: Occasion
  readonly trackingUri?: string
  readonly artifactsDestination?: string
  readonly trustedHosts: readonly string[]
  /** `--experiment`, else what MLflow's own variables say. */
  readonly experiment?: string
  /** Where a check's upload would go when it goes to an existing run. */
  readonly runId?: string
  readonly planned?: PlannedUpload
  /** `--as`: what will be called. */
  readonly as?: PlannedUpload['as']
  /** `--python`: the interpreter that the training runs under. */
  readonly python?: string
  /** `--training-time`, in milliseconds. */
  readonly trainingMs?: number
  /** `--traffic`: the most bytes that all canaries together may send. */
  readonly trafficBytes?: number
  /** `--deep`: milliseconds that one paced request may be kept open. */
  readonly pacedMs?: number
  /** `--from` or `--against`. */
  readonly localDir?: string
  /** Folders that nobody named and that may hold what should be stored, best first; looked at where `localDir` is not given. */
  readonly found?: () => Promise<readonly FoundFolder[]>
  /** `--depth`; `structure` where a command does not take it. */
  readonly depth?: Depth
  /** Milliseconds. */
  readonly orphanAgeMs: number
}
