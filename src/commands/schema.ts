import { checks } from '../../checks/index.ts'
import { reportSchema } from '../schema.ts'
import { defineCommand } from './command.ts'

export default defineCommand({
  name: 'schema',
  summary: 'Print the JSON Schema of the report',
  options: {},
  print: async () => `${JSON.stringify(reportSchema(checks), undefined, 2)}\n`,
})
