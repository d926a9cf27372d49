import type { Facts, FactValues, Need } from '../check.ts'

/** What opening a need gives: the value for checks, the figures for the report, and how to let go of it. */
export interface Opened<V = unknown, F extends Facts = Facts> {
  readonly value: V
  readonly facts?: FactValues<F>
  close?(): Promise<void> | void
}

/** What an opener may use. Opening another need through `open` shares it with every check that asks for it. */
export interface Opening<Context> {
  readonly context: Context
  readonly signal: AbortSignal
  open<V>(need: Need<string, V, Facts>): Promise<V>
  progress(says: string): void
  /** Runs when the scope ends, also after SIGINT, last registered first: how a canary is removed whatever happens. */
  onClose(undo: () => Promise<void> | void): void
}

/**
 * Opens one need. Throws `NotApplicable` when the question does not arise (its checks are skipped), `Trouble` when it
 * cannot be opened (its checks are blocked); anything else counts as a crash.
 */
export interface Opener<Context, N extends Need = Need> {
  readonly need: N
  open(opening: Opening<Context>): Promise<Opened<N extends Need<string, infer V, Facts> ? V : never>>
}

/** Identity; ties an opener's result to its need's value and facts. */
export const opener = <Context, V, F extends Facts>(
  need: Need<string, V, F>,
  open: (opening: Opening<Context>) => Promise<Opened<V, F>>,
): Opener<Context> => ({ need, open: open as Opener<Context>['open'] })
