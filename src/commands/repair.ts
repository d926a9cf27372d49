import { tempFolder } from '../host/temp.ts'
import { foundFolders } from '../transfer/found-folders.ts'
import { stateDir } from '../transfer/journal.ts'
import { defineCommand } from './command.ts'
import { repairTargets } from './repairing.ts'
import { askedFor, neededFor, olderThan, specsOf } from './scan.ts'
import { openSession, seen } from './session.ts'
import { parseTime } from './sizes.ts'
import { type TransferArguments, transferOptions, transferring } from './transfer-options.ts'

export interface RepairArguments extends TransferArguments {
  targets?: string[]
  experiment?: string
  from?: string
  abortOrphans: boolean
  addLifecycleRule: boolean
  olderThan: string
}

export default defineCommand<RepairArguments>({
  name: 'repair',
  summary: 'Put back exactly what is missing, in chunks, resumable',
  positionals: {
    targets: {
      type: 'string',
      array: true,
      variadic: true,
      describe: 'As for scan: a run id, runs:/…, models:/…, a store URI or folder',
    },
  },
  options: {
    experiment: { type: 'string', requiresArg: true, describe: 'Every run and model of an experiment, by name or id' },
    from: {
      type: 'string',
      requiresArg: true,
      describe: 'The local folder that still holds the files, such as the model folder of the killed process',
    },
    ...transferOptions,
    'abort-orphans': {
      type: 'boolean',
      default: false,
      describe: 'Give up abandoned uploads that no local file completes',
    },
    'add-lifecycle-rule': {
      type: 'boolean',
      default: false,
      describe: 'Add a rule to the bucket that aborts unfinished uploads, where it has none; others stay as they are',
    },
    'older-than': olderThan,
  },
  examples: [
    ['mlflow-doctor repair runs:/0123… --from ./model --dry-run', 'What would be done'],
    ['mlflow-doctor repair models:/m-0123… --from /tmp/tmpab12/model --yes', 'Do it; after a kill, run it again'],
  ],
  report: async (args, context) => {
    const specs = specsOf(args, context.host.cwd)
    const needed = {
      ...neededFor(args, context, { localDir: args.from, olderThan: args.olderThan }),
      found: foundFolders(stateDir(context.host.env), async () => (await tempFolder(context.host)).path),
    }
    const options = {
      ...transferring(args, context),
      abortOrphans: args.abortOrphans,
      addLifecycleRule: args.addLifecycleRule,
      orphanAgeMs: parseTime('--older-than', args.olderThan),
    }
    const { yes, from } = args
    const asked = { specs, options, yes, dryRun: args.dryRun || args.readOnly, ...(from === undefined ? {} : { from }) }
    const session = openSession('scan', needed, args, context)
    try {
      const steps = await repairTargets(asked, session, context)
      return { target: askedFor(args), steps, ...seen(session, args.require) }
    } finally {
      await session.close()
    }
  },
})
