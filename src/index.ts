/** The public API: what a check from outside this project is written with, and the types of what comes out. */
export type {
  Active,
  Check,
  Facts,
  FactValues,
  Finding,
  Gap,
  Limit,
  Need,
  On,
  Remedy,
  Severity,
  Unit,
  Want,
  Yielded,
} from './check.ts'
export { defineCheck } from './check.ts'
export type { CheckReport, ExitCode, ForecastRow, Report, ReportedFinding, Step } from './report.ts'
