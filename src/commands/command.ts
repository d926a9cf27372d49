/** A command as data: what it takes, and a handler that receives everything it may use. One place turns it into yargs. */
import type { Check, GapTopic, Severity } from '../check.ts'
import type { Report } from '../report.ts'
import type { Moved } from '../reporters/progress.ts'

/** An option as data, in the words of yargs; of its own, so that the types of this package need no other one. */
export interface Option {
  readonly type?: 'string' | 'boolean' | 'number'
  readonly array?: true
  readonly requiresArg?: true
  readonly default?: string | boolean | readonly string[]
  readonly defaultDescription?: string
  readonly choices?: readonly string[]
  readonly conflicts?: string | readonly string[]
  readonly describe: string
}

export interface Positional extends Pick<Option, 'type' | 'array' | 'choices' | 'describe'> {
  readonly demandOption?: true
  /** Takes all words that follow. */
  readonly variadic?: true
}

export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly home: string
  readonly platform: NodeJS.Platform
  /** Asks on the terminal; undefined where there is none, so that nothing ever waits in CI. */
  readonly ask: ((question: string) => Promise<string>) | undefined
}

/** Everything else, and no answer at all, is no. */
export const isYes = (answer: string): boolean => /^y(es)?$/i.test(answer.trim())

export interface CommandContext {
  readonly host: Host
  readonly version: string
  readonly signal: AbortSignal
  /** Every check that there is, those that `--load` added included. */
  readonly checks: readonly Check[]
  /** Until `ended` settles, signals do not interrupt this command but are passed on. */
  whileChild<T>(pass: (signal: NodeJS.Signals) => void, ended: Promise<T>): Promise<T>
  /** What is under way; undefined ends it. */
  progress(says: string | undefined, moved?: Moved): void
  /** Prints what a person must see before being asked, to standard error, through the redactor. */
  tell(text: string): void
}

/** What a report needs beside what the command itself found out. */
export type Findings = Omit<
  Report,
  | 'schemaVersion'
  | 'tool'
  | 'command'
  | 'startedAt'
  | 'durationMs'
  | 'units'
  | 'counts'
  | 'interrupted'
  | 'failOn'
  | 'required'
  | 'exitCode'
  | 'ignored'
  | 'configuration'
>

/** Options of every command that ends in a report. */
export interface CommonOptions {
  readonly trackingUri?: string
  readonly artifactsDestination?: string
  readonly trustHost: readonly string[]
  readonly only: readonly string[]
  readonly skip: readonly string[]
  readonly severity: readonly string[]
  readonly failOn: Severity
  readonly require: readonly GapTopic[]
  /** Undefined where it is not given. */
  readonly timeout?: string
  readonly readOnly: boolean
}

export interface Command<Arguments = Record<string, unknown>> {
  readonly name: string
  readonly summary: string
  readonly positionals?: Readonly<Record<string, Positional>>
  readonly options: Readonly<Record<string, Option>>
  /** Runs a command of the user's, given after `--`: the report keeps out of its way and goes to standard error. */
  readonly runsCommand?: true
  readonly examples?: readonly (readonly [line: string, says: string])[]
  /** Ends in a report, printed in the format asked for. */
  readonly report?: (args: Arguments & CommonOptions, context: CommandContext) => Promise<Findings>
  /** Runs command lines of this tool, which print themselves, and ends with an exit code of its own. */
  readonly perform?: (args: Arguments) => Promise<number>
  /** Ends in plain text on standard output: pure functions of the declarations. */
  readonly print?: (args: Arguments, checks: readonly Check[]) => Promise<string>
}

/** Identity; `Arguments` is what yargs makes of the options and positionals. */
export const defineCommand = <Arguments>(command: Command<Arguments>): Command => command as unknown as Command
