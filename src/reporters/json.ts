import type { Report } from '../report.ts'
import { jsonText } from './escape.ts'

/** One document, indented; values are unchanged, only spelled so that no terminal, CI log or web page obeys them. */
export const json = (report: Report): string => `${jsonText(JSON.stringify(report, undefined, 2))}\n`
