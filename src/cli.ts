/** Parse, run, print, set the exit code; nothing else. */
import { readFile } from 'node:fs/promises'
import { standard } from './reporters/sink.ts'

const packageJson = new URL('../package.json', import.meta.url)

const versionOf = async (): Promise<string> =>
  (JSON.parse(await readFile(packageJson, 'utf8')) as { version: string }).version

/** Answered before anything heavy is imported: a version costs no start-up time. */
const asksVersion = (argv: readonly string[]) => argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')

export const main = async (argv: readonly string[]): Promise<number> => {
  const version = await versionOf()
  if (asksVersion(argv)) {
    standard(process.stdout, (text) => text).write(`${version}\n`)
    return 0
  }
  const { runCommandLine } = await import('./command-line.ts')
  return runCommandLine(argv, version)
}
