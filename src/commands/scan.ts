import { Trouble } from '../errors.ts'
import { experimentBy, parseTarget, resolveTargets } from '../mlflow/target.ts'
import type { Target, TargetSpec } from '../mlflow/types.ts'
import { type Depth, tracking as trackingNeed } from '../needs/declarations.ts'
import type { Needed } from '../needs/needed.ts'
import { settingsOf } from '../needs/openers.ts'
import { sweepAll, sweepExperiment } from '../sweep/experiment.ts'
import { openMeter } from '../sweep/meter.ts'
import { sinceOf } from '../sweep/since.ts'
import { keeper, openSweep, type Sweep } from '../sweep/sweep.ts'
import { lookInSections } from '../sweep/target.ts'
import type { CommandContext, CommonOptions } from './command.ts'
import { defineCommand } from './command.ts'
import { depthOption, parseDepth } from './depth.ts'
import { foreignFolder, localOf } from './local-folder.ts'
import { memoryOptions, refuseContradictions, type ScanArguments, stateFor } from './scan-memory.ts'
import { type Look, neededOf, openSession, type Results, type Session, seen } from './session.ts'
import { parseTime } from './sizes.ts'

/** What the command line names. */
interface Asked {
  readonly targets?: readonly string[]
  readonly experiment?: string
  readonly all?: boolean
}

/** What the words on the command line ask for. @throws Trouble `usage` when they ask for nothing */
export const specsOf = ({ targets = [], experiment, all = false }: Asked, cwd: string): TargetSpec[] => {
  if (all && experiment !== undefined) {
    throw new Trouble({
      kind: 'usage',
      what: 'cannot use --experiment with --all',
      why: 'every experiment is looked at anyway, and this one would be counted twice',
      todo: 'Leave one of them out',
    })
  }
  const specs = targets.map((text) => parseTarget(text, cwd))
  if (experiment !== undefined) {
    specs.push({ kind: 'experiment', by: experimentBy(experiment) })
  }
  if (specs.length > 0 || all) return specs
  throw new Trouble({
    kind: 'usage',
    what: 'there is nothing to look at',
    why: 'no target was given',
    todo: 'Give a run id, runs:/…, models:/…, a store URI, or --experiment',
  })
}

/** The same, as the report repeats it. */
export const askedFor = ({ targets = [], experiment, all = false }: Asked): string =>
  [...targets, ...(experiment === undefined ? [] : [experiment]), ...(all ? ['--all'] : [])].join(' ')

/** The artifact roots behind a spec; a bare store URI asks no tracking store. */
export async function* targetsOf(spec: TargetSpec, session: Session, signal: AbortSignal): AsyncIterable<Target> {
  const bare = spec.kind === 'uri' && !spec.uri.startsWith('mlflow-artifacts:')
  const tracked = bare ? undefined : await session.open(trackingNeed)
  yield* resolveTargets(spec, tracked, signal)
}

const sawAll = ({ checks, gaps }: Results): boolean =>
  checks.every(({ state }) => state !== 'blocked' && state !== 'crashed') && !gaps.some(({ unexpected }) => unexpected)

export const neededFor = (
  args: CommonOptions,
  context: CommandContext,
  more: { localDir: string | undefined; olderThan: string; depth?: Depth },
): Needed => {
  const needed: Needed = {
    ...neededOf(args, context),
    orphanAgeMs: parseTime('--older-than', more.olderThan),
    ...(more.localDir === undefined ? {} : { localDir: more.localDir }),
    ...(more.depth === undefined ? {} : { depth: more.depth }),
  }
  settingsOf(needed)
  return needed
}

export const olderThan = {
  type: 'string',
  requiresArg: true,
  default: '24h',
  describe: 'An unfinished upload counts as abandoned when nothing was heard of it for this long',
} as const

export default defineCommand<ScanArguments>({
  name: 'scan',
  summary: 'After a failure: what is missing, short or abandoned?',
  positionals: {
    targets: {
      type: 'string',
      array: true,
      variadic: true,
      describe: 'A run id, runs:/…, models:/m-…, models:/name/version, or a store URI or folder',
    },
  },
  options: {
    experiment: { type: 'string', requiresArg: true, describe: 'Every run and model of an experiment, by name or id' },
    all: { type: 'boolean', default: false, describe: 'Every run and model of every experiment' },
    stray: {
      type: 'boolean',
      default: false,
      describe: 'With --experiment or --all: objects that belong to no run or model, too',
    },
    against: { type: 'string', requiresArg: true, describe: 'A local folder that holds what should be stored' },
    depth: depthOption,
    ...memoryOptions,
    'older-than': olderThan,
  },
  examples: [
    ['mlflow-doctor scan runs:/0123…', 'One run and the models that it logged'],
    ['mlflow-doctor scan --experiment churn --json', 'A whole experiment, for CI'],
    ['mlflow-doctor scan --all --depth sizes', 'Everything that the tracking server knows, by listings alone'],
  ],
  report: async (args, context) => {
    const { signal } = context
    const specs = specsOf(args, context.host.cwd)
    refuseContradictions(args, specs)
    const needed = neededFor(args, context, {
      localDir: args.against,
      olderThan: args.olderThan,
      depth: parseDepth(args.depth),
    })
    const meter = openMeter(context.progress)
    const state = await stateFor(args, needed)
    const session = openSession('scan', needed, args, { ...context, progress: meter.says }, state.results)
    let foreign: string | undefined
    let belongs = args.against === undefined
    const looked = async (look: Look) => {
      if (belongs) return
      const local = await localOf(look)
      if ('tree' in local) belongs = true
      else foreign = local.none
    }
    const keep = keeper(session, signal, state, looked)
    const since = state.since === undefined ? undefined : sinceOf(state.since)
    const looking = { session, signal, meter, state, since, keep }
    let sweep: Sweep | undefined
    const sweeping = async (): Promise<Sweep> => {
      sweep ??= openSweep(looking, await session.open(trackingNeed), args.stray)
      return sweep
    }
    try {
      if (state.results === undefined) await session.once()
      for (const spec of specs) {
        if (spec.kind === 'experiment') {
          const { tracking } = await sweeping()
          await sweepExperiment(await tracking.experiment(spec.by, signal), await sweeping())
          continue
        }
        for await (const target of targetsOf(spec, session, signal)) {
          if (signal.aborted) break
          // What is compared with a local folder is compared as a whole: what the store lacks is missing once.
          if (target.kind === 'uri' && args.against === undefined) await lookInSections(target, looking)
          else if (!state.has(target.name)) await keep(await session.look(target), {}, target.name)
        }
      }
      if (args.all) await sweepAll(await sweeping())
      if (!signal.aborted) await state.finish(sawAll(session.results))
    } catch (error) {
      // What was found until the interruption is told all the same.
      if (!signal.aborted) throw error
    } finally {
      await session.close()
    }
    if (!belongs && !signal.aborted) {
      throw foreignFolder('--against', args.against ?? '', foreign ?? 'nothing was found to look at')
    }
    return {
      target: askedFor(args),
      ...seen(session, args.require),
    }
  },
})
