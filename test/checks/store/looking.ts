import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
import type { Check, Gap, Limit, Touches } from '../../../src/check.ts'
import type { Needed } from '../../../src/needs/needed.ts'
import { openers } from '../../../src/needs/openers.ts'
import type { CheckReport } from '../../../src/report.ts'
import { runChecks, Scope } from '../../../src/run.ts'
import { settingsWith } from '../../stores/s3-settings.ts'

export interface Looked {
  readonly report: CheckReport
  readonly gaps: readonly string[]
  readonly limits: readonly Limit[]
  /** What could not be cleaned up. */
  readonly failures: readonly unknown[]
}

/** Runs one check with the real openers on an artifact location, as `check` would with these variables. */
export const look = async (
  check: Check,
  env: Readonly<Record<string, string>>,
  location: string,
  options: { readonly mayTouch?: Touches; readonly trackingUri?: string } = {},
): Promise<Looked> => {
  const home = await mkdtemp(join(tmpdir(), 'look-'))
  settingsWith(env)
  const context: Needed = {
    host: { env: { USER: 'me', ...env }, cwd: home, home, platform: 'linux', ask: undefined },
    ...(options.trackingUri === undefined ? {} : { trackingUri: options.trackingUri }),
    trustedHosts: [],
    orphanAgeMs: 0,
  }
  const { signal } = new AbortController()
  const target = { name: location, kind: 'uri', artifactUri: location }
  const all = new Map(openers.map((one) => [one.need.name, one]))
  const scope = new Scope<Needed>(all, { context, signal }, undefined, new Map([['target', { value: target }]]))
  try {
    const outcome = await runChecks(
      {
        checks: [check],
        openers,
        context,
        signal,
        timeoutMs: 60_000,
        mayTouch: options.mayTouch ?? 'writes',
        severity: new Map(),
        docs: (id) => id,
        progress: () => {},
      },
      scope,
      undefined,
    )
    const failures = await scope.close()
    const [report] = outcome.checks
    if (report === undefined) throw new Error('no report')
    return { report, gaps: outcome.gaps.map(({ because }: Gap) => because), limits: outcome.limits, failures }
  } finally {
    // The lab finds its caches below the real home.
    vi.unstubAllEnvs()
    await rm(home, { recursive: true, force: true })
  }
}
