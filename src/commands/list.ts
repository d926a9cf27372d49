import { listed } from '../catalogue.ts'
import { jsonText } from '../reporters/escape.ts'
import { defineCommand } from './command.ts'

export default defineCommand<{ json: boolean }>({
  name: 'list',
  summary: 'List the checks: what each looks at and what it touches',
  options: { json: { type: 'boolean', default: false, describe: 'As JSON' } },
  print: async ({ json }, checks) => {
    const rows = checks.map(listed)
    if (json) return `${jsonText(JSON.stringify(rows, undefined, 2))}\n`
    const width = Math.max(...rows.map((row) => row.id.length))
    return rows
      .map((row) => `${row.id.padEnd(width)}  ${row.severity.padEnd(7)}  ${row.touches.padEnd(7)}  ${row.title}\n`)
      .join('')
  },
})
