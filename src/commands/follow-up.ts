/** After a scan on a terminal: the repair of what it found is one answer away. */
import { type Report, wantsIn } from '../report.ts'
import { bytes, count } from '../words.ts'
import { type Host, isYes } from './command.ts'

/** Options that mean the same to both commands, and are handed on where the user gave them. */
const shared = {
  experiment: '--experiment',
  trackingUri: '--tracking-uri',
  artifactsDestination: '--artifacts-destination',
  olderThan: '--older-than',
  timeout: '--timeout',
  config: '--config',
  progress: '--progress',
} as const

/** The words that repair what a scan with these options found. */
const repairOf = (args: Readonly<Record<string, unknown>>, given: ReadonlySet<string>): readonly string[] => {
  const one = (key: string, flag: string): string[] =>
    given.has(key) && typeof args[key] === 'string' ? [`${flag}=${args[key]}`] : []
  return [
    'repair',
    ...Object.entries(shared).flatMap(([key, flag]) => one(key, flag)),
    ...((args.trustHost as readonly string[] | undefined) ?? []).map((host) => `--trust-host=${host}`),
    ...((args.load as readonly string[] | undefined) ?? []).map((module) => `--load=${module}`),
    ...one('against', '--from'),
    ...(args.color === false ? ['--no-color'] : []),
    ...(args.unicode === false ? ['--no-unicode'] : []),
    ...((args.targets as readonly string[] | undefined) ?? []),
  ]
}

/**
 * Asks, with what would be looked for; the plan itself is shown, and asked about, by the repair. Undefined means no, or that a
 * repair could act on nothing of it.
 */
export const followUp = async (
  report: Report,
  args: Readonly<Record<string, unknown>>,
  given: ReadonlySet<string>,
  ask: NonNullable<Host['ask']>,
): Promise<readonly string[] | undefined> => {
  if (report.command !== 'scan' || args.all === true || report.trouble) return undefined
  const wants = wantsIn(report.checks)
  if (wants.length === 0) return undefined
  const files = new Map(
    wants.flatMap((want) => (want.want === 'file' ? [[`${want.target}/${want.path}`, want.bytes ?? 0] as const] : [])),
  )
  const uploads = new Set(wants.flatMap((want) => (want.want === 'upload-settled' ? [want.uploadId] : [])))
  const models = new Set(wants.flatMap((want) => (want.want === 'model-ready' ? [want.modelId] : [])))
  const size = [...files.values()].reduce((sum, each) => sum + each, 0)
  const what = [
    ...(files.size > 0 ? [`${count(files.size, 'file')}${size > 0 ? ` (${bytes(size)})` : ''} to restore`] : []),
    ...(uploads.size > 0 ? [`${count(uploads.size, 'unfinished upload')} to settle`] : []),
    ...(models.size > 0 ? [`${count(models.size, 'model')} to set READY`] : []),
  ].join(', ')
  const answer = await ask(`${what}. Show the plan of a repair? Nothing is done before you agree to it. [y/N] `)
  return isYes(answer) ? repairOf(args, given) : undefined
}
