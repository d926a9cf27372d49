/**
 * The runner: opens needs lazily and once per scope, calls the checks, and alone decides their states.
 * It knows no check and no store.
 */
import type { Active, Check, Facts, FactValues, Finding, Gap, Limit, Need, Severity, Touches } from './check.ts'
import { severities, touchOrder } from './check.ts'
import { NotApplicable, Trouble } from './errors.ts'
import type { Opened, Opener } from './needs/opener.ts'
import type { CheckReport, ReportedFinding } from './report.ts'
import { duration } from './words.ts'

export interface RunOptions<Context> {
  readonly checks: readonly Check[]
  readonly openers: readonly Opener<Context>[]
  readonly context: Context
  readonly signal: AbortSignal
  /** Milliseconds that one check may take on one target. */
  readonly timeoutMs: number
  /** They count from its last word of progress on, so that a long look is not cut short and a hang is. */
  readonly sinceProgress?: boolean
  /** Tells of wants that could not be opened: a check that passes without one has not looked at all that its title says. */
  readonly tellsWants?: boolean
  /** Checks that would touch more are skipped; wants that would are undefined. */
  readonly mayTouch: Touches
  readonly severity: ReadonlyMap<string, Severity>
  /** Where the explanation of a check is found. */
  docs(id: string): string
  progress(id: string, target: string | undefined, says: string | undefined): void
}

export interface Outcome {
  readonly checks: CheckReport[]
  readonly limits: Limit[]
  readonly gaps: Gap[]
  readonly active: Active[]
}

/** Set when the scope starts with needs that are open already, such as the target that is looked at, or that another scope opens for it. */
export type Preset = ReadonlyMap<string, Opened | ((progress: (says: string) => void) => Promise<Opened>)>

export const touchesOf = (check: Check): Touches =>
  touchOrder[Math.max(0, ...check.needs.map((need) => touchOrder.indexOf(need.touches)))] ?? 'nothing'

export const isPerTarget = (check: Check): boolean =>
  [...check.needs, ...check.wants].some((need) => need.scope === 'target')

export const exceeds = (touches: Touches, allowed: Touches) => touchOrder.indexOf(touches) > touchOrder.indexOf(allowed)

/** Milliseconds that removing one thing may take: after an interruption somebody waits for the end, else a server may still be storing it. */
const closingMs = { interrupted: 10_000, usual: 60_000 }

/**
 * Findings of one check on one target that are kept, some 20 MB of them; a manifest can name a million files that are not
 * there. One that is worse than all before it is always kept, since it may decide the exit code.
 */
const mostFindings = 20_000

/** The need that first could not be opened, of each trouble. */
const failedNeed = new WeakMap<Trouble, string>()

/** What a finding of this target rules out is not tried: each try would be refused after all its retries. */
const stoppedBy = (id: string, need: string): Trouble => {
  const trouble = new Trouble({
    kind: 'unsupported',
    what: `cannot look at ${need}`,
    why: `${id} found why`,
    todo: 'Mend that first',
  })
  failedNeed.set(trouble, need)
  return trouble
}

/** One lifetime of opened needs: the whole run, or one target within it. */
export class Scope<Context> {
  readonly #openers: ReadonlyMap<string, Opener<Context>>
  readonly #options: Pick<RunOptions<Context>, 'context' | 'signal'>
  readonly #parent: Scope<Context> | undefined
  readonly #opened = new Map<string, Promise<Opened>>()
  readonly #preset: Preset
  readonly #undo: (() => Promise<void> | void)[] = []
  /** One for each need that is being opened now. */
  readonly #pending = new Set<AbortController>()
  /** Names of needs that a finding says cannot be opened, and the id of its check. */
  readonly #stopped = new Map<string, string>()

  constructor(
    openers: ReadonlyMap<string, Opener<Context>>,
    options: Pick<RunOptions<Context>, 'context' | 'signal'>,
    parent?: Scope<Context>,
    preset: Preset = new Map(),
  ) {
    this.#openers = openers
    this.#options = options
    this.#parent = parent
    this.#preset = preset
  }

  open(need: Need, progress: (says: string) => void): Promise<Opened> {
    const present = this.#opened.get(need.name)
    if (present) return present
    const preset = this.#preset.get(need.name)
    if (preset) {
      const opened = typeof preset === 'function' ? preset(progress) : Promise.resolve(preset)
      this.#opened.set(need.name, opened)
      return opened
    }
    if (need.scope === 'run' && this.#parent) return this.#parent.open(need, progress)
    const by = need.scope === 'target' ? this.#stopped.get(need.name) : undefined
    const opening = by === undefined ? this.#begin(need, progress) : Promise.reject(stoppedBy(by, need.name))
    this.#opened.set(need.name, opening)
    return opening
  }

  async #begin(need: Need, progress: (says: string) => void): Promise<Opened> {
    const opener = this.#openers.get(need.name)
    if (!opener) throw new Error(`no opener for the need "${need.name}"`)
    const patience = new AbortController()
    this.#pending.add(patience)
    const signal = AbortSignal.any([this.#options.signal, patience.signal])
    const opening = opener.open({
      context: this.#options.context,
      signal,
      progress,
      open: async <V>(other: Need<string, V, Facts>) => (await this.open(other, progress)).value as V,
      onClose: (undo) => this.#undo.push(undo),
    })
    try {
      const opened = await untilAborted(opening, signal)
      const { close } = opened
      if (close) this.#undo.push(() => close.call(opened))
      return opened
    } catch (error) {
      // A need that another one opened on the way has noted itself before.
      if (error instanceof Trouble && !failedNeed.has(error)) failedNeed.set(error, need.name)
      if (!(error instanceof Stopped)) throw error
      // What opens after all is of no use to anybody any more.
      opening.then(({ close }) => close?.()).catch(() => undefined)
      throw new Trouble({
        kind: 'unreachable',
        what: `cannot look at ${need.name}`,
        why: 'it did not answer in time',
        todo: 'Try again, or give it longer with --timeout',
      })
    } finally {
      this.#pending.delete(patience)
    }
  }

  /** A finding of the check `id` says why these needs cannot be opened. */
  stop(needs: readonly string[], id: string): void {
    for (const need of needs) this.#stopped.set(need, id)
  }

  /** The check whose finding says already what this trouble says. */
  stopperOf(trouble: Trouble): string | undefined {
    const need = failedNeed.get(trouble)
    return (need === undefined ? undefined : this.#stopped.get(need)) ?? this.#parent?.stopperOf(trouble)
  }

  /** Stops waiting for whatever is being opened now, here and in the run: one silent server must not hold up the rest. */
  giveUp(): void {
    for (const patience of this.#pending) patience.abort()
    this.#parent?.giveUp()
  }

  /** The value of a need that was opened already; undefined when it was not, or could not be. */
  async opened<V>(need: Need<string, V, Facts>): Promise<V | undefined> {
    const preset = this.#preset.get(need.name)
    const given = typeof preset === 'object' ? Promise.resolve(preset) : undefined
    const opening = this.#opened.get(need.name) ?? given
    if (!opening) return need.scope === 'run' ? this.#parent?.opened(need) : undefined
    return opening.then(
      (opened) => opened.value as V,
      () => undefined,
    )
  }

  /** Undoes everything, last first; one failure keeps no other from running. Gives the failures back. */
  async close(): Promise<unknown[]> {
    for (const patience of this.#pending) patience.abort()
    await Promise.allSettled(this.#opened.values())
    const failures: unknown[] = []
    const patience = this.#options.signal.aborted ? closingMs.interrupted : closingMs.usual
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) {
      try {
        await Promise.race([undo(), rejectAfter(patience)])
      } catch (error) {
        failures.push(error)
      }
    }
    // What several parts of a run see to is tried once, and its failure told once.
    return [...new Set(failures)]
  }
}

const rejectAfter = (ms: number): Promise<never> =>
  new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`not cleaned up within ${ms} ms`)), ms).unref()
  })

/** Runs every check that belongs to this scope, one after the other, so that probes do not disturb each other's figures. */
export const runChecks = async <Context>(
  options: RunOptions<Context>,
  scope: Scope<Context>,
  target: string | undefined,
): Promise<Outcome> => {
  const outcome: Outcome = { checks: [], limits: [], gaps: [], active: [] }
  for (const check of options.checks) {
    if (options.signal.aborted) break
    outcome.checks.push(await runOne(options, scope, check, target, outcome))
  }
  return outcome
}

class Stopped extends Error {}

const runOne = async <Context>(
  options: RunOptions<Context>,
  scope: Scope<Context>,
  check: Check,
  target: string | undefined,
  outcome: Outcome,
): Promise<CheckReport> => {
  const began = performance.now()
  const findings: ReportedFinding[] = []
  const limits: Limit[] = []
  const gaps: Gap[] = []
  const active: Active[] = []
  let worst = -1
  let untold = 0
  const measured: Record<string, string | number | boolean> = {}
  const done = (state: CheckReport['state'], reason?: string, blockedBy?: string): CheckReport => {
    options.progress(check.id, target, undefined)
    return {
      id: check.id,
      title: check.title,
      ...(target === undefined ? {} : { target }),
      state,
      ms: Math.round(performance.now() - began),
      ...(reason === undefined ? {} : { reason }),
      ...(blockedBy === undefined ? {} : { blockedBy }),
      ...(Object.keys(measured).length > 0 ? { measured } : {}),
      ...(gaps.length > 0 && { gaps: gaps.length }),
      // A copy: a check that was stopped may still be running, and what it finds now comes too late.
      findings: [...findings],
    }
  }
  if (exceeds(touchesOf(check), options.mayTouch)) {
    const because = `it ${touchesOf(check)}, and --read-only allows only what ${options.mayTouch}`
    outcome.gaps.push({
      kind: 'gap',
      at: target ?? 'the planned upload',
      cannot: 'see',
      because: `${check.id} was left out, because ${because}; not known, therefore: ${check.title}`,
      unexpected: false,
    })
    return done('skipped', because)
  }
  const { signal: time, ...timer } = timeLimit(options.timeoutMs)
  const progress = (says: string) => {
    if (options.sinceProgress) timer.again()
    options.progress(check.id, target, says)
  }
  progress(`${check.id} …`)
  const signal = AbortSignal.any([options.signal, time])
  try {
    const work = async () => {
      const on = await openAll(scope, check, options.mayTouch, measured, progress, ({ name }, { kind, why }) => {
        if (!options.tellsWants) return
        const because = `${name} could not be looked at: ${why}`
        gaps.push({ kind: 'gap', at: target ?? 'this run', cannot: 'see', because, unexpected: kind !== 'unsupported' })
      })
      for await (const item of check.run({ ...on, signal, progress } as never)) {
        if (item.kind === 'finding') {
          const one = reported(item, check, options)
          const weight = severities.indexOf(one.severity)
          if (findings.length < mostFindings || weight > worst) findings.push(one)
          else untold += 1
          worst = Math.max(worst, weight)
          scope.stop(item.stops ?? [], check.id)
        } else if (item.kind === 'limit') limits.push(item)
        else if (item.kind === 'gap') gaps.push(item)
        else active.push(item)
      }
    }
    await untilAborted(work(), signal)
    if (untold > 0) {
      const because = `${check.id} found ${untold} more like those that are listed`
      gaps.push({ kind: 'gap', at: target ?? 'this run', cannot: 'see', because, unexpected: false })
    }
    outcome.limits.push(...limits)
    outcome.gaps.push(...gaps)
    outcome.active.push(...active)
    return done(findings.length > 0 ? 'found' : 'ok')
  } catch (error) {
    if (options.signal.aborted) return done('skipped', 'interrupted')
    if (time.aborted) {
      scope.giveUp()
      const missed = options.sinceProgress ? 'progress' : 'result'
      return done('crashed', `no ${missed} within ${duration(options.timeoutMs)}; a longer --timeout may help`)
    }
    if (error instanceof NotApplicable) return done('skipped', error.message)
    // What was found before the trouble stays found: the state says that the look is not complete.
    if (error instanceof Trouble) return done('blocked', error.message, scope.stopperOf(error))
    return done('crashed', error instanceof Error ? (error.stack ?? error.message) : String(error))
  } finally {
    timer.stop()
  }
}

const timeLimit = (ms: number) => {
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), ms)
  timer.unref()
  return { signal: over.signal, again: () => void timer.refresh(), stop: () => clearTimeout(timer) }
}

const untilAborted = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const stop = () => reject(new Stopped())
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })

const openAll = async <Context>(
  scope: Scope<Context>,
  check: Check,
  mayTouch: Touches,
  measured: Record<string, string | number | boolean>,
  progress: (says: string) => void,
  missed: (want: Need, why: Trouble) => void,
): Promise<Record<string, unknown>> => {
  const on: Record<string, unknown> = {}
  for (const need of check.needs) {
    const opened = await scope.open(need, progress)
    on[need.name] = opened.value
    for (const [name, value] of Object.entries((opened.facts ?? {}) as FactValues<Facts>)) {
      if (value !== undefined) measured[name] = value
    }
  }
  for (const want of check.wants) {
    on[want.name] = undefined
    if (exceeds(want.touches, mayTouch)) continue
    try {
      on[want.name] = (await scope.open(want, progress)).value
    } catch (error) {
      if (error instanceof Trouble) missed(want, error)
      else if (!(error instanceof NotApplicable)) throw error
    }
  }
  return on
}

const reported = <Context>(finding: Finding, check: Check, options: RunOptions<Context>): ReportedFinding => {
  const own = finding.severity ?? check.severity
  // A finding may lower the check's severity, never raise it; the user may set it either way.
  const lowered = severities.indexOf(own) < severities.indexOf(check.severity) ? own : check.severity
  const { at, says, facts, remedy, wants } = finding
  return {
    at,
    says,
    severity: options.severity.get(check.id) ?? lowered,
    facts,
    remedy: { ...remedy, docs: options.docs(check.id) },
    ...(wants ? { wants } : {}),
  }
}
