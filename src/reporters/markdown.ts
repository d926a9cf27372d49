import type { Report } from '../report.ts'
import { placeOfStep } from '../report.ts'
import { bytes, duration } from '../words.ts'
import { block, line } from './escape.ts'
import { againstLimits, amount, areaTitles, byArea, fatesOf, figuresOf, summary, takes } from './render.ts'
import { type Told, tellings } from './telling.ts'

const signs: Readonly<Record<Told['level'], string>> = { error: '❌', unknown: '❔', warning: '⚠️', info: 'ℹ️' }

/** Names from elsewhere must not become markup, links, mentions of people or of issues. */
const text = (words: string): string =>
  line(words)
    .replace(/[\\`*_[\]<>|~]/g, (sign) => `\\${sign}`)
    .replace(/(?<![\w`])([@#])(?=\w)/g, '$1\u200b')
const code = (words: string): string => {
  const fence = '`'.repeat(Math.max(0, ...[...words.matchAll(/`+/g)].map(([run]) => run.length)) + 1)
  return `${fence} ${line(words).replaceAll('|', '\\|')} ${fence}`
}
const fenced = (commands: readonly string[]): string[] => {
  const body = commands.map(block)
  const fence = '`'.repeat(
    Math.max(2, ...body.flatMap((each) => [...each.matchAll(/`+/g)].map(([run]) => run.length))) + 1,
  )
  return ['', `  ${fence}`, ...body.map((each) => `  ${each}`), `  ${fence}`]
}
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  '',
  row(heads),
  row(heads.map(() => '---')),
  ...rows.map(row),
]

/** For a merge request or a job's page: what is wrong first, the figures folded away below. */
export const markdown = (report: Report): string => {
  const all = tellings(report)
  const out: string[] = [
    `### mlflow-doctor ${report.command}${report.target === undefined ? '' : ` ${code(report.target)}`}`,
    '',
    `${report.exitCode === 0 ? '✅' : '❌'} ${text(summary(report))}`,
  ]
  if (all.length > 0) out.push('')
  for (const { level, rule, at, says, remedy } of all) {
    out.push(`- ${signs[level]} ${code(at)}: ${text(says)} (${code(rule)})`)
    if (remedy) out.push(`  → ${text(remedy.text)}`, ...(remedy.commands ? fenced(remedy.commands) : []))
  }
  const fates = fatesOf(report.forecast ?? [])
  if (fates.length > 0) {
    out.push(
      ...table(
        ['planned', 'size', 'way', 'time', 'tightest limit', 'verdict'],
        fates.map((fate) => {
          const { first, files, total } = fate
          const [tightest] = againstLimits(fate, report)
          return [
            files === 1 ? code(first.path) : `${files} files`,
            bytes(total),
            first.route ?? '',
            takes(fate) ?? '',
            tightest === undefined
              ? ''
              : `${amount(tightest.planned, tightest.unit)} of ${amount(tightest.most, tightest.unit)}: ${code(tightest.limit.setting)}`,
            `**${first.verdict}**`,
          ]
        }),
      ),
    )
  }
  const { steps = [] } = report
  if (steps.length > 0) {
    out.push(
      ...table(
        ['repair', 'file', 'sent', 'reused', 'state'],
        steps.map((step) => [
          step.action,
          code(placeOfStep(step)),
          bytes(step.sent),
          bytes(step.reused),
          `**${step.state}**`,
        ]),
      ),
    )
  }
  const healthy = report.checks.filter(({ state }) => state === 'ok')
  if (healthy.length > 0) {
    out.push('', `<details><summary>${healthy.length} ok</summary>`, '')
    for (const [area, checks] of byArea(healthy)) {
      for (const { title, target, measured = {}, gaps } of checks) {
        const where = target === undefined ? areaTitles[area] : code(target)
        const doubt = gaps === undefined ? '' : ', as far as it could be told'
        const figures = figuresOf(measured, report.units).map(text).join(', ')
        out.push(`- ${where}: ${text(title)}${doubt}${figures === '' ? '' : ` (${figures})`}`)
      }
    }
    out.push('', '</details>')
  }
  const { gaps } = report.covered
  if (gaps.length > 0) {
    out.push('', `<details><summary>${gaps.length} not known</summary>`, '')
    for (const { at, because, more } of gaps) {
      out.push(`- ${code(at)}${more === undefined ? '' : ` and ${more} more`}: ${text(because)}`)
    }
    out.push('', '</details>')
  }
  const { ignored = [] } = report
  if (ignored.length > 0) {
    out.push('', `<details><summary>${ignored.length} ignored</summary>`, '')
    for (const { at, says, reason, until } of ignored) {
      out.push(`- ${code(at)}: ${text(says)}; ${text(reason)}${until === undefined ? '' : ` (until ${until})`}`)
    }
    out.push('', '</details>')
  }
  out.push('', `mlflow-doctor ${report.tool.version}, ${report.startedAt}, ${duration(report.durationMs)}`)
  return `${out.join('\n')}\n`
}
