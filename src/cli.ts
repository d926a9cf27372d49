/** Parse, run, print, set the exit code; nothing else. */
import { standard } from './reporters/sink.ts'
import { version } from './version.ts'

/** Answered before anything heavy is imported: a version costs no start-up time. */
const asksVersion = (argv: readonly string[]) => argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')

export const main = async (argv: readonly string[]): Promise<number> => {
  if (asksVersion(argv)) {
    standard(process.stdout, (text) => text).write(`${version}\n`)
    return 0
  }
  const { runCommandLine } = await import('./command-line.ts')
  return runCommandLine(argv, version)
}
