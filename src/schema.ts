/** The JSON Schema of the report, derived from the same declarations as the report itself. */

import type { Check, Facts, Unit } from './check.ts'
import { gapTopics, severities } from './check.ts'
import { checkStates, fileStates, schemaVersion, stepStates } from './report.ts'

type Schema = Readonly<Record<string, unknown>>

const described: Readonly<Record<Unit, Schema>> = {
  bytes: { type: 'number', description: 'bytes' },
  ms: { type: 'number', description: 'milliseconds' },
  count: { type: 'number', description: 'a count' },
  bytesPerSecond: { type: 'number', description: 'bytes per second' },
  usdPerMonth: { type: 'number', description: 'US dollars a month, estimated' },
  text: { type: 'string' },
  flag: { type: 'boolean' },
}

const text: Schema = { type: 'string' }
const flag: Schema = { type: 'boolean' }
const amount: Schema = { type: 'number', minimum: 0 }
const oneOf = (values: readonly (string | number)[]): Schema => ({ enum: [...values] })
const list = (items: Schema): Schema => ({ type: 'array', items })
const object = (
  required: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
): Schema => ({
  type: 'object',
  properties: { ...required, ...optional },
  required: Object.keys(required),
  additionalProperties: false,
})
const factsOf = (facts: Facts): Schema => ({
  type: 'object',
  properties: Object.fromEntries(Object.entries(facts).map(([name, unit]) => [name, described[unit]])),
  additionalProperties: false,
})

const routes = ['proxied-put', 'signed-parts', 'store-multipart', 'store-put', 'folder-copy']
const hops = ['host', 'client', 'network', 'proxy', 'server', 'relay', 'store']
const remedy = object({ text }, { commands: list(text) })

const findingOf = (check: Check): Schema =>
  object(
    {
      at: text,
      says: text,
      severity: oneOf(severities),
      facts: factsOf(check.facts),
      remedy: object({ text, docs: text }, { commands: list(text) }),
    },
    {
      wants: list({
        oneOf: [
          object({ want: { const: 'file' }, target: text, path: text }, { bytes: amount }),
          object({ want: { const: 'upload-settled' }, target: text, path: text, uploadId: text }),
          object({ want: { const: 'model-ready' }, target: text, modelId: text }),
        ],
      }),
    },
  )

const checkOf = (check: Check): Schema =>
  object(
    {
      id: { const: check.id },
      title: text,
      state: oneOf(checkStates),
      ms: amount,
      findings: list(findingOf(check)),
    },
    {
      target: text,
      targets: amount,
      gaps: amount,
      ignored: amount,
      reason: text,
      blockedBy: text,
      measured: factsOf(Object.assign({}, ...check.needs.map((need) => need.facts))),
    },
  )

const limit = object(
  {
    hop: oneOf(hops),
    setting: text,
    scope: oneOf(['request', 'file', 'total', 'idle', 'body', 'answer']),
    max: { oneOf: [object({ bytes: amount }), object({ ms: amount })] },
    basis: oneOf(['measured', 'assumed']),
    because: text,
    remedy,
  },
  { routes: list(oneOf(routes)) },
)

const forecastRow = object(
  {
    path: text,
    bytes: amount,
    verdict: oneOf(['passes', 'fails', 'at-risk', 'unknown']),
    because: text,
  },
  {
    route: oneOf(routes),
    seconds: amount,
    hop: oneOf(hops),
    limit: object({ setting: text, max: amount, unit: oneOf(['bytes', 'ms']) }),
    remedy,
  },
)

const reach = object(
  { from: amount, route: oneOf(routes) },
  {
    bytes: amount,
    because: text,
    hop: oneOf(hops),
    limit: object({ setting: text, max: amount, unit: oneOf(['bytes', 'ms']) }),
    remedy,
  },
)
const capacity = object({ files: list(reach) }, { largestFile: reach, largestModel: reach })

const step = object(
  {
    target: text,
    path: text,
    action: oneOf(['upload', 'copy', 'abort-upload', 'write-manifest', 'add-lifecycle-rule', 'set-ready']),
    effect: oneOf(['adds', 'overwrites', 'deletes', 'changes-status', 'changes-settings']),
    bytes: amount,
    sent: amount,
    reused: amount,
    state: oneOf(stepStates),
  },
  { source: text, route: oneOf(routes), because: text, beganAt: text, ms: amount },
)

const fileMap = object({
  rows: list(object({ target: text, path: text, state: oneOf(fileStates), bytes: amount }, { expected: amount })),
  more: object(Object.fromEntries(fileStates.map((state) => [state, amount]))),
})
const ignoredFinding = object(
  { check: text, at: text, says: text, severity: oneOf(severities), reason: text },
  { target: text, until: text },
)
const configuration = object({ file: text }, { expired: list(text), unused: list(text) })

const tally = (names: readonly string[]): Schema => object(Object.fromEntries(names.map((name) => [name, amount])))

/** JSON Schema 2020-12 of the document that `--format json` prints. */
export const reportSchema = (checks: readonly Check[]): Schema => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'mlflow-doctor report',
  description:
    'exitCode: 0 nothing at or above failOn; 1 findings remain; 2 wrong usage or configuration; 3 health is unknown; 130 interrupted.',
  ...object(
    {
      schemaVersion: { const: schemaVersion },
      tool: object({ name: { const: 'mlflow-doctor' }, version: text }),
      command: text,
      startedAt: text,
      durationMs: amount,
      checks: list({ oneOf: checks.map(checkOf) }),
      covered: object({
        targets: amount,
        objects: amount,
        bytes: amount,
        gaps: list(
          object(
            { at: text, cannot: oneOf(['see', 'prove']), because: text, unexpected: flag },
            { about: oneOf(gapTopics), more: amount },
          ),
        ),
        active: list(object({ at: text, says: text, facts: { type: 'object' } })),
      }),
      units: { type: 'object', additionalProperties: oneOf(Object.keys(described)) },
      counts: object({ states: tally(checkStates), findings: tally(severities) }),
      interrupted: flag,
      failOn: oneOf(severities),
      required: list(oneOf(gapTopics)),
      exitCode: oneOf([0, 1, 2, 3, 130]),
    },
    {
      target: text,
      trouble: object({ kind: text, what: text, why: text, todo: text }),
      limits: list(limit),
      forecast: list(forecastRow),
      capacity,
      steps: list(step),
      files: fileMap,
      ignored: list(ignoredFinding),
      configuration,
      childExit: amount,
      kept: object({ dir: text, models: amount, bytes: amount }),
    },
  ),
})

/** JSON Schema 2020-12 of one line that `--progress json` prints. Amounts are there while bytes move. */
export const progressSchema: Schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'mlflow-doctor progress',
  ...object(
    { at: text, says: text },
    {
      path: text,
      files: object({ done: amount, total: amount }),
      done: amount,
      total: amount,
      reused: amount,
      bytesPerSecond: amount,
      secondsLeft: amount,
    },
  ),
}
