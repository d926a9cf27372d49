import { expect, test } from 'vitest'
import type { Check, Need, Yielded } from '../src/check.ts'
import { defineCheck, need } from '../src/check.ts'
import { NotApplicable, Trouble } from '../src/errors.ts'
import { type Opener, opener } from '../src/needs/opener.ts'
import { type RunOptions, runChecks, Scope } from '../src/run.ts'

const thing = need<string>()({ name: 'thing', touches: 'reads', scope: 'run', facts: { size: 'bytes' } })
const writing = need<string>()({ name: 'writing', touches: 'writes', scope: 'run', facts: {} })
const explain = { measures: '', breaks: '', remedy: '' }

const made = (run: () => AsyncIterable<Yielded>, more: { needs?: Need[]; wants?: Need[] } = {}): Check =>
  defineCheck({
    id: 'host/made',
    title: 'made',
    severity: 'warning',
    on: ['check'],
    needs: more.needs ?? [],
    wants: more.wants ?? [],
    facts: {},
    explain,
    run,
  })

const finding = (severity?: 'error' | 'info'): Yielded => ({
  kind: 'finding',
  at: 'a',
  says: 's',
  facts: {},
  remedy: { text: 'r.' },
  ...(severity ? { severity } : {}),
})

const run = async (checks: Check[], openers: Opener<undefined>[] = [], over: Partial<RunOptions<undefined>> = {}) => {
  const signal = over.signal ?? new AbortController().signal
  const options: RunOptions<undefined> = {
    checks,
    openers,
    context: undefined,
    signal,
    timeoutMs: 60_000,
    mayTouch: 'writes',
    severity: new Map(),
    docs: (id) => id,
    progress: () => {},
    ...over,
  }
  const scope = new Scope(new Map(openers.map((o) => [o.need.name, o])), { context: undefined, signal })
  const outcome = await runChecks(options, scope, undefined)
  return { outcome, failures: await scope.close() }
}

test('nothing yielded is healthy, and healthy figures are shown', async () => {
  const opens = opener<undefined, string, { size: 'bytes' }>(thing, async () => ({ value: 'v', facts: { size: 3 } }))
  const { outcome } = await run([made(async function* () {}, { needs: [thing] })], [opens])
  expect(outcome.checks[0]).toMatchObject({ state: 'ok', measured: { size: 3 } })
})

test('a need is opened once, however many checks name it, and closed after all of them', async () => {
  const log: string[] = []
  const opens = opener<undefined, string, { size: 'bytes' }>(thing, async ({ onClose }) => {
    log.push('open')
    onClose(() => void log.push('canary removed'))
    return { value: 'v', close: () => void log.push('close') }
  })
  const uses = made(
    async function* () {
      log.push('use')
      yield* []
    },
    { needs: [thing] },
  )
  await run([uses, uses], [opens])
  expect(log).toEqual(['open', 'use', 'use', 'close', 'canary removed'])
})

test.each([
  [
    new Trouble({ kind: 'denied', what: 'cannot open', why: 'it is locked', todo: 'Unlock it' }),
    'blocked',
    /it is locked/,
  ],
  [new NotApplicable('there is none'), 'skipped', /there is none/],
  [new TypeError('x is undefined'), 'crashed', /x is undefined/],
])('a need that fails with %s', async (error, state, reason) => {
  const opens = opener<undefined, string, { size: 'bytes' }>(thing, () => Promise.reject(error))
  const { outcome } = await run([made(async function* () {}, { needs: [thing] })], [opens])
  expect(outcome.checks[0]).toMatchObject({ state, reason: expect.stringMatching(reason) })
})

test('a check that is blocked for the reason that a finding gave points to it', async () => {
  const opens = opener<undefined, string, { size: 'bytes' }>(thing, () =>
    Promise.reject(new Trouble({ kind: 'unreachable', what: 'w', why: 'y', todo: 't' })),
  )
  const on = opener<undefined, string, Record<never, never>>(writing, async ({ open }) => ({
    value: await open(thing),
  }))
  const tells = made(async function* () {
    yield { ...finding(), stops: [thing.name] }
  })
  const asks = made(async function* () {}, { needs: [writing] })
  const { outcome } = await run([asks, tells, asks], [opens, on])
  // The first could not know yet.
  expect(outcome.checks.map(({ blockedBy }) => blockedBy)).toEqual([undefined, undefined, 'host/made'])
})

test('what a finding rules out for a target is not even tried', async () => {
  const below = need<string>()({ name: 'below', touches: 'writes', scope: 'target', facts: {} })
  let tried = 0
  const opens = opener<undefined, string, Record<never, never>>(below, async () => {
    tried += 1
    return { value: '' }
  })
  const tells = made(async function* () {
    yield { ...finding(), stops: [below.name] }
  })
  const { outcome } = await run([tells, made(async function* () {}, { needs: [below] })], [opens])
  expect(tried).toBe(0)
  expect(outcome.checks[1]).toMatchObject({ state: 'blocked', blockedBy: 'host/made' })
})

test('a want that fails blocks nothing', async () => {
  const opens = opener<undefined, string, { size: 'bytes' }>(thing, () => Promise.reject(new NotApplicable('none')))
  const { outcome } = await run([made(async function* () {}, { wants: [thing] })], [opens])
  expect(outcome.checks[0]?.state).toBe('ok')
})

test('a want that fails is told where checks must not pass without it', async () => {
  const refused = new Trouble({ kind: 'denied', what: 'w', why: 'it is forbidden', todo: 't' })
  const opens = opener<undefined, string, { size: 'bytes' }>(thing, () => Promise.reject(refused))
  const { outcome } = await run([made(async function* () {}, { wants: [thing] })], [opens], { tellsWants: true })
  expect(outcome.checks[0]?.state).toBe('ok')
  expect(outcome.gaps).toEqual([
    expect.objectContaining({ because: 'thing could not be looked at: it is forbidden', unexpected: true }),
  ])
})

test('of very many findings a report keeps as many as it can hold, the worst among them, and says how many there were', async () => {
  const endless = made(async function* () {
    for (let n = 0; n < 20_010; n += 1) yield finding('info')
    yield finding()
    yield finding('info')
  })
  const { outcome } = await run([endless])
  expect(outcome.checks[0]?.findings).toHaveLength(20_001)
  expect(outcome.checks[0]?.findings.at(-1)?.severity).toBe('warning')
  expect(outcome.gaps).toEqual([expect.objectContaining({ because: expect.stringContaining('11 more') })])
})

test('what was found before the trouble stays, and the look still counts as incomplete', async () => {
  const breaks = made(async function* () {
    yield finding()
    throw new Trouble({ kind: 'denied', what: 'w', why: 'y', todo: 't' })
  })
  const { outcome } = await run([breaks])
  expect(outcome.checks[0]).toMatchObject({ state: 'blocked', findings: [{ at: 'a' }] })
})

test('a check that exceeds what is allowed is skipped and opens nothing', async () => {
  let opened = false
  const opens = opener<undefined, string, Record<never, never>>(writing, async () => {
    opened = true
    return { value: 'v' }
  })
  const checks = [made(async function* () {}, { needs: [writing] }), made(async function* () {}, { wants: [writing] })]
  const { outcome } = await run(checks, [opens], { mayTouch: 'reads' })
  expect(outcome.checks.map((check) => check.state)).toEqual(['skipped', 'ok'])
  expect(outcome.gaps).toEqual([expect.objectContaining({ because: expect.stringMatching(/--read-only/) })])
  expect(opened).toBe(false)
})

test('a finding lowers its check’s severity, never raises it; the user may do both', async () => {
  const findings = made(async function* () {
    yield finding('info')
    yield finding('error')
  })
  const own = await run([findings])
  expect(own.outcome.checks[0]?.findings.map((f) => f.severity)).toEqual(['info', 'warning'])
  const users = await run([findings], [], { severity: new Map([['host/made', 'error']]) })
  expect(users.outcome.checks[0]?.findings.map((f) => f.severity)).toEqual(['error', 'error'])
})

test('a check that never ends is stopped and counts as crashed', async () => {
  const hangs = made(async function* () {
    await new Promise(() => {})
    yield finding()
  })
  const { outcome } = await run([hangs], [], { timeoutMs: 20 })
  expect(outcome.checks[0]).toMatchObject({ state: 'crashed', reason: expect.stringMatching(/--timeout/) })
})

test('where the time counts from the last progress, a long look that tells of it is not cut short, and a hang is', async () => {
  let now = () => {}
  const slow: Check = {
    ...made(async function* () {}),
    async *run({ progress }) {
      // Each pause alone is shorter than the limit, all of them together are longer.
      for (let n = 0; n < 8; n += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100))
        progress(`${n}`)
      }
      yield finding()
    },
  }
  const hangs: Check = {
    ...made(async function* () {}),
    async *run({ progress }) {
      progress('on it')
      await new Promise<void>((resolve) => {
        now = resolve
      })
      yield finding()
    },
  }
  const over = { timeoutMs: 600, sinceProgress: true }
  expect((await run([slow], [], over)).outcome.checks[0]).toMatchObject({ state: 'found' })
  const { outcome } = await run([hangs], [], over)
  expect(outcome.checks[0]).toMatchObject({ state: 'crashed', reason: expect.stringMatching(/no progress within/) })
  now()
})

test('an interruption ends the run and still closes what was opened', async () => {
  const abort = new AbortController()
  let closed = false
  const opens = opener<undefined, string, { size: 'bytes' }>(thing, async ({ onClose }) => {
    onClose(() => {
      closed = true
    })
    return { value: 'v' }
  })
  const interrupts = made(
    async function* () {
      abort.abort()
      await new Promise(() => {})
      yield finding()
    },
    { needs: [thing] },
  )
  const { outcome } = await run([interrupts, made(async function* () {})], [opens], { signal: abort.signal })
  expect(outcome.checks.map((check) => check.reason)).toEqual(['interrupted'])
  expect(closed).toBe(true)
})

test('a clean-up that fails is told and keeps no other from running', async () => {
  let closed = false
  const opens = opener<undefined, string, { size: 'bytes' }>(thing, async ({ onClose }) => {
    onClose(() => {
      closed = true
    })
    onClose(() => Promise.reject(new Error('still there')))
    return { value: 'v' }
  })
  const { failures } = await run([made(async function* () {}, { needs: [thing] })], [opens])
  expect(closed).toBe(true)
  expect(failures).toEqual([new Error('still there')])
})

test('what two undo and neither can is told once', async () => {
  const failed = Promise.reject(new Error('it stays'))
  const opener: Opener<undefined> = {
    need: thing,
    open: async ({ onClose }) => {
      for (let i = 0; i < 2; i += 1) onClose(() => failed)
      return { value: 'x' }
    },
  }
  const { failures } = await run([made(async function* () {}, { needs: [thing] })], [opener])
  expect(failures).toEqual([new Error('it stays')])
})

test('a need that never opens stops its check, blocks the others, and holds up neither the run nor its end', async () => {
  const hangs = opener<undefined, string, { size: 'bytes' }>(thing, () => new Promise(() => {}))
  const needs = made(async function* () {}, { needs: [thing] })
  const other = made(async function* () {})
  const { outcome, failures } = await run([needs, needs, other], [hangs], { timeoutMs: 30 })
  expect(outcome.checks.map(({ state }) => state)).toEqual(['crashed', 'blocked', 'ok'])
  expect(outcome.checks[1]?.reason).toMatch(/did not answer in time/)
  expect(failures).toEqual([])
})

test('what a stopped check finds later is not in its report', async () => {
  let later = () => {}
  const slow = made(async function* () {
    await new Promise<void>((resolve) => {
      later = resolve
    })
    yield finding()
  })
  const { outcome } = await run([slow], [], { timeoutMs: 20 })
  later()
  await new Promise((resolve) => setImmediate(resolve))
  expect(outcome.checks[0]?.findings).toEqual([])
})
