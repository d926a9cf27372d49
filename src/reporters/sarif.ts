import { createHash } from 'node:crypto'
import type { Severity } from '../check.ts'
import type { Report } from '../report.ts'
import { jsonText } from './escape.ts'
import { type Told, tellings } from './telling.ts'

const levels: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', info: 'note' }

/** A place in the field's own spelling: what is no address by itself is one relative to nowhere, percent-encoded. */
const uriOf = (at: string): string => {
  const path = at.toWellFormed()
  return /^[a-z][a-z0-9+.-]*:\//i.test(path) ? encodeURI(path) : encodeURIComponent(path).replaceAll('%2F', '/')
}

const placeOf = (at: string) => ({
  physicalLocation: { artifactLocation: { uri: uriOf(at) } },
  logicalLocations: [{ fullyQualifiedName: at }],
})

/** The same finding of the next run is the same alert: its words, with figures in them, are no part of what it is. */
const fingerprint = (rule: string, at: string): string => createHash('sha256').update(`${rule}\n${at}`).digest('hex')

const messageOf = ({ at, says, remedy }: Pick<Told, 'at' | 'says' | 'remedy'>): string =>
  [`${at}: ${says}.`, ...(remedy ? [remedy.text, ...(remedy.commands ?? [])] : [])].join('\n')

/**
 * SARIF 2.1.0. What was found is a result; what could not be looked at is a notification, since a place that nobody saw is no
 * finding; what the configuration ignores is a result that is suppressed.
 */
export const sarif = (report: Report): string => {
  const all = tellings(report)
  const results = all.filter(({ level }) => level !== 'unknown')
  const notices = all.filter(({ level }) => level === 'unknown')
  const { ignored = [] } = report
  const titles = new Map<string, string>([
    ...report.checks.map(({ id, title }) => [id, title] as const),
    ...all.map(({ rule, title }) => [rule, title] as const),
  ])
  const rules = [...titles].map(([id, title]) => ({
    id,
    shortDescription: { text: title },
    ...(id.includes('/') && { help: { text: `mlflow-doctor explain ${id}` } }),
  }))
  const indexOf = new Map(rules.map(({ id }, index) => [id, index]))
  const result = (rule: string, at: string, level: Severity, message: string) => ({
    ruleId: rule,
    ruleIndex: indexOf.get(rule),
    level: levels[level],
    message: { text: message },
    locations: [placeOf(at)],
    partialFingerprints: { 'place/v1': fingerprint(rule, at) },
  })
  const ended = new Date(Date.parse(report.startedAt) + report.durationMs).toISOString()
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'mlflow-doctor', version: report.tool.version, rules } },
        invocations: [
          {
            executionSuccessful: report.exitCode === 0 || report.exitCode === 1,
            exitCode: report.exitCode,
            startTimeUtc: report.startedAt,
            endTimeUtc: ended,
            toolExecutionNotifications: notices.map((told) => ({
              level: 'error',
              message: { text: messageOf(told) },
              ...(told.rule.includes('/') && { associatedRule: { id: told.rule, index: indexOf.get(told.rule) } }),
            })),
          },
        ],
        results: [
          ...results.map((told) => result(told.rule, told.at, told.level as Severity, messageOf(told))),
          ...ignored.map(({ check, at, says, severity, reason, until }) => ({
            ...result(check, at, severity, messageOf({ at, says })),
            suppressions: [
              { kind: 'external', justification: until === undefined ? reason : `${reason} (until ${until})` },
            ],
          })),
        ],
      },
    ],
  }
  return `${jsonText(JSON.stringify(log, undefined, 2))}\n`
}
