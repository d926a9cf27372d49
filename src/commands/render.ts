import { readFile } from 'node:fs/promises'
import { Trouble } from '../errors.ts'
import type { Report } from '../report.ts'
import { schemaVersion } from '../report.ts'
import { type Format, formats, render } from '../reporters/index.ts'
import { defineCommand } from './command.ts'

const wrong = (file: string, why: string, todo: string): Trouble =>
  new Trouble({ kind: 'usage', what: `cannot show the report ${file}`, why, todo })

/** @throws Trouble `usage` for what is no report, or one of another version */
const read = async (file: string): Promise<Report> => {
  let found: Partial<Report>
  try {
    found = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    throw wrong(file, (error as Error).message, 'Give a file that `--report json=FILE` wrote')
  }
  const is = found?.tool?.name === 'mlflow-doctor' && Array.isArray(found.checks) && Array.isArray(found.covered?.gaps)
  if (!is) throw wrong(file, 'it holds something else than a report', 'Give a file that `--report json=FILE` wrote')
  if (found.schemaVersion === schemaVersion) return found as Report
  throw wrong(
    file,
    `its schema has version ${found.schemaVersion}, and this mlflow-doctor knows ${schemaVersion}`,
    'Show it with the mlflow-doctor that wrote it',
  )
}

export default defineCommand<{
  file: string
  format: Format
  color?: boolean
  unicode?: boolean
  width?: number
  verbose: boolean
}>({
  name: 'render',
  summary: 'Show a report that was kept as JSON in another format',
  positionals: { file: { type: 'string', demandOption: true, describe: 'A report in JSON' } },
  options: {
    format: { choices: formats, default: 'pretty', describe: 'Format to show it in' },
    color: { type: 'boolean', default: false, describe: 'With colour' },
    unicode: { type: 'boolean', default: true, describe: 'Signs and bars beyond ASCII' },
    width: { type: 'number', requiresArg: true, describe: 'Columns to wrap at' },
    verbose: { type: 'boolean', default: false, describe: 'Skipped checks and every figure too' },
  },
  examples: [['mlflow-doctor render report.json --format html > report.html', 'A page of what CI has found']],
  print: async ({ file, format, color = false, unicode = true, verbose, width }) => {
    const report = await read(file)
    return render(format, report, { color, unicode, verbose, ...(width !== undefined && { width }) })
  },
})
