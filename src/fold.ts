/**
 * What many looks found, kept small: equal gaps and findings are told once, and in a broad scan the healthy results of all
 * targets are one entry for each check. Memory grows with what is wrong, not with what was looked at.
 */
import type { Active, Limit, Unit } from './check.ts'
import { FileRows } from './file-map.ts'
import type { CheckReport, FileMap, FileRow, ReportedFinding, ReportedGap } from './report.ts'
import type { Outcome } from './run.ts'

/** Everything that was told, as plain data: it is written down, and taken up again, as it is. */
export interface Told {
  readonly checks: readonly CheckReport[]
  readonly gaps: readonly ReportedGap[]
  readonly active: readonly Omit<Active, 'kind'>[]
  readonly files?: FileMap
}

/** `broad`: nobody reads a line for each of thousands of targets. */
export type Breadth = 'broad' | 'narrow'

type Measured = NonNullable<CheckReport['measured']>

/** Amounts add up; what is no amount stays where all agree. */
const sum = (one: Measured, other: Measured, units: Readonly<Record<string, Unit>>): Measured => {
  const total: Record<string, string | number | boolean> = {}
  for (const [name, value] of Object.entries(one)) {
    const also = other[name]
    const amount = units[name] === 'bytes' || units[name] === 'count'
    if (typeof value === 'number' && typeof also === 'number' && amount) total[name] = value + also
    else if (value === also) total[name] = value
  }
  return total
}

/** What neither could tell. */
const gapsOf = ({ gaps: one = 0 }: CheckReport, { gaps: other = 0 }: CheckReport) =>
  one + other > 0 ? { gaps: one + other } : {}

const keyOf = (...parts: readonly unknown[]): string => JSON.stringify(parts)

/** How bad a state is, for results that are one in the end: what one section found is not undone by the next. */
const weight: Readonly<Record<CheckReport['state'], number>> = { skipped: 0, ok: 1, found: 2, blocked: 3, crashed: 4 }

export class Fold {
  readonly #units: Readonly<Record<string, Unit>>
  readonly #checks = new Map<string, CheckReport>()
  readonly #gaps = new Map<string, ReportedGap>()
  readonly #active: Omit<Active, 'kind'>[] = []
  readonly #files: FileRows
  /** Where each finding was told first. */
  readonly #findings = new Map<string, string>()

  constructor(units: Readonly<Record<string, Unit>>, told?: Told) {
    this.#units = units
    this.#files = new FileRows(told?.files)
    for (const [n, check] of (told?.checks ?? []).entries()) {
      const key = check.targets === undefined ? placeOf(check) : isHealthy(check) ? healthyOf(check) : keyOf('told', n)
      this.#put(key, check, check.findings)
    }
    for (const gap of told?.gaps ?? []) this.#gaps.set(gapKey(gap), gap)
    this.#active.push(...(told?.active ?? []))
  }

  readonly limits: Limit[] = []

  /** Results of one target become one for each check; figures of `sections` of it add up. */
  add(outcome: Outcome, breadth: Breadth, sections = false): void {
    for (const check of outcome.checks) this.#check(check, breadth, sections)
    for (const { kind, ...gap } of outcome.gaps) this.gap(gap)
    for (const { kind, ...active } of outcome.active) this.#active.push(active)
    this.limits.push(...outcome.limits)
  }

  /** A gap that is like another one in all but its place is counted with it. */
  gap(gap: ReportedGap): void {
    const key = gapKey(gap)
    const before = this.#gaps.get(key)
    if (before === undefined) this.#gaps.set(key, gap)
    else if (before.at !== gap.at) this.#gaps.set(key, { ...before, more: (before.more ?? 0) + 1 + (gap.more ?? 0) })
  }

  /** What is known of the files of one target, or of a section of it. */
  files(rows: Iterable<FileRow>, breadth: Breadth): void {
    this.#files.add(rows, breadth === 'narrow')
  }

  get checks(): CheckReport[] {
    return [...this.#checks.values()]
  }

  get told(): Told {
    const files = this.#files.map
    return { checks: this.checks, gaps: [...this.#gaps.values()], active: this.#active, ...(files && { files }) }
  }

  #check(check: CheckReport, breadth: Breadth, sections: boolean): void {
    const known = check.findings.map((finding) => this.#findings.get(findingKey(check.id, finding)))
    const findings = check.findings.filter((_, n) => known[n] === undefined)
    // All of it was told of an earlier target, such as the bucket that they share.
    const same = check.state === 'found' && findings.length === 0 ? known[0] : undefined
    const folded = breadth === 'broad' && check.target !== undefined && isHealthy(check)
    const key = same ?? (folded ? healthyOf(check) : placeOf(check))
    const before = this.#checks.get(key)
    if (before === undefined) {
      const { target, ...rest } = check
      this.#put(key, folded ? { ...rest, targets: 1 } : { ...check, findings }, findings)
    } else if (folded || before.target !== check.target) this.#put(key, this.#counted(before, check), [])
    else this.#put(key, this.#joined(before, { ...check, findings }, sections), findings)
  }

  #put(key: string, check: CheckReport, findings: readonly ReportedFinding[]): void {
    this.#checks.set(key, check)
    for (const finding of findings) this.#findings.set(findingKey(check.id, finding), key)
  }

  /** One more target with the same result. */
  #counted({ target, ...before }: CheckReport, check: CheckReport): CheckReport {
    return {
      ...before,
      ms: before.ms + check.ms,
      ...(before.measured && { measured: sum(before.measured, check.measured ?? {}, this.#units) }),
      targets: (before.targets ?? 1) + 1,
      ...gapsOf(before, check),
    }
  }

  /** The same target again, or one more section of it. */
  #joined(before: CheckReport, check: CheckReport, sections: boolean): CheckReport {
    const worst = weight[check.state] > weight[before.state] ? check : before
    const measured =
      sections && before.measured && check.measured
        ? sum(before.measured, check.measured, this.#units)
        : (before.measured ?? check.measured)
    return {
      ...worst,
      ms: before.ms + check.ms,
      ...(measured && { measured }),
      ...gapsOf(before, check),
      findings: [...before.findings, ...check.findings],
    }
  }
}

const isHealthy = ({ state }: CheckReport): boolean => state === 'ok' || state === 'skipped'
const healthyOf = ({ id, state }: CheckReport): string => keyOf(id, state)
const placeOf = ({ id, target }: CheckReport): string => keyOf(id, 'of', target)

const gapKey = ({ at, more, ...rest }: ReportedGap): string =>
  keyOf(rest.cannot, rest.because, rest.unexpected, rest.about)

const findingKey = (id: string, { at, says }: ReportedFinding): string => keyOf(id, at, says)
