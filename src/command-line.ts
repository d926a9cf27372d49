/** From the words on the command line to the exit code: one report, in every format that was asked for, and one way out. */
import { createWriteStream } from 'node:fs'
import { appendFile, writeFile } from 'node:fs/promises'
import isUnicodeSupported from 'is-unicode-supported'
import { checks as ownChecks } from '../checks/index.ts'
import { type Parsed, parse } from './arguments.ts'
import type { CommandContext, CommonOptions, Findings, Host } from './commands/command.ts'
import { followUp } from './commands/follow-up.ts'
import { Trouble } from './errors.ts'
import { execute, type Prepared, prepare, seal, troubled } from './execute.ts'
import { homeOf } from './host/home.ts'
import { secretsOf } from './mlflow/secrets.ts'
import { createRedactor, type Redact } from './redact.ts'
import type { Report } from './report.ts'
import { block, line } from './reporters/escape.ts'
import { type Format, formats, isMachine, render } from './reporters/index.ts'
import { type Progress, type ProgressKind, progress as progressOn } from './reporters/progress.ts'
import type { RenderOptions } from './reporters/render.ts'
import { standard } from './reporters/sink.ts'
import { writeNamed } from './write-named.ts'

/** What was asked for, as far as it can be told when the rest of the line is wrong: JSON must come out in every situation. */
const guessedFormat = (argv: readonly string[]): Format => {
  if (argv.includes('--json')) return 'json'
  const words = argv.flatMap((word) => word.replace(/^--format=/, '--format\n').split('\n'))
  const at = words.indexOf('--format')
  return formats.find((format) => at !== -1 && format === words[at + 1]) ?? 'pretty'
}

const formatOf = (args: Readonly<Record<string, unknown>>): Format => (args.json ? 'json' : args.format) as Format

const hostOf = (interactive: boolean): Host => ({
  env: process.env,
  cwd: process.cwd(),
  home: homeOf(process.env),
  platform: process.platform,
  ask: interactive
    ? async (question) => {
        const { createInterface } = await import('node:readline/promises')
        const reader = createInterface({ input: process.stdin, output: process.stderr })
        const gone = new AbortController()
        // Ctrl-C and Ctrl-D are answers too: without this the question would wait for ever.
        reader.on('close', () => gone.abort())
        reader.on('SIGINT', () => {
          gone.abort()
          process.kill(process.pid, 'SIGINT')
        })
        try {
          return await reader.question(question, { signal: gone.signal })
        } catch (error) {
          if (gone.signal.aborted) return ''
          throw error
        } finally {
          reader.close()
        }
      }
    : undefined,
})

const writeReport = async (text: string, output: string | undefined, print: (text: string) => void): Promise<void> => {
  if (output === undefined) return print(text)
  await writeNamed(`the report to ${output}`, async () => {
    // A pipe or a device cannot be written as a file is.
    if (!output.startsWith('/dev/')) return writeFile(output, text)
    const { pipeline } = await import('node:stream/promises')
    return pipeline([text], createWriteStream(output))
  })
}

interface FurtherReport {
  readonly format: Format
  readonly file: string
}

/** `--report FORMAT=FILE`. @throws Trouble `usage` */
const furtherReports = (pairs: readonly string[]): FurtherReport[] =>
  pairs.map((pair) => {
    const at = pair.indexOf('=')
    const format = formats.find((known) => known === pair.slice(0, at))
    const file = pair.slice(at + 1)
    if (at !== -1 && format !== undefined && file !== '') return { format, file }
    throw new Trouble({
      kind: 'usage',
      what: `cannot use --report ${pair}`,
      why: 'it is not of the form FORMAT=FILE',
      todo: `Give one of ${formats.join(', ')}, and a file: --report html=report.html`,
    })
  })

/** Runs one command line. Never throws; what goes wrong is in the report and in the exit code. */
export const runCommandLine = async (argv: readonly string[], version: string): Promise<number> => {
  const began = new Date()
  const redact: Redact = createRedactor(secretsOf({ env: process.env, home: homeOf(process.env), texts: argv }))
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

  let parsed: Parsed | undefined
  let prepared: Prepared = { args: {}, checks: ownChecks, configured: new Set() }
  let further: readonly FurtherReport[] = []
  let findings: Findings
  let context: CommandContext | undefined
  try {
    parsed = await parse(argv, version, out.write)
    if (!parsed) return 0
    const { command, given } = parsed
    prepared = { ...prepared, args: parsed.args }
    prepared = await prepare(command, parsed.args, given, ownChecks, process.cwd())
    const { args, checks } = prepared
    if (command.print) {
      out.write(await command.print(args, checks))
      return 0
    }
    if (command.perform) return await command.perform(args)
    further = furtherReports(args.report as readonly string[])
    const machine = isMachine(formatOf(args))
    const interactive = process.stdin.isTTY === true && err.isTTY && !machine
    const kind = args.quiet === true ? 'none' : (args.progress as ProgressKind)
    const { unicode, color } = showing(args, err.isTTY)
    const lines = kind === 'json' ? standard(process.stderr, (text) => text) : err
    const progress: Progress = await progressOn(lines, redact, { kind, unicode, color })
    context = {
      host: hostOf(interactive),
      version,
      checks,
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
      findings = await execute(command, args, context)
    } finally {
      progress.stop()
    }
  } catch (error) {
    const verbose = prepared.args.verbose === true || argv.includes('--verbose')
    findings = troubled(error, verbose)
  }
  reporting = true
  const { args, checks, configuration, configured } = prepared
  const command = parsed?.command.name ?? argv.find((word) => !word.startsWith('-')) ?? ''
  const aside = parsed?.command.runsCommand === true
  const format = args.format === undefined ? guessedFormat(argv) : formatOf(args)
  const output = args.output as string | undefined
  const report = seal(findings, {
    ...{ command, version, began, checks, redact },
    interrupted: abort.signal.aborted,
    args: args as Partial<CommonOptions>,
    ...(configuration && { configuration }),
  })
  // The report went through the redactor as data; its text must not, where a digit less would break the format.
  const sealed = isMachine(format) ? standard(aside ? process.stderr : process.stdout, (text) => text) : undefined
  const to = sealed ?? (aside ? err : out)
  const shown = showing(args, to.isTTY)
  const columns = to.isTTY ? (aside ? process.stderr : process.stdout).columns : 0
  const options: RenderOptions = {
    ...shown,
    color: shown.color && output === undefined,
    verbose: args.verbose === true,
    ...(columns > 0 && output === undefined && { width: columns }),
  }
  try {
    await writeReport(await render(format, report, options), output, to.write)
    for (const { format: other, file } of further) {
      const inFile = { color: false, verbose: options.verbose, unicode: args.unicode !== false }
      await writeReport(await render(other, report, inFile), file, () => {})
    }
    await summarize(format, report)
    if (args.bundle !== undefined) {
      const about = { args, given: parsed?.given ?? new Set<string>(), configured, version, redact }
      const { writeBundle } = await import('./bundle.ts')
      await writeBundle(args.bundle as string, report, about)
      err.write(`${line(`The support bundle is ${args.bundle}. Look into it before you send it.`)}\n`)
    }
    if ((output !== undefined || isMachine(format)) && report.trouble) {
      err.write(`${line(`${report.trouble.what}: ${report.trouble.why}. ${report.trouble.todo}.`)}\n`)
    }
  } catch (error) {
    err.write(`${line((error as Error).message)}\n`)
    return error instanceof Trouble ? 2 : 3
  }
  if (context?.host.ask !== undefined && parsed !== undefined && output === undefined && !abort.signal.aborted) {
    const next = await followUp(report, args, parsed.given, context.host.ask)
    // What was found stays found, unless all of it is repaired now. That run hears signals itself.
    process.off('SIGINT', signalled)
    process.off('SIGTERM', signalled)
    if (next !== undefined) return runCommandLine(next, version)
  }
  return report.childExit || report.exitCode
}

/** Colour and signs: as the user says, else as the place can show them. */
const showing = (
  args: Readonly<Record<string, unknown>>,
  isTTY: boolean,
): Pick<RenderOptions, 'color' | 'unicode'> => ({
  color: args.color === undefined ? isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb' : args.color === true,
  unicode: args.unicode === undefined ? isUnicodeSupported() : args.unicode === true,
})

/** On GitHub, annotations are short, and the page of the job shows the rest. */
const summarize = async (format: Format, report: Report): Promise<void> => {
  const file = process.env.GITHUB_STEP_SUMMARY
  if (format !== 'github' || !file) return
  const text = await render('markdown', report, { color: false, verbose: false, unicode: true })
  const todo = 'Unset GITHUB_STEP_SUMMARY where there is no such file'
  await writeNamed(`the job's summary to ${file}`, () => appendFile(file, text), todo)
}
