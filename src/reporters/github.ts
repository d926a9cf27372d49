import type { Report } from '../report.ts'
import { line } from './escape.ts'
import { summary } from './render.ts'
import { type Told, tellings } from './telling.ts'

/** GitHub shows ten of each kind for one step, and drops the others. */
const most = 10

const commands: Readonly<Record<Told['level'], string>> = {
  error: 'error',
  unknown: 'error',
  warning: 'warning',
  info: 'notice',
}

/** What the runner takes apart again: `%`, line breaks, and in properties `:` and `,`. */
const data = (text: string): string =>
  text.split('\n').map(line).join('\n').replaceAll('%', '%25').replaceAll('\n', '%0A')
const property = (text: string): string => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')

/** Workflow commands that GitHub shows as annotations; the job's summary is the Markdown format, in a file of its own. */
export const github = (report: Report): string => {
  const left = new Map<string, number>()
  const shown: string[] = []
  let dropped = 0
  for (const { level, rule, at, says, remedy } of tellings(report)) {
    const command = commands[level]
    const before = left.get(command) ?? 0
    left.set(command, before + 1)
    if (before >= most) {
      dropped += 1
      continue
    }
    const todo = remedy === undefined ? [] : [remedy.text, ...(remedy.commands ?? [])]
    shown.push(
      `::${command} title=${property(`mlflow-doctor ${rule}`)}::${data([`${at}: ${says}`, ...todo].join('\n'))}`,
    )
  }
  const rest = dropped > 0 ? [`and ${dropped} more, in the job's summary`] : []
  return `${[...shown, ...rest, line(`mlflow-doctor: ${summary(report)}`)].join('\n')}\n`
}
