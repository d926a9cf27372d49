/** Options of the commands that send files, and what they come to. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Trouble } from '../errors.ts'
import type { RepairOptions } from '../repair/types.ts'
import { type Bandwidth, limited, rateIn } from '../transfer/bandwidth.ts'
import { stateDir } from '../transfer/journal.ts'
import { type ManifestKind, manifestKinds } from '../transfer/manifest.ts'
import { type Verification, verifications } from '../transfer/read-back.ts'
import type { CommandContext, Option } from './command.ts'
import { parseSize, parseTime } from './sizes.ts'

/** Parts in flight that the memory is cut for: on two cores more gained nothing (measured against versitygw on loopback). */
const concurrency = 4
/** Requests side by side, at most, where small files leave the memory for it: with 100 ms to and fro each, sixteen files of 1 MiB are 160 MiB/s. */
const requests = 16
/** Bytes per second; below that a part of the smallest size, 5 MiB, would outlast every time-out there is. */
const slowestRate = 1024

export interface TransferArguments {
  readonly yes: boolean
  readonly dryRun: boolean
  readonly overwrite: readonly string[]
  readonly settle: string
  readonly memory: string
  readonly bandwidth?: string
  readonly manifest: ManifestKind
  readonly verify: Verification
}

export const transferOptions: Readonly<Record<string, Option>> = {
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
  memory: { type: 'string', requiresArg: true, default: '32MiB', describe: 'Memory for all parts in flight' },
  bandwidth: {
    type: 'string',
    requiresArg: true,
    describe: 'Bytes a second that may leave, all files together: 20MiB, or @FILE, a file that holds it and may change',
  },
  verify: {
    choices: verifications,
    default: 'full',
    describe: 'Where the store keeps no checksum of a file: read all of it back, samples of it, or nothing',
  },
  manifest: {
    choices: manifestKinds,
    default: 'crc32',
    describe: 'Checksums that are stored beside the files once all are verified; sha256 costs one more read of each',
  },
}

/** "20MiB" or "20MiB/s". */
const rateFrom = (text: string): number => {
  const rate = parseSize('--bandwidth', text.trim().replace(/\/s$/, ''))
  if (rate >= slowestRate) return rate
  const todo = `Give at least ${slowestRate} bytes a second`
  throw new Trouble({ kind: 'usage', what: `cannot use --bandwidth ${text}`, why: 'nothing would ever arrive', todo })
}

const bandwidthOf = (text: string, context: CommandContext): Bandwidth => {
  if (!text.startsWith('@')) {
    const rate = rateFrom(text)
    return limited(() => rate)
  }
  const file = resolve(context.host.cwd, text.slice(1))
  const read = (content: string): number | undefined => {
    try {
      return rateFrom(content)
    } catch (error) {
      if (error instanceof Trouble) return undefined
      throw error
    }
  }
  let content: string
  try {
    content = readFileSync(file, 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Trouble({
      kind: 'usage',
      what: `cannot use --bandwidth ${text}`,
      why,
      todo: 'Write a rate such as 20MiB into that file',
    })
  }
  return limited(rateIn(file, rateFrom(content), read, (why) => context.tell(`${why}\n`)))
}

/** What these options come to; orphans are left alone unless the command says otherwise. @throws Trouble `usage` */
export const transferring = (args: TransferArguments, context: CommandContext): RepairOptions => ({
  abortOrphans: false,
  orphanAgeMs: Number.POSITIVE_INFINITY,
  overwrite: new Set(args.overwrite),
  settleMs: parseTime('--settle', args.settle),
  memoryBytes: parseSize('--memory', args.memory),
  concurrency,
  requests,
  ...(args.bandwidth === undefined ? {} : { bandwidth: bandwidthOf(args.bandwidth, context) }),
  manifest: args.manifest,
  verification: args.verify,
  journalDir: stateDir(context.host.env),
  sightings: new Map(),
  signal: context.signal,
})
