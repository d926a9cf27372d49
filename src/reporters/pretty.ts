import { stripVTControlCharacters } from 'node:util'
import { Chalk } from 'chalk'
import type { Capacity, CheckReport, IgnoredFinding, Reach, Report, ReportedFinding, Step } from '../report.ts'
import { placeOfStep } from '../report.ts'
import { bytes, count, duration, exactBytes } from '../words.ts'
import { block, line } from './escape.ts'
import {
  againstLimits,
  amount,
  areaTitles,
  blockedTogether,
  byArea,
  counted,
  type Fate,
  fatesOf,
  figuresOf,
  type Rendering,
  summary,
  takes,
} from './render.ts'
import { barOf, plain, signsOf } from './signs.ts'

/** Limits drawn for one file unless --verbose: the tightest ones. */
const mostBars = 3
/** Columns below which bars shrink. */
const narrow = 70

/** For a person at a terminal: one line for what is healthy, figure, limit and remedy for what is not. */
export const pretty = (report: Report, { color, verbose, unicode, width, wrap }: Rendering): string => {
  const paint = new Chalk({ level: color ? 1 : 0 })
  const signs = signsOf(unicode)
  const marks = {
    ok: paint.green(signs.ok),
    error: paint.red(signs.error),
    warning: paint.yellow(signs.warning),
    info: paint.blue(signs.info),
    skipped: paint.dim(signs.skipped),
    blocked: paint.magenta(signs.blocked),
  } as const
  const out: string[] = []
  /** Text that is too wide goes on below its own beginning; without a width nothing is cut. */
  const say = (text = '', indent = '', first = indent) => {
    const readable = unicode ? text : plain(text)
    if (width === undefined || wrap === undefined) return out.push(`${first}${readable}`)
    const columns = Math.max(20, width - Math.max(indent.length, stripVTControlCharacters(first).length, 1))
    const [head = '', ...rest] = wrap(readable, columns)
    return out.push(`${first}${head}`, ...rest.map((more) => `${indent}${more}`))
  }
  /** What is to be pasted stays in one piece, however long. */
  const paste = (command: string, indent: string) => out.push(`${indent}${paint.bold(line(command))}`)
  const marked = (mark: string, text: string, indent: string) => {
    say(text, mark === '' ? indent : `${indent}  `, mark === '' ? indent : `${indent}${mark} `)
  }
  const heading = (text: string) => say(paint.underline(text))

  const told = new Set<string>()
  const figures = ({ measured = {}, target }: CheckReport): string => {
    // Checks share what they need; a figure that stands above already is not told again.
    const fresh = Object.entries(measured).filter(([name, value]) => {
      const key = JSON.stringify([target, name, value])
      return verbose || (!told.has(key) && told.add(key))
    })
    return figuresOf(Object.fromEntries(fresh), report.units).map(line).join(', ')
  }
  const remedyLines = (remedy: { text: string; commands?: readonly string[] }, indent: string) => {
    marked(paint.cyan(signs.arrow), line(remedy.text), indent)
    for (const command of remedy.commands ?? []) paste(command, `${indent}  `)
  }
  const finding = (id: string, found: ReportedFinding) => {
    marked(marks[found.severity], paint.bold(line(found.at)), '  ')
    say(`${line(found.says)} ${paint.dim(`(${id})`)}`, '    ')
    remedyLines(found.remedy, '    ')
  }
  const check = (entry: CheckReport) => {
    if (entry.state === 'ok') {
      const of = entry.targets === undefined ? '' : paint.dim(` (${count(entry.targets, 'artifact root')})`)
      const [mark, doubt] =
        entry.gaps === undefined ? [marks.ok, ''] : [marks.skipped, paint.dim(', as far as it could be told')]
      marked(mark, `${line(entry.title)}${of}${doubt}`, '  ')
      const measured = verbose || report.command === 'check' ? figures(entry) : ''
      if (measured) say(paint.dim(measured), '    ')
    } else if (entry.state === 'skipped') {
      if (verbose) marked(marks.skipped, paint.dim(`${entry.id} skipped: ${line(entry.reason ?? '')}`), '  ')
    } else if (entry.state === 'crashed') {
      const [reason = '', ...trace] = (entry.reason ?? '').split('\n')
      marked(marks.blocked, `${entry.id} crashed: ${line(reason)}`, '  ')
      if (verbose) for (const row of trace) say(paint.dim(block(row)), '    ')
      else if (trace.length > 0) say(paint.dim('--verbose shows where; this is a defect of mlflow-doctor'), '    ')
    }
    if (entry.state !== 'ok') for (const found of entry.findings) finding(entry.id, found)
  }
  /** One cause often blocks many checks; it is said once. */
  const blocked = (entries: readonly CheckReport[]) => {
    for (const { says, checks: same } of blockedTogether(entries, verbose)) {
      marked(marks.blocked, line(says), '  ')
      say(paint.dim(`blocked: ${same.map(({ id }) => id).join(', ')}`), '    ')
      for (const entry of same) for (const found of entry.findings) finding(entry.id, found)
    }
  }

  if (report.trouble) {
    const { what, why, todo } = report.trouble
    marked(marks.error, line(`${what}: ${why}. ${todo}.`), '')
  }

  /** Before training nobody asks which target a check belongs to, but on which hop it looks. */
  const hopByHop = () => {
    for (const [area, all] of byArea(report.checks)) {
      const entries = all.filter(({ state }) => state !== 'blocked')
      if (entries.every(({ state }) => state === 'skipped' && !verbose)) continue
      heading(areaTitles[area] ?? area)
      entries.forEach(check)
      say()
    }
    if (report.counts.states.blocked === 0) return
    heading('Could not be looked at')
    blocked(report.checks)
    say()
  }
  const byTarget = () => {
    const groups = Map.groupBy(report.checks, (entry) => entry.target)
    const order = [...groups.keys()].sort((a, b) => Number(a !== undefined) - Number(b !== undefined))
    for (const target of order) {
      const entries = groups.get(target) ?? []
      const healthy = entries.filter(({ state }) => state === 'ok' || state === 'skipped')
      if (verbose || healthy.length < entries.length) {
        // What one line says of many runs and models is no matter of this machine.
        heading(target === undefined ? 'Everything else' : line(target))
        for (const entry of entries) if (entry.state !== 'blocked') check(entry)
        blocked(entries)
        say()
        continue
      }
      // A scan looks at many artifact roots; a healthy one is worth one line.
      const looked = entries.filter(({ state }) => state === 'ok')
      if (target === undefined) looked.filter(({ targets }) => targets !== undefined).forEach(check)
      if (target === undefined || looked.length === 0) continue
      const objects = looked.map(({ measured }) => measured).find((measured) => measured?.objects !== undefined)
      const size = objects ? `, ${count(Number(objects.objects), 'object')}, ${bytes(Number(objects.stored))}` : ''
      const doubt = looked.some(({ gaps }) => gaps !== undefined) ? ', as far as it could be told' : ''
      marked(marks.ok, `${line(target)}${paint.dim(` (${count(looked.length, 'check')} ok${size}${doubt})`)}`, '')
    }
  }
  if (report.command === 'check') hopByHop()
  else byTarget()
  if (out.length > 0 && out.at(-1) !== '') say()

  const verdicts = { passes: marks.ok, fails: marks.error, 'at-risk': marks.warning, unknown: marks.blocked }
  const bars = (fate: Fate) => {
    const all = againstLimits(fate, report)
    const cells = width !== undefined && width < narrow ? 10 : 24
    for (const { limit, planned, most, unit } of verbose ? all : all.slice(0, mostBars)) {
      const { taken, free, limit: edge, beyond } = barOf(planned, most, cells, signs)
      const bar = `${paint.cyan(taken)}${paint.dim(free)}${paint.bold(edge)}${paint.red(beyond)}`
      const of = `${amount(planned, unit)} of ${amount(most, unit)}: ${line(limit.setting)} (${limit.hop}, ${limit.basis})`
      say(of, ' '.repeat(cells + 6), `    ${bar} `)
    }
  }
  const rows = (fate: Fate) => {
    const { path, verdict, because, route, remedy } = fate.first
    const what =
      fate.files === 1
        ? `${line(path)}, ${bytes(fate.total)}`
        : `${count(fate.files, 'file')}, ${bytes(fate.total)} in all`
    const long = takes(fate)
    const time = long === undefined ? '' : paint.dim(`, ${long}`)
    const by = route === undefined ? '' : ` by ${route}`
    marked(verdicts[verdict], `${what}${by}: ${paint.bold(verdict)}${time}`, '  ')
    bars(fate)
    say(line(because), '    ')
    if (remedy) remedyLines(remedy, '    ')
  }
  if (report.forecast && report.forecast.length > 0) {
    heading('Forecast')
    // Files that share their fate share a line; the JSON report has a row for each.
    fatesOf(report.forecast).forEach(rows)
    say()
  }
  let above: string | undefined
  const reach = (what: string, { bytes: most, route, limit, because, remedy, from }: Reach) => {
    const mark = most === undefined ? marks.error : marks.ok
    // Where a time decides, the size is reckoned, and its last digits mean nothing.
    const size = most === undefined ? 'none' : limit?.unit === 'ms' ? `about ${bytes(most)}` : exactBytes(most)
    marked(mark, `${what} by ${route}: ${paint.bold(size)}`, '  ')
    if (because === undefined) return
    const cause = limit === undefined ? because : `${limit.setting} ${limit.max}`
    if (cause === above) {
      say('above: the same', '    ')
      return
    }
    above = cause
    say(`${most === undefined ? `of ${bytes(from)} or more` : 'above'}: ${line(because)}`, '    ')
    if (remedy) remedyLines(remedy, '    ')
  }
  const capacity = ({ files, largestModel }: Capacity) => {
    heading('The most that gets through')
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
    heading('Limits found')
    for (const limit of report.limits) {
      const max = 'bytes' in limit.max ? exactBytes(limit.max.bytes) : duration(limit.max.ms)
      marked(marks.info, `${limit.hop}: ${line(limit.setting)} ${max} ${counted[limit.scope]} (${limit.basis})`, '  ')
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
    const at = line(placeOfStep(entry))
    marked(mark, `${entry.action} ${at} (${entry.effect}${size}): ${paint.bold(entry.state)}`, '  ')
    if (entry.because) say(line(entry.because), '    ')
  }
  if (report.steps) {
    heading('Repair')
    if (report.steps.length === 0) marked(marks.ok, 'nothing to repair', '  ')
    report.steps.forEach(step)
    say()
  }

  const { childExit, kept } = report
  if (childExit !== undefined) say(`The command ended with exit code ${childExit}.`)
  if (kept !== undefined) {
    marked(marks.info, `${count(kept.models, 'model folder')}, ${bytes(kept.bytes)}, kept in ${line(kept.dir)}`, '')
    say('mlflow-doctor repair finds them there; remove the folder when it serves nothing any more', '    ')
  }
  if (childExit !== undefined) say()

  const { active, gaps } = report.covered
  if (active.length > 0) {
    heading('Left alone')
    for (const alive of active) marked(marks.info, `${line(alive.at)}: ${line(alive.says)}`, '  ')
    say()
  }
  if (gaps.length > 0) {
    heading('Not known')
    for (const gap of gaps) {
      const places = `${line(gap.at)}${gap.more === undefined ? '' : ` and ${count(gap.more, 'more place')}`}`
      marked(gap.unexpected ? marks.blocked : marks.skipped, `${places}: ${line(gap.because)}`, '  ')
    }
    say()
  }

  const { ignored = [], configuration } = report
  const ignoredLine = ({ check: id, at, says, reason, until }: IgnoredFinding) => {
    marked(marks.skipped, `${line(at)}: ${line(says)} ${paint.dim(`(${id})`)}`, '  ')
    say(`ignored${until === undefined ? '' : ` until ${until}`}: ${line(reason)}`, '    ')
  }
  const warnings = [
    ...(configuration?.expired ?? []).map((entry) => `an ignore entry is over and counts no more: ${line(entry)}`),
    ...(verbose ? (configuration?.unused ?? []).map((entry) => `an ignore entry met nothing: ${line(entry)}`) : []),
  ]
  if (ignored.length > 0 || warnings.length > 0) {
    heading(`Ignored by ${line(configuration?.file ?? '')}`)
    ignored.forEach(ignoredLine)
    for (const warning of warnings) marked(marks.warning, warning, '  ')
    say()
  }
  if (configuration !== undefined) say(paint.dim(`settings of ${line(configuration.file)}`))
  marked(report.exitCode === 0 ? '' : marks.error, summary(report), '')
  return `${out.join('\n')}\n`
}
