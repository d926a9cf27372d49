/** Looking at many stored files at once, and keeping count of those that could not be looked at. */
import { Trouble } from '../errors.ts'
import { atOnce, each } from './each.ts'

/** Failures of the line in a row after which the store counts as gone: one for each file that is under way. */
const mostInARow = atOnce

/** Why some files could not be judged or compared, with how many. */
export interface Untold {
  readonly because: string
  /** True where the route normally allows what was refused. */
  readonly unexpected: boolean
  readonly files: number
  /** The path of one of them. */
  readonly first: string
}

export interface Tally {
  add(path: string, because: string, unexpected: boolean): void
  readonly all: readonly Untold[]
}

export const tally = (): Tally => {
  const by = new Map<string, { because: string; unexpected: boolean; files: number; first: string }>()
  return {
    add: (path, because, unexpected) => {
      const before = by.get(because)
      if (before === undefined) by.set(because, { because, unexpected, files: 1, first: path })
      else {
        before.files += 1
        // Files are looked at side by side; the one that is named is the same in each run.
        if (path < before.first) before.first = path
      }
    },
    get all() {
      return [...by.values()]
    },
  }
}

const becauseOf = (error: Trouble): string =>
  error.kind === 'not-found' ? 'it has vanished since it was listed' : error.why

/**
 * Calls `act` for each file, several at a time. A file that the store refuses is noted and passed over, and so is one that
 * the line fails for, as long as others get through; what keeps every file from being looked at is thrown.
 */
export const sideBySide = async <T extends { readonly path: string }>(
  files: Iterable<T>,
  untold: Tally,
  signal: AbortSignal,
  act: (file: T) => Promise<void>,
): Promise<void> => {
  let inARow = 0
  const one = async (file: T): Promise<void> => {
    try {
      await act(file)
      inARow = 0
    } catch (error) {
      if (!(error instanceof Trouble)) throw error
      const ofThisFile = ['unsupported', 'denied', 'not-found', 'source-changed'].includes(error.kind)
      inARow += ofThisFile ? 0 : 1
      if (inARow >= mostInARow) throw error
      untold.add(file.path, becauseOf(error), error.kind !== 'unsupported')
    }
  }
  await each(files, async (file) => {
    signal.throwIfAborted()
    await one(file)
  })
}
