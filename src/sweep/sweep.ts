/** What the looks of a broad scan share. */
import type { Keeping, Look, Session } from '../commands/session.ts'
import type { Experiment, Tracking } from '../mlflow/types.ts'
import type { Meter } from './meter.ts'
import type { Since } from './since.ts'
import type { ScanState } from './state.ts'

export interface Looking {
  readonly session: Session
  readonly signal: AbortSignal
  readonly meter: Meter
  readonly state: ScanState
  readonly since: Since | undefined
  /** Counts a look into the report, notes it as done under `key`, and closes it. */
  keep(look: Look, as: Keeping, key: string): Promise<void>
}

export interface Sweep extends Looking {
  readonly tracking: Tracking
  /** Whether objects of no run or model are told. */
  readonly stray: boolean
  /** Every experiment, the deleted ones included: some may lie below another's location. */
  others(): Promise<readonly Pick<Experiment, 'experimentId' | 'artifactLocation'>[]>
}

/**
 * A look that an interruption met is told, and not noted as done: what is written down by then holds nothing of it, and the
 * next run looks again. `looked` sees each look before it is closed.
 */
export const keeper =
  (session: Session, signal: AbortSignal, state: ScanState, looked: (look: Look) => Promise<void>): Looking['keep'] =>
  async (look, as, key) => {
    const isWhole = !signal.aborted
    if (!isWhole) await state.flush(session.results)
    try {
      await session.keep(look, as)
      await looked(look)
    } finally {
      await look.close()
    }
    if (isWhole) await state.partDone(key, () => session.results)
  }

export const openSweep = (looking: Looking, tracking: Tracking, stray: boolean): Sweep => {
  let others: ReturnType<Sweep['others']> | undefined
  const list = async () => {
    const all: Pick<Experiment, 'experimentId' | 'artifactLocation'>[] = []
    const leniency = { deleted: true, damaged: () => {} }
    for await (const { experimentId, artifactLocation } of tracking.experiments(looking.signal, leniency))
      all.push({ experimentId, artifactLocation })
    return all
  }
  return {
    ...looking,
    tracking,
    stray,
    others: () => {
      others ??= list()
      return others
    },
  }
}
