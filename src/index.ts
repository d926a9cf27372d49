/**
 * The public API. `check`, `scan` and `repair` run what the commands of the same name run and resolve to the same report; they
 * never reject: what went wrong is in `report.trouble`, and `report.exitCode` is what the command line would end with.
 */
import { checks as ownChecks } from '../checks/index.ts'
import { camel, defaultsOf, optionsOf } from './arguments.ts'
import type { CheckArguments } from './commands/check.ts'
import check_ from './commands/check.ts'
import type { Command, CommonOptions } from './commands/command.ts'
import type { RepairArguments } from './commands/repair.ts'
import repair_ from './commands/repair.ts'
import scan_ from './commands/scan.ts'
import type { ScanArguments } from './commands/scan-memory.ts'
import { Trouble } from './errors.ts'
import { execute, prepare, seal, troubled } from './execute.ts'
import { homeOf } from './host/home.ts'
import { secretsOf } from './mlflow/secrets.ts'
import { createRedactor } from './redact.ts'
import type { Report } from './report.ts'
import type { Moved } from './reporters/progress.ts'
import { version } from './version.ts'

export type { Area, Check, Facts, Finding, Gap, Limit, Need, On, Severity, Touches, Unit, Yielded } from './check.ts'
export { defineCheck } from './check.ts'
/** What a check of your own may ask for: the same needs that the checks of this tool are made of. */
export * as needs from './needs/declarations.ts'
export type {
  CheckReport,
  Covered,
  FileMap,
  FileRow,
  ForecastRow,
  Report,
  ReportedFinding,
  ReportedGap,
  ReportedLimit,
  Step,
} from './report.ts'
export { version } from './version.ts'
/** Figures in words, as the tool spells them. */
export * as words from './words.ts'

/** What a program may hand in beside the options. */
export interface Around {
  /** Ends the run in good order: canaries are removed, and the report says `interrupted`. */
  readonly signal?: AbortSignal
  /** Variables; those of this process unless given. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Folder that relative paths are below; that of this process unless given. */
  readonly cwd?: string
  /** What is under way; amounts are there while bytes move. */
  readonly onProgress?: (says: string, moved?: Moved) => void
}

/** Options of the command line in camel case, each with the same default: `{ size: '20GiB', failOn: 'warning' }`. */
type Options<Arguments> = Partial<Arguments & CommonOptions> & {
  /** Modules with checks of your own. */
  readonly load?: readonly string[]
  /** Configuration file; else the one that the command line would find. */
  readonly config?: string
}
export type CheckOptions = Options<CheckArguments>
export type ScanOptions = Options<ScanArguments>
export type RepairOptions = Options<RepairArguments>

/** A mistyped option would look as if it had been heeded. */
const unknown = ({ name: command }: Command, name: string): Trouble =>
  new Trouble({
    kind: 'usage',
    what: `cannot call ${command}`,
    why: `it has no option "${name}"`,
    todo: `See \`mlflow-doctor ${command} --help\`; names are in camel case here`,
  })

const run = async (command: Command, options: Readonly<Record<string, unknown>>, around: Around): Promise<Report> => {
  const began = new Date()
  const { env = process.env, cwd = process.cwd(), signal = new AbortController().signal, onProgress } = around
  const home = homeOf(env)
  const texts = Object.values(options).flatMap((value) => [value].flat().filter((one) => typeof one === 'string'))
  const redact = createRedactor(secretsOf({ env, home, texts }))
  const given = new Set(Object.keys(options).filter((name) => options[name] !== undefined))
  const args = { ...defaultsOf(command), ...options }
  const known = new Set([...Object.keys(optionsOf(command)), ...Object.keys(command.positionals ?? {})].map(camel))
  const about = { command: command.name, version, began, redact }
  try {
    for (const name of given) if (!known.has(name)) throw unknown(command, name)
    const prepared = await prepare(command, args, given, ownChecks, cwd)
    const findings = await execute(command, prepared.args, {
      host: { env, cwd, home, platform: process.platform, ask: undefined },
      version,
      signal,
      checks: prepared.checks,
      progress: (says, moved) => {
        if (says !== undefined) onProgress?.(redact(says), moved)
      },
      // Nobody is asked, and nothing is printed: the report says it all.
      tell: () => {},
      whileChild: (_pass, ended) => ended,
    })
    return seal(findings, { ...about, ...prepared, interrupted: signal.aborted })
  } catch (error) {
    return seal(troubled(error, false), { ...about, args, checks: ownChecks, interrupted: signal.aborted })
  }
}

/** Forecasts an upload: limits, rates, and a verdict for each planned file. Writes canaries unless `readOnly`. */
export const check = (options: CheckOptions = {}, around: Around = {}): Promise<Report> => run(check_, options, around)

/** Finds what is missing, short, cut or abandoned. Only reads. */
export const scan = (options: ScanOptions, around: Around = {}): Promise<Report> => run(scan_, options, around)

/** Puts back what is missing. Without `yes: true` it plans, and does nothing. */
export const repair = (options: RepairOptions, around: Around = {}): Promise<Report> => run(repair_, options, around)
