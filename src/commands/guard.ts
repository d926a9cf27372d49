import { mkdir, mkdtemp, readdir, rm, rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Trouble } from '../errors.ts'
import { startChild } from '../guard/child.ts'
import { type Kept, keepModels } from '../guard/keep.ts'
import { loggedBy } from '../guard/logged.ts'
import { marked } from '../guard/mark.ts'
import { forgetSpool, noteSpool } from '../guard/spools.ts'
import { tempFolder } from '../host/temp.ts'
import { tracking as trackingNeed } from '../needs/declarations.ts'
import type { Needed } from '../needs/needed.ts'
import { foundFolders } from '../transfer/found-folders.ts'
import { prepareJournalDir, stateDir } from '../transfer/journal.ts'
import { count } from '../words.ts'
import { type CommandContext, type CommonOptions, defineCommand, type Findings } from './command.ts'
import { repairTargets } from './repairing.ts'
import { neededFor, olderThan } from './scan.ts'
import { openSession, type Session, seen } from './session.ts'
import { parseSize } from './sizes.ts'
import { type TransferArguments, transferOptions, transferring } from './transfer-options.ts'

interface Arguments extends Omit<TransferArguments, 'yes' | 'dryRun' | 'overwrite'> {
  command: readonly string[]
  keep: string
  repair: boolean
}

/** The temp folder of the command and, beside it on the same disk, what is kept of it. */
interface Places {
  readonly id: string
  readonly dir: string
  readonly temp: string
  readonly spool: string
}

/** Short names: a socket's path in the temp folder has 108 bytes at most. */
const makePlaces = async (base: string): Promise<Places> => {
  // Readable by this user alone, as mkdtemp makes it.
  const dir = await mkdtemp(join(base, 'mdg-'))
  const places = { id: basename(dir), dir, temp: join(dir, 't'), spool: join(dir, 's') }
  await mkdir(places.temp, { mode: 0o700 })
  await mkdir(places.spool, { mode: 0o700 })
  return places
}

/** Empty folders go; whatever the command left in its temp folder is its own. */
const removeEmpty = async (dir: string): Promise<boolean> => {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => [])
  let empty = true
  for (const entry of entries) {
    if (!entry.isDirectory() || !(await removeEmpty(join(dir, entry.name)))) empty = false
  }
  if (empty) await rmdir(dir).catch(() => undefined)
  return empty
}

const healthy = ({ results }: Session): boolean =>
  results.checks.every(
    ({ state, findings }) =>
      state !== 'blocked' && state !== 'crashed' && findings.every(({ severity }) => severity !== 'error'),
  ) && results.gaps.every(({ unexpected }) => !unexpected)

/** Looks at what the command logged, and repairs it from what was kept. */
const settle = async (
  places: Places,
  kept: Kept,
  needed: Needed,
  args: Arguments & CommonOptions,
  context: CommandContext,
): Promise<{ readonly findings: Findings; readonly whole: boolean }> => {
  const given = { ...args, yes: true, dryRun: false, overwrite: [] }
  const options = transferring(given, context)
  const session = openSession('scan', needed, args, context)
  try {
    const specs = await loggedBy(places.id, kept.folders, await session.open(trackingNeed), context.signal)
    // The consent is the command itself: to add what is missing, never to overwrite or delete.
    const asked = { specs, options, yes: true, dryRun: !args.repair || args.readOnly }
    const steps = await repairTargets(asked, session, context)
    const whole = !context.signal.aborted && healthy(session) && steps.every((step) => step.state === 'verified')
    const target = `what the command logged: ${count(session.results.targets, 'artifact root')}`
    return { findings: { target, steps, ...seen(session, args.require) }, whole }
  } finally {
    await session.close()
  }
}

const guard = async (args: Arguments & CommonOptions, context: CommandContext): Promise<Findings> => {
  const { host } = context
  const what = 'cannot guard a command'
  if (host.platform === 'win32') {
    throw new Trouble({
      kind: 'usage',
      what,
      why: 'this is Windows, where a folder in use cannot be kept by links',
      todo: 'Run it in WSL',
    })
  }
  if (args.command.length === 0) {
    throw new Trouble({ kind: 'usage', what, why: 'none was given', todo: 'mlflow-doctor guard -- python train.py' })
  }
  // What is wrong with the options is told before the command runs, not hours after.
  const needed = neededFor(args, context, { localDir: undefined, olderThan: olderThan.default })
  const mostBytes = parseSize('--keep', args.keep)
  const base = (await tempFolder(host)).path
  const state = stateDir(host.env)
  await prepareJournalDir(state)
  const places = await makePlaces(base)
  const remove = async (): Promise<void> => {
    await rm(places.spool, { recursive: true, force: true })
    await removeEmpty(places.dir)
    await forgetSpool(state, places.id)
  }
  await noteSpool(state, { id: places.id, dir: places.spool, createdAt: Date.now() })
  const keeping = keepModels(places.temp, places.spool, mostBytes)
  let childExit: number
  try {
    const child = startChild(args.command, marked({ ...host.env, TMPDIR: places.temp }, places.id), host.cwd)
    childExit = await context.whileChild(child.send, child.ended)
  } catch (error) {
    await keeping.stop()
    await remove()
    throw error
  }
  const kept = await keeping.stop()
  if (kept.dropped > 0) {
    context.tell(`${count(kept.dropped, 'model folder')} could not be kept: --keep ${args.keep} was used up\n`)
  }
  let ended: Awaited<ReturnType<typeof settle>>
  try {
    ended = await settle(places, kept, { ...needed, found: foundFolders(state, async () => base) }, args, context)
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    const { kind, what: of, why, todo } = error
    const covered = { targets: 0, objects: 0, bytes: 0, gaps: [], active: [] }
    ended = { findings: { checks: [], covered, trouble: { kind, what: of, why, todo } }, whole: false }
  }
  if (ended.whole || kept.folders.length === 0) {
    await remove()
    return { ...ended.findings, childExit }
  }
  const left = { dir: places.spool, models: kept.folders.length, bytes: kept.bytes }
  return { ...ended.findings, childExit, kept: left }
}

const { memory, bandwidth, settle: settleOption, verify, manifest } = transferOptions

export default defineCommand<Arguments & CommonOptions>({
  name: 'guard',
  summary: 'Run a training command, keep its model folders, and repair what it failed to log',
  runsCommand: true,
  options: {
    keep: {
      type: 'string',
      requiresArg: true,
      default: '100GiB',
      describe: 'Disk for model folders that the command has removed; beyond it the oldest is given up',
    },
    repair: { type: 'boolean', default: true, describe: 'Repair afterwards (--no-repair: only look)' },
    ...Object.fromEntries(
      Object.entries({ memory, bandwidth, settle: settleOption, verify, manifest }).flatMap(([name, option]) =>
        option === undefined ? [] : [[name, option]],
      ),
    ),
  },
  examples: [
    ['mlflow-doctor guard -- python train.py', "The command's own exit code, unless it is 0; the report on stderr"],
    ['mlflow-doctor guard --output report.json --json -- python train.py', 'The report in a file, for CI'],
  ],
  report: guard,
})
