/**
 * The check contract. A check is a judgement: it decides that something is wrong, how bad it is and what to do.
 * This module imports nothing, so that a check, also one from outside this project, depends on words alone.
 */

/** What a number means; decides how it is printed and how the JSON Schema describes it. `ms` is milliseconds. */
export type Unit = 'bytes' | 'ms' | 'count' | 'bytesPerSecond' | 'usdPerMonth' | 'text' | 'flag'

/** Names and units of the figures that a finding or a need carries: one source for the type, the schema, the docs and the printed form. */
export type Facts = Readonly<Record<string, Unit>>

export type FactValues<F extends Facts> = {
  readonly [K in keyof F]?: F[K] extends 'text' ? string : F[K] extends 'flag' ? boolean : number
}

export type Severity = 'error' | 'warning' | 'info'
export const severities: readonly Severity[] = ['info', 'warning', 'error']

/** `writes` covers canaries too: whatever changes a byte or an open upload anywhere but on this machine's own temp folder. */
export type Touches = 'nothing' | 'reads' | 'writes'
export const touchOrder: readonly Touches[] = ['nothing', 'reads', 'writes']

/**
 * A resource (`tracking`, `store`) or a measurement (`bodyLimit`) that checks ask for by name.
 * It is opened at most once per scope, when the first check that names it runs. `V` is the type that `run` receives.
 */
export interface Need<Name extends string = string, V = unknown, F extends Facts = Facts> {
  readonly name: Name
  readonly touches: Touches
  /** `run`: once per run of the tool. `target`: once for each target. */
  readonly scope: 'run' | 'target'
  /** Figures that the runner copies into `measured` of each check that needs it, so that healthy figures are shown too. */
  readonly facts: F
  /** Never set; carries `V` for the compiler. */
  readonly is?: V
}

/** Declares a need. The value type cannot be inferred, hence the two calls: `need<Store>()({name: 'store', …})`. */
export const need =
  <V>() =>
  <const Name extends string, const F extends Facts>(declaration: {
    name: Name
    touches: Touches
    scope: 'run' | 'target'
    facts: F
  }): Need<Name, V, F> =>
    declaration

type ValueOf<N> = N extends Need<string, infer V, Facts> ? V : never
type NameOf<N> = N extends Need<infer Name, unknown, Facts> ? Name : never

/** What `run` receives: each need under its own name, each want under its name or undefined. */
export type On<N extends Need, W extends Need> = {
  readonly [K in N as NameOf<K>]: ValueOf<K>
} & {
  readonly [K in W as NameOf<K>]: ValueOf<K> | undefined
} & {
  /** Aborted on SIGINT and when the check's time is up; pass it on to everything that waits. */
  readonly signal: AbortSignal
  /** Says what is under way, for the spinner: "12 of 40 files". */
  progress(says: string): void
}

/** `measured`: seen by a probe in this run. `assumed`: known of the product that was recognised; `because` says why. */
export type Basis = 'measured' | 'assumed'

/** Where a limit sits on the way of a byte from the training process to the store. */
export type Hop = 'host' | 'client' | 'network' | 'proxy' | 'server' | 'relay' | 'store'

/** A boundary that decides about planned uploads. The forecast folds all limits; a check that yields one judges no file itself. */
export interface Limit {
  readonly kind: 'limit'
  readonly hop: Hop
  /** The setting to change, in its own product's words: `client_max_body_size`. */
  readonly setting: string
  /**
   * What the maximum counts for. Of sizes: `request` is one request body, `file` one file, `total` the whole upload.
   * Of times: `idle` is a pause within a body, `body` the sending of one body, `answer` the silence between a body's last
   * byte and the answer, `request` both together, `file` all requests of one file, `total` everything from now on until
   * the last byte is stored, the training included.
   */
  readonly scope: 'request' | 'file' | 'total' | 'idle' | 'body' | 'answer'
  /** The largest value that still passes. */
  readonly max: { readonly bytes: number } | { readonly ms: number }
  readonly basis: Basis
  /** The routes that this limit applies to; all when absent. */
  readonly routes?: readonly RouteKind[]
  /** One sentence: what was seen, in figures. */
  readonly because: string
  /**
   * What raises the limit. `needed` is the value, in the unit of `max`, that the planned upload needs, with a margin;
   * undefined where nothing is planned.
   */
  remedy(needed: number | undefined): Remedy
}

/** How the MLflow client sends a file. `signed-parts`: multipart upload by URLs that the tracking server signs. */
export type RouteKind = 'proxied-put' | 'signed-parts' | 'store-multipart' | 'store-put' | 'folder-copy'

/** Something that this check could not look at or could not prove; it ends in `covered`, never in a finding. */
export interface Gap {
  readonly kind: 'gap'
  readonly at: string
  readonly cannot: 'see' | 'prove'
  readonly because: string
  /** True when this route normally allows what was refused: makes the exit code 3. */
  readonly unexpected: boolean
  /** The word under which `--require` turns this gap into exit code 3. */
  readonly about?: GapTopic
  /** How many more places have the same gap; `at` names one of them. */
  readonly more?: number
}
export const gapTopics = ['orphans', 'structure', 'times', 'sizes', 'limits'] as const
export type GapTopic = (typeof gapTopics)[number]

/** Something alive that must be told and must not be counted as damage, such as an upload that is still in progress. */
export interface Active {
  readonly kind: 'active'
  readonly at: string
  readonly says: string
  readonly facts: Readonly<Record<string, number | string | boolean>>
}

export interface Remedy {
  /** What to do, for a person; ends with a full stop. */
  readonly text: string
  /** Lines that can be run or pasted as they are. Never destructive ones. */
  readonly commands?: readonly string[]
}

/** What repairing a finding means; the planner merges equal wants and decides source and route. */
export type Want =
  | { readonly want: 'file'; readonly target: string; readonly path: string; readonly bytes?: number }
  | { readonly want: 'upload-settled'; readonly target: string; readonly path: string; readonly uploadId: string }
  | { readonly want: 'model-ready'; readonly target: string; readonly modelId: string }

export interface Finding<F extends Facts = Facts> {
  readonly kind: 'finding'
  /** `<target>/<path>`, or the subject's own name for checks of the host or the server. */
  readonly at: string
  /** One sentence without a full stop, figures included. */
  readonly says: string
  readonly facts: FactValues<F>
  /** Lowers the check's own severity for this finding; it can never raise it. */
  readonly severity?: Severity
  readonly remedy: Remedy
  /**
   * Names of needs that cannot be opened as long as this is so: checks that they block point here and do not say it again.
   * Needs of a target are then not even tried.
   */
  readonly stops?: readonly string[]
  /** Present when `repair` can act on it. */
  readonly wants?: readonly Want[]
}

export type Yielded<F extends Facts = Facts> = Finding<F> | Limit | Gap | Active

export const areas = ['host', 'client', 'network', 'proxy', 'server', 'store', 'model', 'artifact'] as const
export type Area = (typeof areas)[number]

/** The commands whose run includes a check. */
export type Occasion = 'check' | 'scan'

export interface Check<N extends Need = Need, W extends Need = Need, F extends Facts = Facts> {
  /** Equals the file's path below `checks/`; never reused for something else. */
  readonly id: `${Area}/${string}`
  /** The healthy condition, as a sentence without a full stop. */
  readonly title: string
  /** The most that a finding of this check can weigh. */
  readonly severity: Severity
  /** The topics that it looks at: `--require` is met only when such a check ran, and left no gap about it. */
  readonly answers?: readonly GapTopic[]
  /** Which commands run it. It runs once for each target when a need or want of it has the scope `target`, else once. */
  readonly on: readonly Occasion[]
  /** A need that cannot be opened blocks the check. */
  readonly needs: readonly N[]
  /** A want that cannot be opened is undefined and blocks nothing. */
  readonly wants: readonly W[]
  readonly facts: F
  readonly explain: { readonly measures: string; readonly breaks: string; readonly remedy: string }
  /** Yields nothing when healthy. States are made by the runner, so a check cannot report a pass that it did not earn. */
  run(on: On<N, W>): AsyncIterable<Yielded<F>>
}

/** Identity; infers the types of a check from its declaration. */
export const defineCheck = <const N extends Need, const W extends Need, const F extends Facts>(
  check: Check<N, W, F>,
): Check => check as unknown as Check
