import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect } from 'vitest'
import { checks } from '../checks/index.ts'
import type { Report } from '../src/report.ts'
import { reportSchema } from '../src/schema.ts'

const validate = new Ajv2020({ allErrors: true }).compile(reportSchema(checks))

/** The document is what `mlflow-doctor schema` promises. */
export const expectValid = (report: Report): void => {
  validate(report)
  expect(validate.errors ?? []).toEqual([])
}
