/** Options of the commands that send files, and what they come to. */
import type { Options } from 'yargs'
import type { RepairOptions } from '../repair/types.ts'
import { stateDir } from '../transfer/journal.ts'
import type { CommandContext } from './command.ts'
import { parseSize, parseTime } from './sizes.ts'

/** Parts in flight at once: on two cores more gained nothing (measured against versitygw on loopback). */
const concurrency = 4

export interface TransferArguments {
  readonly yes: boolean
  readonly dryRun: boolean
  readonly overwrite: readonly string[]
  readonly settle: string
  readonly memory: string
}

export const transferOptions: Readonly<Record<string, Options>> = {
  yes: { type: 'boolean', default: false, describe: 'Carry out the plan without asking' },
  'dry-run': { type: 'boolean', default: false, describe: 'Show the plan and do nothing' },
  overwrite: {
    type: 'string',
    array: true,
    requiresArg: true,
    default: [],
    describe: 'A stored path that may be replaced though it is no beginning of the local file',
  },
  settle: {
    type: 'string',
    requiresArg: true,
    default: '60s',
    describe: 'How long no part may appear before an upload that was begun elsewhere is taken up',
  },
  memory: { type: 'string', requiresArg: true, default: '64MiB', describe: 'Memory for all parts in flight' },
}

/** What these options come to; orphans are left alone unless the command says otherwise. @throws Trouble `usage` */
export const transferring = (
  args: TransferArguments,
  context: CommandContext,
): Omit<RepairOptions, 'abortOrphans' | 'orphanAgeMs'> => ({
  overwrite: new Set(args.overwrite),
  settleMs: parseTime('--settle', args.settle),
  memoryBytes: parseSize('--memory', args.memory),
  concurrency,
  journalDir: stateDir(context.host.env),
  sightings: new Map(),
  signal: context.signal,
})
