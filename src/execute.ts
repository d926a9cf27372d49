/** Runs one command and seals its report: the same for the command line and for programs. */

import { unitsOf } from './catalogue.ts'
import type { Check } from './check.ts'
import type { Command, CommandContext, CommonOptions, Findings } from './commands/command.ts'
import type { IgnoreEntry } from './configuration/ignore.ts'
import { ignoring } from './configuration/ignore.ts'
import { readConfiguration, withConfiguration } from './configuration/index.ts'
import { Trouble } from './errors.ts'
import { withLoaded } from './extensions.ts'
import { type Redact, redactAll } from './redact.ts'
import type { Report } from './report.ts'
import { countUp, exitCode, schemaVersion } from './report.ts'

const nothing: Findings = { checks: [], covered: { targets: 0, objects: 0, bytes: 0, gaps: [], active: [] } }

/** What went wrong, as a report has it; a defect is told as one. */
export const troubled = (error: unknown, verbose: boolean): Findings => {
  if (error instanceof Trouble) {
    const { kind, what, why, todo } = error
    return { ...nothing, trouble: { kind, what, why, todo } }
  }
  const known = error instanceof Error ? error : new Error(String(error))
  return {
    ...nothing,
    trouble: {
      kind: 'defect',
      what: 'mlflow-doctor itself failed',
      why: verbose ? (known.stack ?? known.message) : known.message,
      todo: verbose ? 'Please report it, with these lines' : 'Run it again with --verbose and report what it prints',
    },
  }
}

/** What a run is told beside its options, and what a report says of it. */
export interface Sealing {
  readonly command: string
  readonly version: string
  readonly began: Date
  readonly interrupted: boolean
  readonly args: Partial<CommonOptions>
  readonly checks: readonly Check[]
  readonly configuration?: { readonly file: string; readonly ignore: readonly IgnoreEntry[] }
  readonly redact: Redact
}

/** Counts, weighs and redacts; the only place where an exit code is made. */
export const seal = (findings: Findings, of: Sealing): Report => {
  const { configuration: used } = of
  const { checks, ignored, expired, unused } = ignoring(findings.checks, used?.ignore ?? [], of.began)
  const report = {
    schemaVersion,
    tool: { name: 'mlflow-doctor', version: of.version },
    command: of.command,
    startedAt: of.began.toISOString(),
    durationMs: Date.now() - of.began.getTime(),
    ...findings,
    checks,
    ...(ignored.length > 0 && { ignored }),
    ...(used && {
      configuration: {
        file: used.file,
        ...(expired.length > 0 && { expired }),
        ...(unused.length > 0 && { unused }),
      },
    }),
    units: unitsOf(of.checks),
    counts: countUp(checks),
    interrupted: of.interrupted,
    failOn: of.args.failOn ?? 'error',
    required: of.args.require ?? [],
  } as const
  return redactAll({ ...report, exitCode: exitCode(report) }, of.redact)
}

export interface Prepared {
  readonly args: Record<string, unknown>
  readonly checks: readonly Check[]
  /** Names of the options that the configuration file set. */
  readonly configured: ReadonlySet<string>
  readonly configuration?: { readonly file: string; readonly ignore: readonly IgnoreEntry[] }
}

/** Settings of the configuration file, and the checks that `--load` names. @throws Trouble `usage` */
export const prepare = async (
  command: Command,
  args: Readonly<Record<string, unknown>>,
  given: ReadonlySet<string>,
  own: readonly Check[],
  cwd: string,
): Promise<Prepared> => {
  const loaded = (from: Readonly<Record<string, unknown>>, base: readonly Check[]) =>
    withLoaded(base, (from.load as readonly string[] | undefined) ?? [], cwd)
  const first = await loaded(args, own)
  if (!command.report) return { args: { ...args }, checks: first, configured: new Set() }
  const configuration = await readConfiguration(args.config as string | undefined, cwd, first)
  if (configuration === undefined) return { args: { ...args }, checks: first, configured: new Set() }
  const merged = withConfiguration(command, args, given, configuration.valuesFor(command))
  const checks = merged.configured.has('load') ? await loaded(merged.args, own) : first
  return { ...merged, checks, configuration }
}

/** Never throws: what goes wrong is in the report. */
export const execute = async (
  command: Command,
  args: Readonly<Record<string, unknown>>,
  context: CommandContext,
): Promise<Findings> => {
  try {
    return (await command.report?.(args as unknown as CommonOptions & Record<string, unknown>, context)) ?? nothing
  } catch (error) {
    return context.signal.aborted ? nothing : troubled(error, args.verbose === true)
  }
}
