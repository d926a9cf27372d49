import type { Report } from '../report.ts'
import { line } from './escape.ts'
import { type RenderOptions, summary } from './render.ts'
import { plain } from './signs.ts'
import { tellings } from './telling.ts'

/** Lines that a chat shows without folding them. */
const most = 12

/** To paste: the version, what is wrong in one line each, and one line that ends it. No colour, no signs. */
export const short = (report: Report, { unicode, verbose }: RenderOptions): string => {
  const { tool, command, target, startedAt } = report
  const all = tellings(report)
  const shown = verbose ? all : all.slice(0, most)
  const lines = [
    `mlflow-doctor ${tool.version}, ${command}${target === undefined ? '' : ` ${target}`}, ${startedAt}`,
    ...shown.flatMap(({ level, rule, at, says, remedy }) => [
      `${level === 'info' ? 'note' : level}: ${at}: ${says} (${rule})`,
      ...(remedy?.commands ?? []).map((each) => `  > ${each}`),
    ]),
    ...(all.length > shown.length ? [`and ${all.length - shown.length} more`] : []),
    summary(report),
  ].map(line)
  return `${(unicode ? lines : lines.map(plain)).join('\n')}\n`
}
