/** Every format of the report: one file each, one line here. */
import type { Report } from '../report.ts'
import { json } from './json.ts'
import type { PrettyOptions } from './pretty.ts'

export type Format = 'pretty' | 'json'
export const formats: readonly Format[] = ['pretty', 'json']

/** A machine format goes to standard output alone; whatever is human then goes to standard error. */
export const isMachine = (format: Format): boolean => format !== 'pretty'

export const render = async (format: Format, report: Report, options: PrettyOptions): Promise<string> =>
  format === 'json' ? json(report) : (await import('./pretty.ts')).pretty(report, options)
