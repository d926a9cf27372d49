import type { CheckState } from '../src/report.ts'

/**
 * One case of one check: the values of its needs, and what must come of it. Lies in `fixtures/<id>/<case>.ts`;
 * the case's name begins with `healthy` or `broken`, and every check has at least one of each.
 */
export interface Fixture {
  /** By the need's name. A need that is left out is not applicable. May build real files in `scratch`, which is removed afterwards. */
  readonly needs: Readonly<Record<string, unknown>> | ((scratch: string) => Promise<Readonly<Record<string, unknown>>>)
  /** What the planned upload needs of a limit, in the limit's unit, as the forecast would say it to the limit's remedy. */
  readonly needed?: number
  readonly expect: {
    readonly state: CheckState
    /** Partial findings, in order and complete in number; strings compare exactly, patterns search. */
    readonly findings?: readonly Partially[]
    readonly limits?: readonly Partially[]
    readonly gaps?: readonly Partially[]
    readonly active?: readonly Partially[]
  }
}

export interface Partially {
  readonly [key: string]: unknown
}

/** Identity; gives the fixture its type. */
export const defineFixture = (fixture: Fixture): Fixture => fixture
