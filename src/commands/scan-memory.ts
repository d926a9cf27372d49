/** What a scan remembers between runs of the tool: `--state` and `--since`. */
import { resolve } from 'node:path'
import { Trouble } from '../errors.ts'
import { secretsOf } from '../mlflow/secrets.ts'
import type { TargetSpec } from '../mlflow/types.ts'
import type { Needed } from '../needs/needed.ts'
import { settingsOf } from '../needs/openers.ts'
import { createRedactor } from '../redact.ts'
import { parseSince } from '../sweep/since.ts'
import { noState, openState, type ScanState } from '../sweep/state.ts'
import type { CommonOptions } from './command.ts'

export interface ScanArguments {
  targets?: string[]
  experiment?: string
  all: boolean
  stray: boolean
  since?: string
  state?: string
  against?: string
  depth: string
  olderThan: string
}

export const memoryOptions = {
  since: {
    type: 'string',
    requiresArg: true,
    describe:
      'Only what changed since: 7d, 2026-03-01, or last (the start of the last scan that --state finished and that saw everything)',
  },
  state: {
    type: 'string',
    requiresArg: true,
    describe: 'Remember in this file what was looked at: the same command goes on there after a kill',
  },
} as const

const contradiction = (what: string, why: string, todo: string): Trouble =>
  new Trouble({ kind: 'usage', what, why, todo })

/** @throws Trouble `usage` for options that do not go together */
export const refuseContradictions = (args: ScanArguments, specs: readonly TargetSpec[]): void => {
  const broad = args.all || specs.some(({ kind }) => kind === 'experiment')
  if (args.stray && !broad) {
    throw contradiction('cannot use --stray', 'it looks at whole experiments', 'Give --experiment or --all')
  }
  if (args.state !== undefined && args.against !== undefined) {
    const why = 'a comparison with a local folder is one look, which cannot be resumed'
    throw contradiction('cannot use --state with --against', why, 'Leave one of them out')
  }
  if (args.since === undefined) return
  const named = specs.find(({ kind }) => kind !== 'experiment' && kind !== 'uri')
  if (named !== undefined) {
    const why = 'a run or model that is named is looked at whenever it changed'
    throw contradiction('cannot use --since', why, 'Leave it out, or give --experiment, --all or a store URI')
  }
  if (args.since === 'last' && args.state === undefined) {
    throw contradiction('cannot use --since last', 'nothing tells when the last scan began', 'Give --state FILE')
  }
}

/** @throws Trouble `usage` for a file that cannot be used, or belongs to another scan */
export const stateFor = async (args: ScanArguments & CommonOptions, needed: Needed): Promise<ScanState> => {
  const from = (last: number | undefined) =>
    args.since === undefined ? undefined : parseSince(args.since, Date.now(), () => last)
  if (args.state === undefined) return noState(from(undefined))
  const { targets, experiment, all, stray, depth, olderThan, only, skip, severity, readOnly } = args
  const { trackingUri, artifactsDestination } = settingsOf(needed)
  const asked = { targets, experiment, all, stray, depth, olderThan, only, skip, severity, readOnly }
  const { env, home, cwd } = needed.host
  const redact = createRedactor(secretsOf({ env, home, texts: [...(targets ?? []), trackingUri] }))
  const place = { ...asked, trackingUri, artifactsDestination }
  return openState(resolve(cwd, args.state), place, args.since, redact, from)
}
