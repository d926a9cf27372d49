import type { On } from '../../src/check.ts'
import type { loggedModel, orphanAge } from '../../src/needs/declarations.ts'
import { pending } from '../model/status.ts'

/** What a finding about absent bytes adds where they may yet come: a clause, or nothing. */
export const mayYetCome = (on: Pick<On<never, typeof loggedModel | typeof orphanAge>, 'loggedModel' | 'orphanAge'>) =>
  on.loggedModel !== undefined && on.orphanAge !== undefined && pending(on.loggedModel, on.orphanAge).young
    ? '; the model is PENDING, so its upload may still be in progress'
    : ''
