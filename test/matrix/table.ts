import { bytes } from '../../src/words.ts'
import type { Row } from './cell.ts'

/** The table as Markdown: cell, forecasts, what happened, the limit named, agreed or not; then the counts. */
export const markdown = (rows: readonly Row[], known: Readonly<Record<string, unknown>>): string => {
  const lines = rows.map((row) => {
    const decides = row.full.limit ? row.full : row.fifth
    const limit = decides.limit
      ? `${decides.hop}: ${decides.limit.setting} ${decides.limit.max} ${decides.limit.unit}`
      : (decides.hop ?? '')
    const listed = known[row.cell] === undefined ? '' : ', listed'
    const agreed = row.problems.length === 0 ? 'yes' : `no (${row.problems.map(({ id }) => id).join('; ')}${listed})`
    const capacity = row.capacity === undefined ? 'none' : bytes(row.capacity)
    const verdicts = `${row.full.verdict ?? 'none'} / ${row.fifth.verdict ?? 'none'}`
    const happened = `${row.happened.arrived ? 'arrived' : 'failed'} in ${row.happened.seconds.toFixed(1)} s`
    return `| ${[row.cell, bytes(row.size), verdicts, capacity, happened, limit, agreed].join(' | ')} |`
  })
  const arrived = rows.filter(({ happened }) => happened.arrived).length
  const agreed = rows.filter(({ problems }) => problems.length === 0).length
  return [
    '| cell | size | forecast (full / extrapolated) | gets through at most | what happened | limit named | agreed |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...lines,
    '',
    `${rows.length} cells, ${arrived} uploads arrived and ${rows.length - arrived} failed; ${agreed} agreed, ${rows.length - agreed} did not.`,
  ].join('\n')
}
