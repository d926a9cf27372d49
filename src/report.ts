/**
 * The report: the one document that every format prints, and the one function from it to the exit code.
 * Plain data only; figures carry their unit in `units`, keyed by the fact's name.
 */
import type { Active, FactValues, Gap, GapTopic, Limit, Remedy, RouteKind, Severity, Unit, Want } from './check.ts'
import { severities } from './check.ts'

export const schemaVersion = 1

/**
 * `ok`: looked, and healthy. `found`: looked, and has findings. `skipped`: the question does not arise here, or the user
 * left it out. `blocked`: something that the check needs could not be opened. `crashed`: a defect, or the time was up.
 */
export type CheckState = 'ok' | 'found' | 'skipped' | 'blocked' | 'crashed'
export const checkStates: readonly CheckState[] = ['ok', 'found', 'skipped', 'blocked', 'crashed']

export interface ReportedFinding {
  readonly at: string
  readonly says: string
  readonly severity: Severity
  readonly facts: FactValues<Record<string, Unit>>
  readonly remedy: Remedy & { readonly docs: string }
  /** What `repair` would restore or settle. */
  readonly wants?: readonly Want[]
}

export interface CheckReport {
  readonly id: string
  readonly title: string
  readonly target?: string
  /** How many targets had this result, where it stands for several of them and names none; `ms` and amounts in `measured` are sums. */
  readonly targets?: number
  /** How many gaps it left in `covered`: what it could not see or prove is no pass. */
  readonly gaps?: number
  /** How many of its findings the configuration ignores; they stand in `ignored`. */
  readonly ignored?: number
  readonly state: CheckState
  readonly ms: number
  /** Why it was skipped or blocked, or how it crashed. */
  readonly reason?: string
  /** The check whose finding says already why this one was blocked. */
  readonly blockedBy?: string
  readonly measured?: Readonly<Record<string, string | number | boolean>>
  readonly findings: readonly ReportedFinding[]
}

export type ReportedGap = Omit<Gap, 'kind'>

/** A limit as data: its remedy is worked out for what the planned upload needs. */
export type ReportedLimit = Omit<Limit, 'kind' | 'remedy'> & { readonly remedy: Remedy }

export type Verdict = 'passes' | 'fails' | 'at-risk' | 'unknown'

export interface ForecastRow {
  readonly path: string
  readonly bytes: number
  /** Absent where it could not be found out. */
  readonly route?: RouteKind
  /** Expected duration in seconds; absent while no rate was measured. */
  readonly seconds?: number
  readonly verdict: Verdict
  /** The hop, setting and figure that decide, where one does. */
  readonly hop?: string
  readonly limit?: { readonly setting: string; readonly max: number; readonly unit: 'bytes' | 'ms' }
  readonly because: string
  readonly remedy?: Remedy
}

/** How far uploads get on one route. */
export interface Reach {
  /** The smallest size that takes this route, in bytes. */
  readonly from: number
  /** The largest that gets through, in bytes; absent when not even the smallest does. */
  readonly bytes?: number
  readonly route: RouteKind
  /** What is in the way of the next byte; absent when nothing was found. */
  readonly because?: string
  readonly hop?: string
  readonly limit?: NonNullable<ForecastRow['limit']>
  readonly remedy?: Remedy
}

/** Without a plan: how large a file and a model may be. */
export interface Capacity {
  /** One entry where all files take one route, two where files from a size on go in parts. */
  readonly files: readonly Reach[]
  /** Absent when no file gets through. */
  readonly largestFile?: Reach
  readonly largestModel?: Reach
}

export type StepState = 'planned' | 'applied' | 'verified' | 'unverified' | 'failed' | 'declined'
export const stepStates: readonly StepState[] = ['planned', 'applied', 'verified', 'unverified', 'failed', 'declined']

export interface Step {
  readonly target: string
  readonly path: string
  readonly action: 'upload' | 'copy' | 'abort-upload' | 'write-manifest' | 'add-lifecycle-rule' | 'set-ready'
  /** Where the bytes come from. */
  readonly source?: string
  readonly route?: RouteKind
  readonly effect: 'adds' | 'overwrites' | 'deletes' | 'changes-status' | 'changes-settings'
  readonly bytes: number
  /** Bytes that went over the wire for this file in this run. */
  readonly sent: number
  /** Bytes that the store held already, proved equal, and that were not sent again. */
  readonly reused: number
  readonly state: StepState
  /** How it was proved, or why it was not done. */
  readonly because?: string
  /** When it was begun, ISO 8601, UTC; absent while it is planned. */
  readonly beganAt?: string
  /** How long it took. */
  readonly ms?: number
}

/** The file that a step is about, or the target itself. */
export const placeOfStep = ({ target, path }: Pick<Step, 'target' | 'path'>): string =>
  `${target}/${path}`.replace(/\/$/, '')

/** What a repair could act on, as often as it was found. */
export const wantsIn = (checks: readonly CheckReport[]): Want[] =>
  checks.flatMap(({ findings }) => findings.flatMap(({ wants = [] }) => wants))

/**
 * `whole`: its format, its manifest or a comparison shows it. `cut`: bytes of it are missing or wrong, or may be. `unproved`:
 * nothing speaks against it, and nothing shows that it is whole.
 */
export type FileState = 'whole' | 'missing' | 'cut' | 'unproved'
export const fileStates: readonly FileState[] = ['whole', 'missing', 'cut', 'unproved']

export interface FileRow {
  readonly target: string
  readonly path: string
  readonly state: FileState
  /** Bytes stored; 0 for what is missing. */
  readonly bytes: number
  /** Bytes that it should have, where that is known. */
  readonly expected?: number
}

/** Every file that was looked at, in place. */
export interface FileMap {
  readonly rows: readonly FileRow[]
  /** How many more there are that have no row. */
  readonly more: Readonly<Record<FileState, number>>
}

/** A finding that an `ignore` entry of the configuration takes out of the count. */
export interface IgnoredFinding extends Pick<ReportedFinding, 'at' | 'says' | 'severity'> {
  readonly check: string
  readonly target?: string
  readonly reason: string
  /** The last day on which it is ignored, YYYY-MM-DD. */
  readonly until?: string
}

/** The configuration file, and what of it had no effect. */
export interface UsedConfiguration {
  readonly file: string
  /** `ignore` entries whose last day is over. */
  readonly expired?: readonly string[]
  /** `ignore` entries that no finding of this run matched. */
  readonly unused?: readonly string[]
}

export interface Kept {
  readonly dir: string
  readonly models: number
  readonly bytes: number
}

export interface Covered {
  readonly targets: number
  readonly objects: number
  /** Sum of the sizes of the objects looked at. */
  readonly bytes: number
  readonly gaps: readonly ReportedGap[]
  /** What is alive and was left alone, such as uploads in progress. */
  readonly active: readonly Omit<Active, 'kind'>[]
}

export interface Counts {
  readonly states: Readonly<Record<CheckState, number>>
  readonly findings: Readonly<Record<Severity, number>>
}

/** Why the command could not begin: a wrong option, an unknown run, a server that does not answer. */
export interface ReportedTrouble {
  readonly kind: string
  readonly what: string
  readonly why: string
  readonly todo: string
}

export interface Report {
  readonly schemaVersion: typeof schemaVersion
  readonly tool: { readonly name: 'mlflow-doctor'; readonly version: string }
  readonly command: string
  readonly target?: string
  /** ISO 8601, UTC. */
  readonly startedAt: string
  readonly durationMs: number
  readonly trouble?: ReportedTrouble
  readonly checks: readonly CheckReport[]
  readonly limits?: readonly ReportedLimit[]
  readonly forecast?: readonly ForecastRow[]
  readonly capacity?: Capacity
  readonly steps?: readonly Step[]
  readonly files?: FileMap
  readonly ignored?: readonly IgnoredFinding[]
  readonly configuration?: UsedConfiguration
  /** Of a guarded command: its exit code, 128 + n for a signal. */
  readonly childExit?: number
  /** What a guarded command's model folders left, where not all of it was verified: it is kept. */
  readonly kept?: Kept
  readonly covered: Covered
  readonly units: Readonly<Record<string, Unit>>
  readonly counts: Counts
  readonly interrupted: boolean
  readonly failOn: Severity
  readonly required: readonly GapTopic[]
  readonly exitCode: ExitCode
}

export type ExitCode = 0 | 1 | 2 | 3 | 130

export const isAtLeast = (severity: Severity, threshold: Severity): boolean =>
  severities.indexOf(severity) >= severities.indexOf(threshold)

/** `fails` is an error; what may fail and what cannot be told are warnings. */
export const verdictSeverity = (verdict: Verdict): Severity | undefined =>
  verdict === 'fails' ? 'error' : verdict === 'passes' ? undefined : 'warning'

/** A gap that makes the health unknown: refused although this route allows it, or asked for by `--require`. */
export const unsettles = (gap: Omit<Gap, 'kind'>, required: readonly GapTopic[]): boolean =>
  gap.unexpected || (gap.about !== undefined && required.includes(gap.about))

/** The same in every format; unknown health wins over findings, and only a complete, clean look gives 0. */
export const exitCode = (report: Omit<Report, 'exitCode'>): ExitCode => {
  if (report.interrupted) return 130
  if (report.trouble) return report.trouble.kind === 'usage' ? 2 : 3
  if (report.checks.some((check) => check.state === 'blocked' || check.state === 'crashed')) return 3
  if (report.covered.gaps.some((gap) => unsettles(gap, report.required))) return 3
  const { failOn } = report
  const findings = report.checks.flatMap((check) => check.findings)
  const verdicts = (report.forecast ?? []).flatMap((row) => verdictSeverity(row.verdict) ?? [])
  if (findings.some((finding) => isAtLeast(finding.severity, failOn))) return 1
  if (verdicts.some((severity) => isAtLeast(severity, failOn))) return 1
  if (report.steps?.some((step) => step.state !== 'verified')) return 1
  return 0
}

export const countUp = (checks: readonly CheckReport[]): Counts => {
  const states = { ok: 0, found: 0, skipped: 0, blocked: 0, crashed: 0 }
  const findings = { info: 0, warning: 0, error: 0 }
  for (const check of checks) {
    states[check.state] += check.targets ?? 1
    for (const finding of check.findings) findings[finding.severity] += 1
  }
  return { states, findings }
}
