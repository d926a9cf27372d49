/** From the words on the command line to a command and its options: yargs made from commands as data. */
import yargs from 'yargs'
import type { Command } from './commands/command.ts'
import { commonOptions, loadOption, outputOptions } from './commands/common-options.ts'
import { commands } from './commands/index.ts'
import { Trouble } from './errors.ts'

export interface Parsed {
  readonly command: Command
  readonly args: Record<string, unknown>
  /** Names of the options that stand on the command line, in camel case; all others have their defaults. */
  readonly given: ReadonlySet<string>
}

/** `fail-on` is `failOn` in the arguments and in the configuration file. */
export const camel = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())

/** Everything that a command takes beside its positionals. */
export const optionsOf = ({ options, report }: Command) => ({
  ...options,
  ...loadOption,
  ...(report && { ...commonOptions, ...outputOptions }),
})

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

/** An option that takes one value and is given twice is a slip of which nobody can tell what was meant. */
const onceEach = (args: Record<string, unknown>, command: Command): Record<string, unknown> => {
  for (const [name, option] of Object.entries(optionsOf(command))) {
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

/** yargs hands what follows `--` to nobody; for a command that takes any number of targets they are targets. */
const afterDashes = (args: Record<string, unknown>, command: Command): Record<string, unknown> => {
  const variadic = Object.entries(command.positionals ?? {}).find(([, positional]) => positional.variadic)
  const [, ...more] = [args._ ?? []].flat().map(String)
  if (variadic === undefined || more.length === 0) return args
  const [name] = variadic
  return { ...args, [name]: [...[args[name] ?? []].flat(), ...more] }
}

/** Help is asked for (undefined), or a command was chosen. @throws Trouble `usage` when the words are wrong */
export const parse = async (
  argv: readonly string[],
  version: string,
  print: (text: string) => void,
): Promise<Parsed | undefined> => {
  let parsed: Omit<Parsed, 'given'> | undefined
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
        y.options(optionsOf(command))
        for (const [example, says] of command.examples ?? []) y.example(example, says)
        return y
      },
      (args) => {
        const once = afterDashes(onceEach(args as Record<string, unknown>, command), command)
        parsed = { command, args: command.runsCommand ? { ...once, command: rest } : once }
      },
    )
  }
  await parser.parseAsync([...own], {}, (_error, _args, output) => {
    if (output) print(`${output}\n`)
  })
  if (parsed === undefined) return undefined
  const { defaulted = {} } = (parser as unknown as { parsed: { defaulted?: Record<string, true> } }).parsed
  const { args } = parsed
  const given = Object.keys(optionsOf(parsed.command)).filter(
    (name) => args[name] !== undefined && defaulted[name] === undefined,
  )
  const words = Object.keys(parsed.command.positionals ?? {}).filter((name) => [args[name] ?? []].flat().length > 0)
  return { ...parsed, given: new Set([...given, ...words].map(camel)) }
}

/** Of a command that is called by a program: every option at its default. */
export const defaultsOf = (command: Command): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(optionsOf(command)).flatMap(([name, option]) =>
      option.default === undefined ? [] : [[camel(name), option.default]],
    ),
  )
