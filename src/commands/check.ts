import { capacity } from '../capacity.ts'
import type { RouteKind } from '../check.ts'
import { Trouble } from '../errors.ts'
import { type ForecastOptions, forecast } from '../forecast.ts'
import { routesOf } from '../mlflow/route.ts'
import {
  bodyLimit as bodyLimitNeed,
  route as routeNeed,
  target as targetNeed,
  transfers as transfersNeed,
} from '../needs/declarations.ts'
import type { Needed } from '../needs/needed.ts'
import { settingsOf } from '../needs/openers.ts'
import type { Capacity, ForecastRow } from '../report.ts'
import { defineCommand } from './command.ts'
import { deepTimeout, usualTimeout } from './common-options.ts'
import { plannedUpload } from './planned.ts'
import { neededOf, openSession, seen } from './session.ts'
import { parseSize, parseTime } from './sizes.ts'

export interface CheckArguments {
  size?: string
  model?: string
  files?: string
  traffic: string
  deep: boolean
  trainingTime?: string
  python?: string
  as: 'log_model' | 'log_artifact'
  experiment?: string
  run?: string
}

export default defineCommand<CheckArguments>({
  name: 'check',
  summary: 'Before training: will an upload of this size get through?',
  options: {
    size: { type: 'string', requiresArg: true, describe: 'Size of the largest file that will be logged: 20GiB' },
    model: {
      type: 'string',
      requiresArg: true,
      conflicts: ['size', 'files'],
      describe: 'A model folder as it will be logged; every file is forecast',
    },
    files: {
      type: 'string',
      requiresArg: true,
      conflicts: ['size', 'model'],
      describe: 'A list of planned files, one "SIZE PATH" a line, - for standard input; # begins a comment',
    },
    traffic: {
      type: 'string',
      requiresArg: true,
      default: '100MB',
      describe: 'The most that all canaries together may send; a planned file below it may be tried at full size',
    },
    deep: {
      type: 'boolean',
      default: false,
      describe:
        'Measure time-outs by requests that are kept open: up to 6 minutes, or 11 where the server has one worker (less with a shorter --timeout)',
    },
    'training-time': {
      type: 'string',
      requiresArg: true,
      describe: 'How long after now the upload begins, for logins that expire: 8h',
    },
    python: {
      type: 'string',
      requiresArg: true,
      describe: 'Python that the training runs under (else that of VIRTUAL_ENV, CONDA_PREFIX or PATH)',
    },
    as: {
      choices: ['log_model', 'log_artifact'],
      default: 'log_model',
      describe: 'What will be called; log_model writes a full copy to the temp folder first',
    },
    experiment: {
      type: 'string',
      requiresArg: true,
      describe: 'Experiment, by name or id (else MLFLOW_EXPERIMENT_NAME or _ID, else Default)',
    },
    run: {
      type: 'string',
      requiresArg: true,
      conflicts: 'experiment',
      describe: 'An existing run that the files will be logged to',
    },
  },
  examples: [
    ['mlflow-doctor check --size 20GiB', 'Forecast one file of 20 GiB'],
    ['mlflow-doctor check --model ./model --json', 'Forecast every file of a folder, for CI'],
  ],
  report: async (args, context) => {
    const planned = await plannedUpload(args)
    const timeout = args.timeout ?? (args.deep ? deepTimeout : usualTimeout)
    const needed: Needed = {
      ...neededOf(args, context),
      orphanAgeMs: 0,
      as: args.as,
      trafficBytes: parseSize('--traffic', args.traffic),
      ...(args.deep && { pacedMs: pacedWithin(parseTime('--timeout', timeout)) }),
      ...(args.trainingTime === undefined ? {} : { trainingMs: parseTime('--training-time', args.trainingTime) }),
      ...(args.python === undefined ? {} : { python: args.python }),
      ...(args.experiment === undefined ? {} : { experiment: args.experiment }),
      ...(args.run === undefined ? {} : { runId: args.run }),
      ...(planned ? { planned } : {}),
    }
    refuseWrongSettings(needed)
    const session = openSession('check', needed, { ...args, timeout }, context)
    let rows: ForecastRow[] | undefined
    let turned: Capacity | undefined
    let ways: ReadonlySet<RouteKind> | undefined
    try {
      await session.once()
      const look = await session.look(undefined)
      try {
        await session.keep(look)
        const route = await look.opened(routeNeed)
        const measured = await look.opened(transfersNeed)
        const declared = await look.opened(bodyLimitNeed)
        const known: Omit<ForecastOptions, 'plan'> = {
          limits: session.results.limits,
          unknown: session.unanswered(),
          ...(measured && { transfers: measured }),
          ...(needed.trainingMs !== undefined && { trainingMs: needed.trainingMs }),
          ...(declared?.unmeasured !== undefined && { unjudged: declared.unmeasured }),
          ...(declared?.seenThrough === false && { hidden: true }),
        }
        if (route) ways = routesOf(route)
        if (planned) rows = forecast({ ...known, ...(route && { route }), plan: planned })
        else if (route) turned = capacity({ ...known, route, as: args.as })
        const assumed = (await look.opened(targetNeed))?.assumed
        if (assumed !== undefined) {
          session.gap({
            at: args.experiment ?? 'the experiment',
            cannot: 'see',
            because: assumed,
            unexpected: false,
          })
        }
      } finally {
        // Whatever happens to the figures: canaries go.
        await look.close()
      }
    } finally {
      await session.close()
    }
    const { results } = session
    return {
      // Of ways that no file takes here, nobody needs to hear.
      limits: results.limits
        .filter(({ routes }) => ways === undefined || routes === undefined || routes.some((way) => ways?.has(way)))
        .map(({ kind, remedy, ...limit }) => ({ ...limit, remedy: remedy(undefined) })),
      ...(rows ? { forecast: rows } : {}),
      ...(turned ? { capacity: turned } : {}),
      ...seen(session, args.require),
    }
  },
})

/** Milliseconds: longer than the five minutes that the slowest usual time-outs take (Cloud Run, Envoy's idle streams). */
const longestPaced = 330_000
/** Milliseconds of a check's time that are kept for everything else. */
const besidesPaced = 40_000

/** How long one paced request may be kept open in milliseconds, so that two after one another fit into a check's time. */
const pacedWithin = (timeoutMs: number): number =>
  Math.min(longestPaced, Math.max(1000, Math.floor((timeoutMs - besidesPaced) / 2)))

/** Settings that make no sense end the run at once; settings that this version cannot serve block only the checks that need them. */
const refuseWrongSettings = (needed: Needed): void => {
  try {
    settingsOf(needed)
  } catch (error) {
    if (error instanceof Trouble && error.kind !== 'usage') return
    throw error
  }
}
