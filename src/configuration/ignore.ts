/** `ignore` entries: findings that a project knows of are taken out of the count, with a reason, and for a time. */
import { matchesGlob } from 'node:path'
import type { CheckReport, IgnoredFinding, ReportedFinding } from '../report.ts'

export interface IgnoreEntry {
  /** Check id, or a pattern. */
  readonly check: string
  /** Place, or a pattern; everywhere unless given. */
  readonly at?: string
  readonly reason: string
  /** The last day, YYYY-MM-DD, by UTC. */
  readonly until?: string
}

export interface Ignoring {
  readonly checks: readonly CheckReport[]
  readonly ignored: readonly IgnoredFinding[]
  /** Entries, in words, whose last day is over, and those that nothing matched. */
  readonly expired: readonly string[]
  readonly unused: readonly string[]
}

/** `*` stands for anything within a part of a path, `**` for any parts. Places are addresses, so file globs do not fit them. */
const isAt = (place: string, pattern: string | undefined): boolean => {
  if (pattern === undefined || place === pattern) return true
  const parts = pattern.split(/(\*+)/).map((part) => {
    if (part === '*') return '[^/]*'
    return part.startsWith('**') ? '.*' : part.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('')}$`, 's').test(place)
}

const matches = (entry: IgnoreEntry, id: string, { at }: ReportedFinding): boolean =>
  (id === entry.check || matchesGlob(id, entry.check)) && isAt(at, entry.at)

const inWords = ({ check, at, until }: IgnoreEntry): string =>
  `${check}${at === undefined ? '' : ` at ${at}`}${until === undefined ? '' : `, until ${until}`}`

/** What is ignored keeps its place in the report, with its reason, so that nobody takes it for health. */
export const ignoring = (checks: readonly CheckReport[], entries: readonly IgnoreEntry[], now: Date): Ignoring => {
  const today = now.toISOString().slice(0, 10)
  const isOver = ({ until }: IgnoreEntry): boolean => until !== undefined && until < today
  const valid = entries.filter((entry) => !isOver(entry))
  const used = new Set<IgnoreEntry>()
  const ignored: IgnoredFinding[] = []
  const left = checks.map((check) => {
    const findings = check.findings.filter((finding) => {
      const entry = valid.find((one) => matches(one, check.id, finding))
      if (entry === undefined) return true
      used.add(entry)
      const { at, says, severity } = finding
      const { target, id } = check
      const { reason, until } = entry
      ignored.push({
        check: id,
        ...(target === undefined ? {} : { target }),
        ...{ at, says, severity, reason },
        ...(until === undefined ? {} : { until }),
      })
      return false
    })
    const gone = check.findings.length - findings.length
    return gone === 0 ? check : { ...check, findings, ignored: gone }
  })
  return {
    checks: left,
    ignored,
    expired: entries.filter(isOver).map(inWords),
    unused: valid.filter((entry) => !used.has(entry)).map(inWords),
  }
}
