/** From the words on the command line to the exit code: yargs made from commands as data, one report, one way out. */
import { createWriteStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { createInterface } from 'node:readline/promises'
import { pipeline } from 'node:stream/promises'
import yargs from 'yargs'
import { checks } from '../checks/index.ts'
import { unitsOf } from './catalogue.ts'
import type { Command, CommandContext, CommonOptions, Findings, Host } from './commands/command.ts'
import { commonOptions, outputOptions } from './commands/common-options.ts'
import { commands } from './commands/index.ts'
import { Trouble } from './errors.ts'
import { secretsOf } from './mlflow/secrets.ts'
import { createRedactor, type Redact, redactAll } from './redact.ts'
import type { Counts, Report } from './report.ts'
import { countUp, exitCode, schemaVersion } from './report.ts'
import { block, line } from './reporters/escape.ts'
import { type Format, isMachine, render } from './reporters/index.ts'
import { progress as progressOn } from './reporters/progress.ts'
import { standard } from './reporters/sink.ts'

interface Parsed {
  readonly command: Command
  readonly args: Record<string, unknown>
}

const wordsFor = (command: Command): string =>
  [
    command.name,
    ...Object.entries(command.positionals ?? {}).map(([name, { demandOption, variadic }]) => {
      const dots = variadic ? '..' : ''
      return demandOption ? `<${name}${dots}>` : `[${name}${dots}]`
    }),
  ].join(' ')

/** yargs speaks in paragraphs, and of a mistyped command it tells only what it may have meant. */
const inOneLine = (message: string, argv: readonly string[]): string => {
  const text = message.replace(/\s*\n\s*/g, '; ').replace(/[?.]$/, '')
  return text.startsWith('Did you mean') ? `"${argv[0]}" is no command; d${text.slice(1)}` : text
}

/** What follows `--` is left alone where it is a command of the user's. */
const split = (argv: readonly string[]): { readonly own: readonly string[]; readonly rest: readonly string[] } => {
  const at = argv.indexOf('--')
  const runs = commands.some(({ name, runsCommand }) => runsCommand && name === argv[0])
  return runs && at !== -1 ? { own: argv.slice(0, at), rest: argv.slice(at + 1) } : { own: argv, rest: [] }
}

/** Help is asked for, or a command was chosen, or the words are wrong: then `Trouble`, for the same way out as any other. */
const parse = async (
  argv: readonly string[],
  version: string,
  print: (text: string) => void,
): Promise<Parsed | undefined> => {
  let parsed: Parsed | undefined
  const { own, rest } = split(argv)
  const parser = yargs([...own])
    .scriptName('mlflow-doctor')
    .usage('$0 <command>\n\nForecasts, finds and repairs large MLflow artifact uploads.')
    .version(version)
    .help()
    .alias('h', 'help')
    .strict()
    .demandCommand(1, 'no command was given')
    .recommendCommands()
    .parserConfiguration({
      'camel-case-expansion': true,
      'greedy-arrays': false,
    })
    .exitProcess(false)
    .showHelpOnFail(false)
    .wrap(Math.min(110, process.stdout.columns ?? 100))
    .epilogue('Exit codes: 0 healthy, 1 findings remain, 2 wrong usage, 3 health is unknown, 130 interrupted.')
    .fail((message, error) => {
      if (error instanceof Trouble) throw error
      throw new Trouble({
        kind: 'usage',
        what: 'the command line is not understood',
        why: inOneLine(message ?? error?.message ?? 'it has no command', argv),
        todo: 'See `mlflow-doctor --help`',
        cause: error,
      })
    })
  for (const command of commands) {
    parser.command(
      wordsFor(command),
      command.summary,
      (y) => {
        for (const [name, option] of Object.entries(command.positionals ?? {})) y.positional(name, option)
        y.options(command.options)
        if (command.report) y.options(commonOptions).options(outputOptions)
        for (const [example, says] of command.examples ?? []) y.example(example, says)
        return y
      },
      (args) => {
        const once = onceEach(args as Record<string, unknown>, command)
        parsed = { command, args: command.runsCommand ? { ...once, command: rest } : once }
      },
    )
  }
  await parser.parseAsync([...own], {}, (_error, _args, output) => {
    if (output) print(`${output}\n`)
  })
  return parsed
}

/** An option that takes one value and is given twice is a slip of which nobody can tell what was meant. */
const onceEach = (args: Record<string, unknown>, command: Command): Record<string, unknown> => {
  for (const [name, option] of Object.entries({ ...command.options, ...commonOptions, ...outputOptions })) {
    if (option.array || !Array.isArray(args[name])) continue
    throw new Trouble({
      kind: 'usage',
      what: 'the command line is not understood',
      why: `--${name} is given more than once`,
      todo: 'Give it once',
    })
  }
  return args
}

/** What was asked for, as far as it can be told when the rest of the line is wrong: JSON must come out in every situation. */
const guessedFormat = (argv: readonly string[]): Format =>
  argv.includes('--json') || argv.includes('--format=json') || argv[argv.indexOf('--format') + 1] === 'json'
    ? 'json'
    : 'pretty'

const nothing: Findings = { checks: [], covered: { targets: 0, objects: 0, bytes: 0, gaps: [], active: [] } }

const troubled = (error: unknown, verbose: boolean): Findings => {
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

/** Containers that run under a random user id have no home that the system knows. */
const homeOf = (env: NodeJS.ProcessEnv): string => {
  try {
    return env.HOME || homedir()
  } catch {
    return tmpdir()
  }
}

const hostOf = (interactive: boolean): Host => ({
  env: process.env,
  cwd: process.cwd(),
  home: homeOf(process.env),
  platform: process.platform,
  ask: interactive
    ? async (question) => {
        const reader = createInterface({ input: process.stdin, output: process.stderr })
        try {
          return await reader.question(question)
        } finally {
          reader.close()
        }
      }
    : undefined,
})

const writeReport = async (text: string, output: string | undefined, print: (text: string) => void): Promise<void> => {
  if (output === undefined) return print(text)
  try {
    // A pipe or a device cannot be written as a file is.
    await (output.startsWith('/dev/') ? pipeline([text], createWriteStream(output)) : writeFile(output, text))
  } catch (error) {
    throw new Trouble({
      kind: 'usage',
      what: `cannot write the report to ${output}`,
      why: (error as Error).message,
      todo: 'Give --output a path in a folder that exists and may be written',
    })
  }
}

const seal = (
  findings: Findings,
  of: { command: string; version: string; began: Date; interrupted: boolean; args: Partial<CommonOptions> },
): Report => {
  const counts: Counts = countUp(findings.checks)
  const report = {
    schemaVersion,
    tool: { name: 'mlflow-doctor', version: of.version },
    command: of.command,
    startedAt: of.began.toISOString(),
    durationMs: Date.now() - of.began.getTime(),
    ...findings,
    units: unitsOf(checks),
    counts,
    interrupted: of.interrupted,
    failOn: of.args.failOn ?? 'error',
    required: of.args.require ?? [],
  } as const
  return { ...report, exitCode: exitCode(report) }
}

/** Runs one command line. Never throws; what goes wrong is in the report and in the exit code. */
export const runCommandLine = async (argv: readonly string[], version: string): Promise<number> => {
  const began = new Date()
  const secrets = secretsOf({ env: process.env, home: homeOf(process.env), texts: argv })
  const redact: Redact = createRedactor(secrets)
  const out = standard(process.stdout, redact)
  const err = standard(process.stderr, redact)
  const abort = new AbortController()
  let interrupts = 0
  /** Nothing is left to do but to report it, which no signal cuts: a report in halves would be worse than none. */
  let reporting = false
  const interrupt = () => {
    interrupts += 1
    abort.abort()
    if (interrupts === 1 && reporting) return
    if (interrupts === 1) err.write('\nInterrupted: ending in good order; once more ends it at once.\n')
    else process.exit(130)
  }
  /** Where signals go while a command of the user's runs. */
  let passOn: ((signal: NodeJS.Signals) => void) | undefined
  const signalled = (signal: NodeJS.Signals) => {
    if (passOn === undefined) interrupt()
    // A terminal sends it to the command as well.
    else if (signal !== 'SIGINT' || process.stdin.isTTY !== true) passOn(signal)
  }
  process.on('SIGINT', signalled)
  process.on('SIGTERM', signalled)
  let command = argv.find((word) => !word.startsWith('-')) ?? ''
  let args: Record<string, unknown> = {}
  let findings: Findings
  let aside = false
  try {
    const parsed = await parse(argv, version, out.write)
    if (!parsed) return 0
    command = parsed.command.name
    args = parsed.args
    aside = parsed.command.runsCommand === true
    if (parsed.command.print) {
      out.write(await parsed.command.print(args))
      return 0
    }
    const format = (args.json ? 'json' : args.format) as Format
    const interactive = process.stdin.isTTY === true && err.isTTY && !isMachine(format)
    const progress = await progressOn(err, redact, args.quiet === true)
    const context: CommandContext = {
      host: hostOf(interactive),
      version,
      signal: abort.signal,
      whileChild: async (pass, ended) => {
        passOn = pass
        process.on('SIGHUP', signalled)
        try {
          return await ended
        } finally {
          process.off('SIGHUP', signalled)
          passOn = undefined
        }
      },
      progress: progress.says,
      tell: (text) => {
        progress.stop()
        err.write(block(text))
      },
    }
    try {
      findings =
        (await parsed.command.report?.(args as unknown as CommonOptions & Record<string, unknown>, context)) ?? nothing
    } finally {
      progress.stop()
    }
  } catch (error) {
    findings = abort.signal.aborted ? nothing : troubled(error, args.verbose === true || argv.includes('--verbose'))
  }
  reporting = true
  const format = args.format === undefined ? guessedFormat(argv) : ((args.json ? 'json' : args.format) as Format)
  const report = redactAll(
    seal(findings, {
      command,
      version,
      began,
      interrupted: abort.signal.aborted,
      args: args as Partial<CommonOptions>,
    }),
    redact,
  )
  const color = args.color === undefined ? out.isTTY && !process.env.NO_COLOR : args.color === true
  const options = { color: color && args.output === undefined, verbose: args.verbose === true }
  try {
    // The report went through the redactor as data; its text must not, where a digit less would break the format.
    const plain = isMachine(format) ? standard(aside ? process.stderr : process.stdout, (sealed) => sealed) : undefined
    const text = plain ?? (aside ? err : out)
    await writeReport(await render(format, report, options), args.output as string | undefined, text.write)
    if (args.output !== undefined || isMachine(format)) {
      if (report.trouble)
        err.write(`${line(`${report.trouble.what}: ${report.trouble.why}. ${report.trouble.todo}.`)}\n`)
    }
  } catch (error) {
    err.write(`${line((error as Error).message)}\n`)
    return error instanceof Trouble ? 2 : 3
  }
  return report.childExit || report.exitCode
}
