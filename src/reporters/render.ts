/** What every format may know of the place where it is read, and the figures in words that they share. */
import { areas, type Limit, type Unit } from '../check.ts'
import type { CheckReport, ExitCode, ForecastRow, Report, ReportedLimit } from '../report.ts'
import { bytes, count, duration, exactBytes } from '../words.ts'

export interface RenderOptions {
  readonly color: boolean
  /** Shows skipped checks, every measured figure, and stack traces. */
  readonly verbose: boolean
  /** Whether signs beyond ASCII show, and are read out as what they stand for. */
  readonly unicode: boolean
  /** Columns to wrap at; no wrapping unless given. */
  readonly width?: number
}

/** The same, with the means that one format or another needs and that are loaded with it. */
export interface Rendering extends RenderOptions {
  /** Cuts text that may hold colours into lines of so many columns. */
  readonly wrap?: (text: string, columns: number) => readonly string[]
}

export const areaTitles: Readonly<Record<string, string>> = {
  host: 'This machine',
  client: 'The MLflow client',
  network: 'Network',
  proxy: 'Proxies on the way',
  server: 'Tracking server',
  store: 'Artifact store',
  model: 'Models',
  artifact: 'Artifacts',
}

/** The part of a check's id before the slash. */
const areaOf = (id: string): string => id.slice(0, id.indexOf('/'))

/** Results by the hop that they are about, from this machine outwards. */
export const byArea = (checks: readonly CheckReport[]): readonly (readonly [area: string, CheckReport[]])[] => {
  const groups = Map.groupBy(checks, ({ id }) => areaOf(id))
  return areas.flatMap((area) => {
    const found = groups.get(area)
    return found === undefined ? [] : [[area, found] as const]
  })
}

/** What a limit counts. */
export const counted: Readonly<Record<Limit['scope'], string>> = {
  request: 'for one request',
  file: 'for one file',
  total: 'for the whole upload',
  idle: 'for a pause within a body',
  body: 'for sending a body',
  answer: 'from the last byte to the answer',
}

const endings: Readonly<Record<ExitCode, string>> = {
  0: 'nothing stands in the way of exit code 0',
  1: 'exit code 1: findings remain',
  2: 'exit code 2: wrong usage or configuration',
  3: 'exit code 3: not everything could be looked at, so health is unknown',
  130: 'exit code 130: interrupted',
}

/** One figure with its name and unit: "uplink 267 MiB/s". */
const figure = (name: string, value: string | number | boolean, unit: Unit | undefined, rounded: boolean): string => {
  const label = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  if (typeof value === 'boolean') return value ? label : `not ${label}`
  if (typeof value === 'string') return `${label} ${value}`
  if (unit === 'bytes') return `${label} ${rounded ? bytes(value) : exactBytes(value)}`
  if (unit === 'ms') return `${label} ${duration(value)}`
  if (unit === 'bytesPerSecond') return `${label} ${bytes(value)}/s`
  if (unit === 'usdPerMonth') return `${label} USD ${value.toFixed(2)} a month`
  return `${label} ${value}`
}

/** Two sizes that look the same rounded, such as both sides of a limit, are told to the byte. */
export const figuresOf = (
  facts: Readonly<Record<string, string | number | boolean | undefined>>,
  units: Report['units'],
): string[] => {
  const all = Object.entries(facts).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  const sizes = all.flatMap(([name, value]) => (units[name] === 'bytes' && typeof value === 'number' ? [value] : []))
  const rounded = new Set(sizes.map(bytes)).size === new Set(sizes).size
  return all.map(([name, value]) => figure(name, value, units[name], rounded))
}

/** The one line that ends every text: what was found, what was looked at, and the exit code. */
export const summary = (report: Report): string => {
  const { findings, states } = report.counts
  const ignored = report.ignored?.length ?? 0
  const parts = [
    count(findings.error, 'error'),
    count(findings.warning, 'warning'),
    ...(findings.info > 0 ? [count(findings.info, 'note')] : []),
    ...(ignored > 0 ? [`${ignored} ignored`] : []),
    `${states.ok} ok`,
    `${states.skipped} skipped`,
    ...(states.blocked + states.crashed > 0 ? [`${states.blocked + states.crashed} without result`] : []),
  ]
  const { targets, objects } = report.covered
  const verdicts = Map.groupBy(report.forecast ?? [], ({ verdict }) => verdict)
  const forecast = [...verdicts].map(([verdict, rows]) => `${rows.length} ${verdict}`).join(', ')
  const looked =
    targets > 0
      ? `; looked at ${count(targets, 'artifact root')}, ${count(objects, 'object')}, ${bytes(report.covered.bytes)}`
      : ''
  const ending = report.exitCode === 0 ? 'exit code 0' : endings[report.exitCode]
  return `${parts.join(', ')}${forecast && `; forecast: ${forecast}`}${looked}; ${ending}`
}

/** Rows of a forecast that share their fate: one line stands for all of them. */
export interface Fate {
  readonly first: ForecastRow
  readonly files: number
  /** The largest and the sum, in bytes. */
  readonly largest: number
  readonly total: number
  /** The longest, in seconds; absent while no rate was measured. */
  readonly seconds?: number
}

export const fatesOf = (rows: readonly ForecastRow[]): Fate[] =>
  [...Map.groupBy(rows, (row) => `${row.verdict} ${row.route} ${row.because}`).values()].flatMap((same) => {
    const [first] = same
    if (first === undefined) return []
    const seconds = same.map((row) => row.seconds).filter((each) => each !== undefined)
    return [
      {
        first,
        files: same.length,
        largest: same.reduce((most, row) => Math.max(most, row.bytes), 0),
        total: same.reduce((sum, row) => sum + row.bytes, 0),
        ...(seconds.length > 0 && { seconds: Math.max(...seconds) }),
      },
    ]
  })

/** One planned amount against one limit, for a bar. */
export interface Against {
  readonly limit: ReportedLimit
  /** What is planned, and the most that passes: both in bytes or both in milliseconds. */
  readonly planned: number
  readonly most: number
  readonly unit: 'bytes' | 'ms'
}

const inParts: ReadonlySet<string> = new Set(['signed-parts', 'store-multipart', 'folder-copy'])

/**
 * The limits that one planned file can be drawn against: those that count what a forecast tells, its size and its duration,
 * or those of all files together where the whole upload counts.
 * A pause, or the wait for an answer, has no bar. On a way in parts, what counts one request counts a part, not the file.
 */
export const againstLimits = ({ first, largest, seconds }: Fate, report: Report): readonly Against[] => {
  const { limits = [], forecast = [] } = report
  const sum = (of: (row: ForecastRow) => number) => forecast.reduce((total, row) => total + of(row), 0)
  return limits
    .filter(({ routes }) => routes === undefined || first.route === undefined || routes.includes(first.route))
    .filter(({ scope }) => scope !== 'idle' && scope !== 'answer')
    .filter(({ scope }) => (scope !== 'request' && scope !== 'body') || !inParts.has(first.route ?? ''))
    .flatMap((limit): Against[] => {
      const { scope, max } = limit
      if ('bytes' in max) {
        const planned = scope === 'total' ? sum(({ bytes: size }) => size) : largest
        return [{ limit, planned, most: max.bytes, unit: 'bytes' }]
      }
      if (seconds === undefined) return []
      const takes = scope === 'total' ? sum((row) => row.seconds ?? 0) : seconds
      return [{ limit, planned: takes * 1000, most: max.ms, unit: 'ms' }]
    })
    .toSorted((a, b) => b.planned / b.most - a.planned / a.most)
}

export const amount = (value: number, unit: 'bytes' | 'ms'): string =>
  unit === 'bytes' ? bytes(value) : duration(value)

/** How long a file takes, where that is worth a word. */
export const takes = ({ seconds }: Pick<Fate, 'seconds'>): string | undefined =>
  seconds === undefined || seconds < 0.1 ? undefined : `about ${duration(seconds * 1000)}`

/** Why one cause blocks many checks: told once, with their ids. */
export const blockedTogether = (
  checks: readonly CheckReport[],
  verbose: boolean,
): readonly { readonly says: string; readonly checks: readonly CheckReport[] }[] => {
  const cause = ({ reason = '', blockedBy }: CheckReport): string =>
    blockedBy === undefined || verbose
      ? `could not look: ${reason}`
      : `could not look, for the reason that ${blockedBy} gives`
  const blocked = checks.filter(({ state }) => state === 'blocked')
  return [...Map.groupBy(blocked, cause)].map(([says, same]) => ({ says, checks: same }))
}
