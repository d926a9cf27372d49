/** The JSON Schema of the configuration file, derived from the declarations of the commands. */
import { camel } from '../arguments.ts'
import type { Check } from '../check.ts'
import { severities } from '../check.ts'
import type { Command, Option } from '../commands/command.ts'
import { commonOptions, loadOption, outputOptions } from '../commands/common-options.ts'
import { commands } from '../commands/index.ts'

type Schema = Readonly<Record<string, unknown>>

/** Consents belong to one run; what names the file or the format of one run, or is another name of something, is left out. */
const never = new Set([
  'yes',
  'overwrite',
  'abort-orphans',
  'add-lifecycle-rule',
  'json',
  'config',
  'output',
  'verbose',
])

/**
 * What sends credentials somewhere or runs code counts only in a file that the user names by `--config`: one that lies in a
 * folder may have come with somebody else's repository.
 */
export const onlyWhenNamed: ReadonlySet<string> = new Set([
  'trackingUri',
  'artifactsDestination',
  'trustHost',
  'load',
  'report',
  'bundle',
  'python',
])

const schemaOf = ({ type, choices, array, describe }: Option): Schema => {
  const one: Schema = choices ? { enum: [...choices] } : { type: type === 'boolean' ? 'boolean' : 'string' }
  return { ...(array ? { type: 'array', items: one } : one), ...(describe && { description: describe }) }
}

const propertiesOf = (options: Readonly<Record<string, Option>>): Record<string, Schema> =>
  Object.fromEntries(
    Object.entries(options)
      .filter(([name]) => !never.has(name))
      .map(([name, option]) => [camel(name), schemaOf(option)]),
  )

const ofCommand = ({ options, summary }: Command): Schema => ({
  type: 'object',
  description: summary,
  properties: propertiesOf(options),
  additionalProperties: false,
})

/** `checks` fills in the ids that an editor offers; patterns such as `store/*` are allowed as well. */
export const configurationSchema = (checks: readonly Check[]): Schema => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'mlflow-doctor configuration',
  type: 'object',
  properties: {
    $schema: { type: 'string' },
    ...propertiesOf({ ...commonOptions, ...loadOption, ...outputOptions }),
    severity: {
      type: 'object',
      description: 'Check id to the weight of its findings',
      properties: Object.fromEntries(checks.map(({ id }) => [id, { enum: [...severities] }])),
      additionalProperties: { enum: [...severities] },
    },
    ignore: {
      type: 'array',
      description: 'Findings that are known and do not count',
      items: {
        type: 'object',
        properties: {
          check: {
            description: 'Check id, or a pattern such as store/*',
            anyOf: [{ enum: checks.map(({ id }) => id) }, { type: 'string' }],
          },
          at: {
            type: 'string',
            description: 'Where it was found, or a pattern with * and **; everywhere unless given',
          },
          reason: { type: 'string', minLength: 1, description: 'Why it may be ignored' },
          until: {
            type: 'string',
            pattern: '^\\d{4}-\\d{2}-\\d{2}$',
            description: 'The last day on which it is ignored, YYYY-MM-DD',
          },
        },
        required: ['check', 'reason'],
        additionalProperties: false,
      },
    },
    ...Object.fromEntries(commands.filter(({ report }) => report).map((command) => [command.name, ofCommand(command)])),
  },
  additionalProperties: false,
})
