import { resolve } from 'node:path'
import type { Want } from '../check.ts'
import { Trouble } from '../errors.ts'
import { below } from '../mlflow/location.ts'
import type { NewModel } from '../mlflow/logging.ts'
import { destination, experimentBy, modelTarget, parseTarget, resolveTargets, runTarget } from '../mlflow/target.ts'
import type { Target, Tracking } from '../mlflow/types.ts'
import {
  type LocalTree,
  settings as settingsNeed,
  store as storeNeed,
  tracking as trackingNeed,
} from '../needs/declarations.ts'
import { plan } from '../repair/plan.ts'
import type { Place, Planned, RepairOptions } from '../repair/types.ts'
import type { Step } from '../report.ts'
import type { StoredFile } from '../stores/store.ts'
import { ownFolder } from '../transfer/manifest.ts'
import { openFolder } from '../transfer/source.ts'
import { type CommandContext, type CommonOptions, defineCommand } from './command.ts'
import { agree, bodyLimitOf, carryOut, refreshed } from './repairing.ts'
import { neededFor, olderThan } from './scan.ts'
import { openSession, type Session, seen } from './session.ts'
import { type TransferArguments, transferOptions, transferring } from './transfer-options.ts'
import { asModel, beginModel, begunModel, linkModel, marked } from './upload-model.ts'

interface Arguments extends TransferArguments {
  dir: string
  target?: string
  experiment?: string
  name: string
  run?: string
}

const usage = (why: string, todo: string): Trouble =>
  new Trouble({ kind: 'usage', what: 'cannot tell where to upload to', why, todo })

/** Characters that MLflow refuses in the name of a logged model (utils/validation.py, 3.17.2). */
const refusedInNames = /[/:.%"']/

const askedModel = async (
  { experiment, name, run }: Arguments,
  tree: LocalTree,
  tracking: Tracking,
  session: Session,
  signal: AbortSignal,
): Promise<NewModel> => {
  if (name === '' || refusedInNames.test(name)) {
    throw usage(`--name ${name} holds a character that MLflow refuses`, 'Leave out / : . % " and \'')
  }
  const of = run === undefined ? undefined : await tracking.run(run.replace(/^runs:\/+/, ''), signal)
  const settings = await session.open(settingsNeed)
  const by = experiment === undefined ? settings.experiment : experimentBy(experiment)
  const at =
    of !== undefined && experiment === undefined
      ? undefined
      : await destination({ ...settings, experiment: by }, tracking, signal)
  if (at?.assumed !== undefined) {
    throw usage(
      at.assumed.split(':')[0] ?? '',
      'Make the experiment first: mlflow experiments create --experiment-name NAME',
    )
  }
  const experimentId = of?.experimentId ?? at?.experimentId ?? '0'
  if (at !== undefined && of !== undefined && at.experimentId !== of.experimentId) {
    throw usage(`run ${of.runId} belongs to experiment ${of.experimentId}`, 'Leave out --experiment')
  }
  return marked(tree, { experimentId, name, ...(of === undefined ? {} : { runId: of.runId }) })
}

/** Where a target that is named leads: a run, a folder in it, a logged model, or an address. */
const namedTarget = async (text: string, session: Session, { host, signal }: CommandContext): Promise<Target> => {
  const spec = parseTarget(text, host.cwd)
  const forms = 'Give runs:/<run id>, runs:/<run id>/<path>, models:/m-<id>, or a store URI or folder'
  if (spec.kind === 'version' || spec.kind === 'experiment') {
    throw usage('a registered version and an experiment hold no files of their own', forms)
  }
  if (spec.kind === 'uri' && !spec.uri.startsWith('mlflow-artifacts:')) {
    for await (const found of resolveTargets(spec, undefined, signal)) return found
  }
  const tracking = await session.open(trackingNeed)
  if (spec.kind === 'model') return modelTarget(await tracking.model(spec.modelId, signal))
  if (spec.kind === 'run') {
    const run = await tracking.run(spec.runId, signal)
    const { path } = spec
    if (path === undefined) return runTarget(run)
    return { ...runTarget(run), name: `runs:/${run.runId}/${path}`, artifactUri: below(run.artifactUri, path) }
  }
  for await (const found of resolveTargets(spec, tracking, signal)) return found
  throw usage('nothing has this name', forms)
}

/** Stands for the model that will be begun once the plan is agreed to. */
const provisional = async (asked: NewModel, tracking: Tracking, signal: AbortSignal): Promise<Target> => {
  const { artifactLocation } = await tracking.experiment({ id: asked.experimentId }, signal)
  const artifactUri = below(artifactLocation, 'models/m-to-be-made/artifacts')
  return { name: `a new logged model ${asked.name}`, kind: 'uri', artifactUri, experimentId: asked.experimentId }
}

interface Going {
  readonly session: Session
  readonly options: RepairOptions
  readonly context: CommandContext
}

/** The plan for every file of the folder; whatever the destination holds is seen by one listing. */
const planFor = async (
  target: Target,
  tree: LocalTree,
  tracking: Tracking | undefined,
  { session, options, context }: Going,
): Promise<{ readonly place: Place; readonly planned: readonly Planned[]; close(): Promise<void> }> => {
  // Nothing is looked at yet: only the store is opened.
  const look = await session.look(target, { only: () => false })
  try {
    const store = await look.open(storeNeed)
    const listed = new Map<string, StoredFile>()
    for await (const file of store.list({ signal: context.signal })) listed.set(file.path, file)
    const bodyLimit = bodyLimitOf(look)
    const place: Place = {
      target,
      store,
      source: tree,
      listed,
      bodyLimit,
      ...(tracking === undefined ? {} : { tracking }),
    }
    const { name, model } = target
    const wants: Want[] = [...tree.files].map(([path, { bytes }]) => ({ want: 'file', target: name, path, bytes }))
    if (model !== undefined && model.status !== 'READY') {
      wants.push({ want: 'model-ready', target: name, modelId: model.modelId })
    }
    return { place, planned: await plan(wants, [place], options), close: look.close }
  } catch (error) {
    await look.close()
    throw error
  }
}

const upload = async (
  args: Arguments,
  going: Going,
): Promise<{ readonly target: string; readonly steps: readonly Step[] }> => {
  const { session, options, context } = going
  const { signal } = context
  const folder = await openFolder(resolve(context.host.cwd, args.dir))
  const files = new Map([...folder.files].filter(([path]) => !path.startsWith(ownFolder)))
  const [left] = folder.problems
  if (left !== undefined) {
    throw new Trouble({
      kind: 'usage',
      what: `cannot upload all of ${args.dir}`,
      why: `${left.path} would be left out: ${left.why}`,
      todo: 'Remove it, or put a regular file of your own in its place',
    })
  }
  if (files.size === 0) throw usage(`${args.dir} holds no files`, 'Name the folder that holds the files')
  const tree: LocalTree = { ...folder, files }
  const named = args.target === undefined ? undefined : await namedTarget(args.target, session, context)
  const tracking = named === undefined || named.model !== undefined ? await session.open(trackingNeed) : undefined
  const asked =
    named === undefined && tracking !== undefined ? await askedModel(args, tree, tracking, session, signal) : undefined
  const begun = asked && tracking && (await begunModel(tracking, asked, signal))
  const consenting = { yes: args.yes, dryRun: args.dryRun }
  let target = named ?? (begun && modelTarget(begun))
  if (target === undefined && asked !== undefined && tracking !== undefined) {
    const { place, planned, close } = await planFor(await provisional(asked, tracking, signal), tree, undefined, going)
    await close()
    const agreed = await agree(
      planned.map(({ step }) => step),
      { ...consenting, store: place.store },
      context,
    )
    if (!agreed.go) return { target: `a new logged model ${asked.name}`, steps: agreed.steps }
    target = modelTarget(await beginModel(tracking, asked, signal))
    consenting.yes = true
  }
  if (target === undefined) throw usage('no target was given', 'Give a target, or --name for a logged model')
  if (asked?.runId !== undefined && target.model !== undefined && tracking !== undefined && !args.dryRun) {
    await linkModel(tracking, target.model.modelId, asked.runId, signal)
  }
  const owned = target.model === undefined ? undefined : await asModel(tree, target.model, options.journalDir)
  try {
    const { place, planned, close } = await planFor(target, owned?.tree ?? tree, tracking, going)
    try {
      const agreed = await agree(
        planned.map(({ step }) => step),
        { ...consenting, store: place.store },
        context,
      )
      if (!agreed.go) return { target: target.name, steps: agreed.steps }
      const steps = await carryOut(planned, [place], options, session, context)
      const again = await session.look(await refreshed(target, session, signal))
      await session.keep(again)
      await again.close()
      return { target: target.name, steps }
    } finally {
      await close()
    }
  } finally {
    await owned?.remove()
  }
}

export default defineCommand<Arguments>({
  name: 'upload',
  summary: 'Log a folder of any size, in chunks, resumable, with checksums',
  positionals: {
    dir: { type: 'string', demandOption: true, describe: 'The folder, such as one that save_model wrote' },
    target: {
      type: 'string',
      describe: 'runs:/<run id>[/<path>], models:/m-<id>, a store URI or folder; without it, a new logged model',
    },
  },
  options: {
    name: { type: 'string', requiresArg: true, default: 'model', describe: 'Name of the logged model' },
    experiment: {
      type: 'string',
      requiresArg: true,
      describe: 'Its experiment, by name or id; else the one that MLflow would take',
    },
    run: { type: 'string', requiresArg: true, describe: 'The run that it is an output of' },
    ...transferOptions,
  },
  examples: [
    ['mlflow-doctor upload ./model --experiment churn --name churn', 'As a logged model, READY once all is verified'],
    ['mlflow-doctor upload ./data runs:/0123…/data --yes', "Into a run's artifacts; after a kill, run it again"],
  ],
  report: async (args: Arguments & CommonOptions, context) => {
    const needed = neededFor(args, context, { localDir: undefined, olderThan: olderThan.default })
    const options = transferring(args, context)
    const session = openSession('scan', needed, args, context)
    try {
      const { target, steps } = await upload(
        { ...args, dryRun: args.dryRun || args.readOnly },
        { session, options, context },
      )
      return { target, steps, ...seen(session, args.require) }
    } finally {
      await session.close()
    }
  },
})
