import type { LifecycleRule } from './bucket.ts'

/** A lifecycle rule that aborts unfinished uploads, and where it belongs among others. */

/** Long enough for an upload over a slow line and for repair to go on with one that broke off; AWS's own example has 7, too. */
export const abortAfterDays = 7

/** A name that no rule has yet. */
const freeId = (rules: readonly LifecycleRule[]): string => {
  const taken = new Set(rules.map(({ ID }) => ID))
  const name = 'abort-unfinished-uploads'
  for (let n = 1; ; n += 1) {
    const id = n === 1 ? name : `${name}-${n}`
    if (!taken.has(id)) return id
  }
}

/** The folder that the runs and models of an experiment share, by the layout of MLflow 3.17.2: one rule is for all of them. */
export const sharedFolder = (prefix: string): string =>
  prefix.replace(/(?:^|\/)(?:models\/m-[^/]+|[0-9a-f]{32})\/artifacts(?:\/.*)?$/, '')

/** The rule for everything below `root`, under a name and in a form that fit the rules that are there. */
export const abortRule = (rules: readonly LifecycleRule[], root: string): LifecycleRule => {
  const below = root === '' ? '' : `${root}/`
  // The old form of rules and the new one cannot stand side by side.
  const old = rules.some((rule) => rule.Filter === undefined && rule.Prefix !== undefined)
  return {
    ID: freeId(rules),
    Status: 'Enabled',
    ...(old ? { Prefix: below } : { Filter: { Prefix: below } }),
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: abortAfterDays },
  }
}
