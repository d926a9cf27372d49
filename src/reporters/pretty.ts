import { Chalk } from 'chalk'
import type { Limit, Severity, Unit } from '../check.ts'
import type { Capacity, CheckReport, ForecastRow, Reach, Report, ReportedFinding, Step } from '../report.ts'
import { bytes, count, duration, exactBytes } from '../words.ts'
import { block, line } from './escape.ts'

export interface PrettyOptions {
  readonly color: boolean
  /** Shows skipped checks, every measured figure, and stack traces. */
  readonly verbose: boolean
}

/** For a person at a terminal: one line for what is healthy, figure, limit and remedy for what is not. */
export const pretty = (report: Report, { color, verbose }: PrettyOptions): string => {
  const paint = new Chalk({ level: color ? 1 : 0 })
  const marks = {
    ok: paint.green('✔'),
    error: paint.red('✖'),
    warning: paint.yellow('!'),
    info: paint.blue('i'),
    skipped: paint.dim('-'),
    blocked: paint.magenta('?'),
  } as const
  const out: string[] = []
  const say = (text = '') => out.push(text)

  const figure = (name: string, value: string | number | boolean, rounded: boolean): string => {
    const unit: Unit | undefined = report.units[name]
    const label = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    if (typeof value === 'boolean') return value ? label : `not ${label}`
    if (typeof value === 'string') return `${label} ${line(value)}`
    if (unit === 'bytes') return `${label} ${rounded ? bytes(value) : exactBytes(value)}`
    if (unit === 'ms') return `${label} ${duration(value)}`
    if (unit === 'bytesPerSecond') return `${label} ${bytes(value)}/s`
    if (unit === 'usdPerMonth') return `${label} USD ${value.toFixed(2)} a month`
    return `${label} ${value}`
  }
  const told = new Set<string>()
  const figures = ({ measured = {}, target }: CheckReport): string => {
    // Checks share what they need; a figure that stands above already is not told again.
    const fresh = Object.entries(measured).filter(([name, value]) => {
      const key = JSON.stringify([target, name, value])
      return verbose || (!told.has(key) && told.add(key))
    })
    // Two sizes that look the same rounded, such as both sides of a limit, are told to the byte.
    const sizes = fresh.flatMap(([name, value]) =>
      report.units[name] === 'bytes' && typeof value === 'number' ? [value] : [],
    )
    const rounded = new Set(sizes.map(bytes)).size === new Set(sizes).size
    return fresh.map(([name, value]) => figure(name, value, rounded)).join(', ')
  }

  const remedyLines = (remedy: { text: string; commands?: readonly string[] }, indent: string) => {
    say(`${indent}${paint.cyan('→')} ${line(remedy.text)}`)
    for (const command of remedy.commands ?? []) say(`${indent}  ${paint.bold(line(command))}`)
  }
  const finding = (id: string, found: ReportedFinding) => {
    say(`  ${marks[found.severity]} ${paint.bold(line(found.at))}`)
    say(`    ${line(found.says)} ${paint.dim(`(${id})`)}`)
    remedyLines(found.remedy, '    ')
  }
  const check = (entry: CheckReport) => {
    if (entry.state === 'ok') {
      const of = entry.targets === undefined ? '' : paint.dim(` (${count(entry.targets, 'artifact root')})`)
      const [mark, doubt] =
        entry.gaps === undefined ? [marks.ok, ''] : [marks.skipped, paint.dim(', as far as it could be told')]
      say(`  ${mark} ${line(entry.title)}${of}${doubt}`)
      const measured = verbose || report.command === 'check' ? figures(entry) : ''
      if (measured) say(`    ${paint.dim(measured)}`)
    } else if (entry.state === 'skipped') {
      if (verbose) say(`  ${marks.skipped} ${paint.dim(`${entry.id} skipped: ${line(entry.reason ?? '')}`)}`)
    } else if (entry.state === 'blocked') {
      say(`  ${marks.blocked} ${entry.id} could not look: ${line(entry.reason ?? '')}`)
    } else if (entry.state === 'crashed') {
      const [first = '', ...trace] = (entry.reason ?? '').split('\n')
      say(`  ${marks.blocked} ${entry.id} crashed: ${line(first)}`)
      if (verbose) for (const step of trace) say(`    ${paint.dim(block(step))}`)
      else if (trace.length > 0) say(`    ${paint.dim('--verbose shows where; this is a defect of mlflow-doctor')}`)
    }
    if (entry.state !== 'ok') for (const found of entry.findings) finding(entry.id, found)
  }

  if (report.trouble) {
    const { what, why, todo } = report.trouble
    say(`${marks.error} ${line(`${what}: ${why}. ${todo}.`)}`)
  }

  // What one line says of many runs and models is no matter of this machine.
  const shared = report.command === 'check' ? 'This machine, the server and the store' : 'Everything else'
  const groups = Map.groupBy(report.checks, (entry) => entry.target)
  const order = [...groups.keys()].sort((a, b) => Number(a !== undefined) - Number(b !== undefined))
  for (const target of order) {
    const entries = groups.get(target) ?? []
    const healthy = entries.filter(({ state }) => state === 'ok' || state === 'skipped')
    if (!verbose && healthy.length === entries.length && report.command !== 'check') {
      // A scan looks at many artifact roots; a healthy one is worth one line.
      const looked = entries.filter(({ state }) => state === 'ok')
      if (target === undefined) looked.filter(({ targets }) => targets !== undefined).forEach(check)
      if (target === undefined || looked.length === 0) continue
      const objects = looked.map(({ measured }) => measured).find((measured) => measured?.objects !== undefined)
      const size = objects ? `, ${count(Number(objects.objects), 'object')}, ${bytes(Number(objects.stored))}` : ''
      const doubt = looked.some(({ gaps }) => gaps !== undefined) ? ', as far as it could be told' : ''
      say(`${marks.ok} ${line(target)}${paint.dim(` (${count(looked.length, 'check')} ok${size}${doubt})`)}`)
      continue
    }
    say(paint.underline(target === undefined ? shared : line(target)))
    const blocked: CheckReport[] = []
    for (const entry of entries) {
      if (entry.state === 'blocked') blocked.push(entry)
      else check(entry)
    }
    // One cause often blocks many checks; it is said once.
    const cause = ({ reason = '', blockedBy }: CheckReport): string =>
      blockedBy === undefined || verbose
        ? `could not look: ${line(reason)}`
        : `could not look, for the reason that ${blockedBy} gives`
    for (const [says, same] of Map.groupBy(blocked, cause)) {
      say(`  ${marks.blocked} ${says}`)
      say(`    ${paint.dim(`blocked: ${same.map(({ id }) => id).join(', ')}`)}`)
      for (const entry of same) for (const found of entry.findings) finding(entry.id, found)
    }
    say()
  }
  if (out.length > 0 && out.at(-1) !== '') say()

  const verdicts = { passes: marks.ok, fails: marks.error, 'at-risk': marks.warning, unknown: marks.blocked }
  const rows = (same: readonly ForecastRow[]) => {
    const [first] = same
    if (!first) return
    const { path, verdict, because, route, remedy } = first
    const size = bytes(same.reduce((sum, entry) => sum + entry.bytes, 0))
    const what = same.length === 1 ? `${line(path)}, ${size}` : `${count(same.length, 'file')}, ${size} in all`
    say(`  ${verdicts[verdict]} ${what}${route === undefined ? '' : ` by ${route}`}: ${paint.bold(verdict)}`)
    say(`    ${line(because)}`)
    if (remedy) remedyLines(remedy, '    ')
  }
  if (report.forecast && report.forecast.length > 0) {
    say(paint.underline('Forecast'))
    // Files that share their fate share a line; the JSON report has a row for each.
    for (const same of Map.groupBy(report.forecast, (row) => `${row.verdict} ${row.route} ${row.because}`).values())
      rows(same)
    say()
  }
  let above: string | undefined
  const reach = (what: string, { bytes: most, route, limit, because, remedy, from }: Reach) => {
    const mark = most === undefined ? marks.error : marks.ok
    // Where a time decides, the size is reckoned, and its last digits mean nothing.
    const size = most === undefined ? 'none' : limit?.unit === 'ms' ? `about ${bytes(most)}` : exactBytes(most)
    say(`  ${mark} ${what} by ${route}: ${paint.bold(size)}`)
    if (because === undefined) return
    const cause = limit === undefined ? because : `${limit.setting} ${limit.max}`
    if (cause === above) return say('    above: the same')
    above = cause
    say(`    ${most === undefined ? `of ${bytes(from)} or more` : 'above'}: ${line(because)}`)
    if (remedy) remedyLines(remedy, '    ')
  }
  const capacity = ({ files, largestModel }: Capacity) => {
    say(paint.underline('The most that gets through'))
    for (const [index, each] of files.entries()) {
      const next = files[index + 1]
      const range =
        next !== undefined ? ` below ${bytes(next.from)}` : each.from > 1 ? ` of ${bytes(each.from)} or more` : ''
      reach(`a file${range}`, each)
    }
    if (largestModel) reach('a model of such files', largestModel)
    say()
  }
  if (report.capacity) capacity(report.capacity)
  if (report.forecast === undefined && report.limits && report.limits.length > 0) {
    say(paint.underline('Limits found'))
    for (const limit of report.limits) {
      const max = 'bytes' in limit.max ? exactBytes(limit.max.bytes) : duration(limit.max.ms)
      say(`  ${marks.info} ${limit.hop}: ${line(limit.setting)} ${max} ${counted[limit.scope]} (${limit.basis})`)
    }
    say()
  }

  const step = (entry: Step) => {
    const mark =
      entry.state === 'verified'
        ? marks.ok
        : entry.state === 'planned' || entry.state === 'applied'
          ? marks.info
          : marks.error
    const moved =
      entry.state === 'planned'
        ? `${bytes(entry.bytes)}${entry.source ? ` from ${line(entry.source)}` : ''}`
        : `${bytes(entry.sent)} sent, ${bytes(entry.reused)} reused`
    const size = entry.action === 'upload' ? `, ${moved}` : ''
    say(
      `  ${mark} ${entry.action} ${line(`${entry.target}/${entry.path}`.replace(/\/$/, ''))} (${entry.effect}${size}): ${paint.bold(entry.state)}`,
    )
    if (entry.because) say(`    ${line(entry.because)}`)
  }
  if (report.steps) {
    say(paint.underline('Repair'))
    if (report.steps.length === 0) say(`  ${marks.ok} nothing to repair`)
    report.steps.forEach(step)
    say()
  }

  const { childExit, kept } = report
  if (childExit !== undefined) say(`The command ended with exit code ${childExit}.`)
  if (kept !== undefined) {
    say(`${marks.info} ${count(kept.models, 'model folder')}, ${bytes(kept.bytes)}, kept in ${line(kept.dir)}`)
    say('    mlflow-doctor repair finds them there; remove the folder when it serves nothing any more')
  }
  if (childExit !== undefined) say()

  const { active, gaps } = report.covered
  if (active.length > 0) {
    say(paint.underline('Left alone'))
    for (const alive of active) say(`  ${marks.info} ${line(alive.at)}: ${line(alive.says)}`)
    say()
  }
  if (gaps.length > 0) {
    say(paint.underline('Not known'))
    for (const gap of gaps) {
      const places = `${line(gap.at)}${gap.more === undefined ? '' : ` and ${count(gap.more, 'more place')}`}`
      say(`  ${gap.unexpected ? marks.blocked : marks.skipped} ${places}: ${line(gap.because)}`)
    }
    say()
  }
  say(summary(report, (severity) => marks[severity]))
  return `${out.join('\n')}\n`
}

/** What a limit counts. */
const counted: Readonly<Record<Limit['scope'], string>> = {
  request: 'for one request',
  file: 'for one file',
  total: 'for the whole upload',
  idle: 'for a pause within a body',
  body: 'for sending a body',
  answer: 'from the last byte to the answer',
}

const endings: Readonly<Record<number, string>> = {
  0: 'nothing stands in the way of exit code 0',
  1: 'exit code 1: findings remain',
  2: 'exit code 2: wrong usage or configuration',
  3: 'exit code 3: not everything could be looked at, so health is unknown',
  130: 'exit code 130: interrupted',
}

const summary = (report: Report, mark: (severity: Severity) => string): string => {
  const { findings, states } = report.counts
  const parts = [
    count(findings.error, 'error'),
    count(findings.warning, 'warning'),
    ...(findings.info > 0 ? [count(findings.info, 'note')] : []),
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
  const worst = report.exitCode === 0 ? '' : `${mark('error')} `
  return `${worst}${parts.join(', ')}${forecast && `; forecast: ${forecast}`}${looked}; ${report.exitCode === 0 ? 'exit code 0' : endings[report.exitCode]}`
}
