import { progressSchema, reportSchema } from '../schema.ts'
import { defineCommand } from './command.ts'

export default defineCommand<{ of: 'report' | 'configuration' | 'progress' }>({
  name: 'schema',
  summary: 'Print the JSON Schema of the report, the configuration file, or a line of progress',
  options: {
    of: { choices: ['report', 'configuration', 'progress'], default: 'report', describe: 'What it is the schema of' },
  },
  examples: [['mlflow-doctor schema --of configuration > mlflow-doctor.schema.json', 'For an editor']],
  print: async ({ of }, checks) => {
    const schema =
      of === 'report'
        ? reportSchema(checks)
        : of === 'progress'
          ? progressSchema
          : // It is made of the commands, of which this is one.
            (await import('../configuration/schema.ts')).configurationSchema(checks)
    return `${JSON.stringify(schema, undefined, 2)}\n`
  },
})
