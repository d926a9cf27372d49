import type { CheckReport, FileRow, FileState, Report, ReportedFinding, Step } from '../report.ts'
import { fileStates, isAtLeast, placeOfStep } from '../report.ts'
import { bytes, count, duration, exactBytes } from '../words.ts'
import { markup, visible } from './escape.ts'
import { pageStyle } from './html-style.ts'
import {
  type Against,
  againstLimits,
  amount,
  areaTitles,
  byArea,
  counted,
  type Fate,
  fatesOf,
  figuresOf,
  summary,
  takes,
} from './render.ts'
import { type Told, tellings } from './telling.ts'

/** Text from elsewhere: control codes made visible, markup taken for text. */
const text = (words: string): string => markup(visible(words).toWellFormed()).replaceAll("'", '&#39;')

const percent = (share: number): string => `${Number((Math.min(1, Math.max(0, share)) * 100).toFixed(2))}%`

const badge = (kind: string, word: string): string => `<span class="badge ${kind}">${text(word)}</span>`

interface Section {
  readonly id: string
  readonly title: string
  readonly body: string
}

/** Lines to paste, in a box that scrolls by itself and is reached from the keyboard. */
const pasteBox = (commands: readonly string[] = [], of: string): string =>
  commands.length === 0
    ? ''
    : `<pre tabindex="0" role="region" aria-label="${text(`Commands for ${of}`)}"><code>${commands.flatMap((each) => each.split('\n').map(text)).join('\n')}</code></pre>`

const remedyOf = (remedy: Told['remedy'], of: string): string =>
  remedy === undefined ? '' : `<p class="remedy">${text(remedy.text)}</p>${pasteBox(remedy.commands, of)}`

/** One bar: what is planned, drawn to the scale on which the limit, or the amount beyond it, is at the right edge. */
const bar = ({ limit, planned, most, unit }: Against): string => {
  const scale = Math.max(planned, most)
  const over = planned > most
  const says = `${amount(planned, unit)} of ${amount(most, unit)}`
  return `<div class="against">
<div class="bar${over ? ' over' : ''}" role="img" aria-label="${text(`${says}: ${limit.setting}, ${over ? 'beyond' : 'below'} the limit`)}"><span class="taken" style="width:${percent(Math.min(planned, most) / scale)}"></span><span class="beyond" style="width:${percent(over ? (planned - most) / scale : 0)}"></span><span class="limit" style="left:${percent(most / scale)}"></span></div>
<p>${text(says)}: <code>${text(limit.setting)}</code> <span class="dim">${text(`${limit.hop}, ${counted[limit.scope]}, ${limit.basis}`)}</span></p>
</div>`
}

const fateOf = (report: Report) => (fate: Fate) => {
  const { first, files, total } = fate
  const what = files === 1 ? `<code>${text(first.path)}</code>` : text(`${count(files, 'file')}, such as ${first.path}`)
  const facts = [
    bytes(total),
    ...(first.route === undefined ? [] : [`by ${first.route}`]),
    ...[takes(fate) ?? []].flat(),
  ].join(', ')
  const against = againstLimits(fate, report)
  return `<article class="card ${first.verdict}">
<h3>${badge(first.verdict, first.verdict)} ${what} <span class="dim">${text(facts)}</span></h3>
${against.map(bar).join('\n')}
<p>${text(first.because)}</p>
${remedyOf(first.remedy, first.path)}
</article>`
}

const forecastSection = (report: Report): Section[] => {
  const { forecast = [], capacity } = report
  const most = capacity
    ? `<ul>${[...capacity.files, ...(capacity.largestModel ? [capacity.largestModel] : [])]
        .map(({ bytes: size, route, because, from }, at) => {
          const what =
            at >= capacity.files.length
              ? 'a model of such files'
              : `a file${from > 1 ? ` of ${bytes(from)} or more` : ''}`
          return `<li><strong>${text(`${what} by ${route}: ${size === undefined ? 'none' : exactBytes(size)}`)}</strong>${because === undefined ? '' : `<br>above: ${text(because)}`}</li>`
        })
        .join('')}</ul>`
    : ''
  if (forecast.length === 0 && capacity === undefined) return []
  const title = forecast.length > 0 ? 'Forecast' : 'The most that gets through'
  return [{ id: 'forecast', title, body: `${fatesOf(forecast).map(fateOf(report)).join('\n')}${most}` }]
}

const limitsSection = ({ limits = [] }: Report): Section[] => {
  if (limits.length === 0) return []
  const rows = limits.map(
    ({ hop, setting, max, scope, basis, because }) =>
      `<tr><th scope="row">${text(hop)}</th><td><code>${text(setting)}</code></td><td>${text('bytes' in max ? exactBytes(max.bytes) : duration(max.ms))}</td><td>${text(counted[scope])}</td><td>${text(basis)}</td><td>${text(because)}</td></tr>`,
  )
  const head = ['hop', 'setting', 'most', 'counts', 'basis', 'seen'].map((one) => `<th scope="col">${one}</th>`)
  return [
    {
      id: 'limits',
      title: 'Limits, hop by hop',
      body: `<div class="scroll" tabindex="0" role="region" aria-label="Limits"><table><thead><tr>${head.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`,
    },
  ]
}

const levelWords: Readonly<Record<Told['level'], string>> = {
  error: 'error',
  unknown: 'no result',
  warning: 'warning',
  info: 'note',
}

const findingsSection = (report: Report): Section[] => {
  const all = tellings(report).filter(({ rule }) => rule !== 'forecast')
  if (all.length === 0) return []
  const cards = all.map(
    ({ level, rule, title, at, says, remedy }) => `<article class="card ${level}">
<h3>${badge(level, levelWords[level])} <code>${text(at)}</code></h3>
<p>${text(says)}</p>
${remedyOf(remedy, at)}
<p class="dim">${text(rule)}: ${text(title)}</p>
</article>`,
  )
  return [{ id: 'findings', title: 'Findings', body: cards.join('\n') }]
}

const stateWords: Readonly<Record<FileState, string>> = {
  whole: 'whole',
  missing: 'missing',
  cut: 'cut',
  unproved: 'unproved',
}
const stateSigns: Readonly<Record<FileState, string>> = { whole: '✔', missing: '✖', cut: '◧', unproved: '?' }

/** Sizes span nine orders of magnitude: a tile grows with the logarithm, so that the small ones stay visible. */
const weight = ({ bytes: stored, expected = 0 }: FileRow): number =>
  Number((1 + Math.log2(1 + Math.max(stored, expected) / 1024) / 4).toFixed(2))

/** How much of a file is there; undefined where nobody knows how much there should be. */
const shareOf = ({ state, bytes: stored, expected }: FileRow): number | undefined =>
  state === 'missing' ? 0 : expected === undefined || expected === 0 ? undefined : Math.min(1, stored / expected)

const tile = (row: FileRow): string => {
  const share = row.state === 'cut' ? (shareOf(row) ?? 0.5) : 1
  return `<span class="tile ${row.state}" style="flex-grow:${weight(row)};--there:${percent(share)}" title="${text(`${row.path}: ${stateWords[row.state]}`)}"></span>`
}

const sizeOf = ({ state, bytes: stored, expected }: FileRow): string => {
  if (state === 'missing') return expected === undefined ? 'not stored' : `not stored, ${bytes(expected)} expected`
  if (expected === undefined || expected === stored) return bytes(stored)
  return `${bytes(stored)} of ${bytes(expected)}`
}

const fileTable = (rows: readonly FileRow[]): string =>
  `<table class="files"><thead><tr><th scope="col">state</th><th scope="col">file</th><th scope="col">stored</th></tr></thead><tbody>${rows
    .map(
      (row) =>
        `<tr><td>${badge(row.state, `${stateSigns[row.state]} ${stateWords[row.state]}`)}</td><th scope="row"><code>${text(row.path)}</code></th><td>${text(sizeOf(row))}</td></tr>`,
    )
    .join('')}</tbody></table>`

const filesSection = ({ files }: Report): Section[] => {
  if (files === undefined) return []
  const of = (state: FileState) => files.rows.filter((row) => row.state === state).length + files.more[state]
  const legend = fileStates.map(
    (state) => `<li>${badge(state, `${stateSigns[state]} ${stateWords[state]}`)} ${of(state)}</li>`,
  )
  const maps = [...Map.groupBy(files.rows, ({ target }) => target)].map(([target, rows]) => {
    const wrong = rows.filter(({ state }) => state === 'missing' || state === 'cut')
    const words = fileStates.map((state) => `${rows.filter((row) => row.state === state).length} ${stateWords[state]}`)
    return `<article class="card">
<h3><code>${text(target)}</code> <span class="dim">${text(`${count(rows.length, 'file')}, ${words.join(', ')}`)}</span></h3>
<div class="map" role="img" aria-label="${text(`Map of ${target}: ${words.join(', ')}`)}">${rows.map(tile).join('')}</div>
${wrong.length > 0 ? `<div class="scroll" tabindex="0" role="region" aria-label="${text(`Damaged files of ${target}`)}">${fileTable(wrong)}</div>` : ''}
<details><summary>${text(`All files of ${target}`)}</summary><div class="scroll" tabindex="0" role="region" aria-label="${text(`All files of ${target}`)}">${fileTable(rows)}</div></details>
</article>`
  })
  const left = fileStates
    .filter((state) => files.more[state] > 0)
    .map((state) => `${files.more[state]} ${stateWords[state]}`)
  const more = left.length > 0 ? `<p>Not drawn: ${text(left.join(', '))}.</p>` : ''
  return [{ id: 'files', title: 'Files', body: `<ul class="legend">${legend.join('')}</ul>${maps.join('\n')}${more}` }]
}

const stepBadge = (state: Step['state']): string =>
  badge(state === 'verified' ? 'passes' : state === 'planned' || state === 'applied' ? 'info' : 'error', state)

/** Each step where it lies in time, from the first beginning to the last end. */
const timelineSection = ({ steps = [] }: Report): Section[] => {
  if (steps.length === 0) return []
  const times = steps.flatMap(({ beganAt, ms = 0 }) =>
    beganAt === undefined ? [] : [[Date.parse(beganAt), ms] as const],
  )
  const first = Math.min(...times.map(([at]) => at))
  const span = Math.max(1, ...times.map(([at, ms]) => at + ms - first))
  const rows = steps.map((step) => {
    const { action, state, bytes: size, sent, reused, because, beganAt, ms = 0, source } = step
    const at = placeOfStep(step)
    const from = beganAt === undefined ? 0 : Date.parse(beganAt) - first
    const rate = sent > 0 && ms > 0 ? `, ${bytes((sent / ms) * 1000)}/s` : ''
    const moved = action === 'upload' ? `${bytes(size)}: ${bytes(sent)} sent, ${bytes(reused)} reused${rate}` : ''
    const when = beganAt === undefined ? 'not begun' : `from ${duration(from)} on, for ${duration(ms)}`
    const share = size > 0 ? reused / size : 0
    const drawn =
      beganAt === undefined
        ? ''
        : `<div class="lane" role="img" aria-label="${text(when)}"><span class="ran ${state === 'verified' ? 'passes' : 'error'}" style="left:${percent(from / span)};width:max(3px,${percent(ms / span)})"><span class="reused" style="width:${percent(share)}"></span></span></div>`
    return `<li>
<p>${stepBadge(state)} ${text(action)} <code>${text(at)}</code> <span class="dim">${text([moved, when, ...(source === undefined ? [] : [`from ${source}`])].filter((one) => one !== '').join('; '))}</span></p>
${drawn}
${because === undefined ? '' : `<p class="dim">${text(because)}</p>`}
</li>`
  })
  return [
    {
      id: 'repair',
      title: 'Repair, along its time',
      body: `<p>${times.length === 0 ? 'Nothing was begun.' : text(`${count(times.length, 'step')} in ${duration(span)}; of each bar the hatched share was in the store already.`)}</p><ol class="timeline">${rows.join('\n')}</ol>`,
    },
  ]
}

const stateOf = ({ state, gaps, findings }: CheckReport, report: Report): string => {
  if (state === 'ok') return gaps === undefined ? badge('passes', 'ok') : badge('info', 'ok, in part')
  if (state === 'found') {
    const counts = findings.some(({ severity }: ReportedFinding) => isAtLeast(severity, report.failOn))
    return badge(counts ? 'error' : 'warning', `${findings.length} found`)
  }
  return badge(state === 'skipped' ? 'info' : 'unknown', state)
}

const checksSection = (report: Report): Section[] => {
  const areas = byArea(report.checks).map(([area, checks]) => {
    const rows = checks.map((check) => {
      const figures = figuresOf(check.measured ?? {}, report.units)
        .map(text)
        .join(', ')
      const where = check.target === undefined ? '' : ` <code>${text(check.target)}</code>`
      const why =
        check.reason === undefined ? '' : `<br><span class="dim">${text(check.reason.split('\n')[0] ?? '')}</span>`
      return `<li>${stateOf(check, report)} ${text(check.title)}${where} <span class="dim">${text(check.id)}, ${duration(check.ms)}</span>${figures === '' ? '' : `<br><span class="dim">${figures}</span>`}${why}</li>`
    })
    return `<details><summary>${text(areaTitles[area] ?? area)}: ${count(checks.length, 'check')}</summary><ul class="plain">${rows.join('')}</ul></details>`
  })
  return areas.length === 0 ? [] : [{ id: 'checks', title: 'What was looked at', body: areas.join('\n') }]
}

const restSections = ({ covered, ignored = [], configuration }: Report): Section[] => {
  const gaps = covered.gaps.map(
    ({ at, because, more, unexpected }) =>
      `<li>${badge(unexpected ? 'unknown' : 'info', unexpected ? 'no result' : 'not known')} <code>${text(at)}</code>${more === undefined ? '' : ` and ${count(more, 'more place')}`}: ${text(because)}</li>`,
  )
  const active = covered.active.map(({ at, says }) => `<li><code>${text(at)}</code>: ${text(says)}</li>`)
  const known = ignored.map(
    ({ at, says, reason, until, check }) =>
      `<li><code>${text(at)}</code>: ${text(says)} <span class="dim">${text(`${check}; ignored${until === undefined ? '' : ` until ${until}`}: ${reason}`)}</span></li>`,
  )
  const of = (id: string, title: string, items: readonly string[]): Section[] =>
    items.length === 0 ? [] : [{ id, title, body: `<ul class="plain">${items.join('')}</ul>` }]
  return [
    ...of('not-known', 'Not known', gaps),
    ...of('left-alone', 'Left alone', active),
    ...of('ignored', `Ignored${configuration === undefined ? '' : ` by ${configuration.file}`}`, known),
  ]
}

/** One file that needs nothing else: no script, no font, no picture from anywhere, and a policy that forbids them. */
export const html = (report: Report): string => {
  const sections = [
    ...forecastSection(report),
    ...findingsSection(report),
    ...filesSection(report),
    ...timelineSection(report),
    ...limitsSection(report),
    ...checksSection(report),
    ...restSections(report),
  ]
  const title = `mlflow-doctor ${report.command}${report.target === undefined ? '' : ` ${report.target}`}`
  const mood = report.exitCode === 0 ? 'passes' : report.exitCode === 1 ? 'error' : 'unknown'
  const word = report.exitCode === 0 ? 'healthy' : report.exitCode === 1 ? 'findings' : 'unknown'
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>${text(title)}: ${word}</title>
<style>${pageStyle}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the report</a>
<header class="${mood}">
<h1>${text(title)}</h1>
<p>${badge(mood, word)} ${text(summary(report))}</p>
<p class="dim"><time datetime="${text(report.startedAt)}">${text(report.startedAt)}</time>, ${text(duration(report.durationMs))}, mlflow-doctor ${text(report.tool.version)}</p>
</header>
<nav aria-label="Sections"><ul>${sections.map(({ id, title: name }) => `<li><a href="#${id}">${text(name)}</a></li>`).join('')}</ul></nav>
<main id="main">
${sections.map(({ id, title: name, body }) => `<section id="${id}" aria-labelledby="${id}-title">\n<h2 id="${id}-title">${text(name)}</h2>\n${body}\n</section>`).join('\n')}
</main>
</body>
</html>
`
}
