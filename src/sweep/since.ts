/** `--since`: only what changed lately. */
import type { Session } from '../commands/session.ts'
import { parseTime } from '../commands/sizes.ts'
import { Trouble } from '../errors.ts'
import type { StoredFile } from '../stores/store.ts'
import type { Owner } from './owners.ts'

/** Milliseconds that this machine's clock, the tracking server's and the store's may be apart; a run too many costs little. */
const slack = 10 * 60_000

/**
 * Milliseconds since the epoch. A duration before `now`, a time in ISO 8601, or `last`: the start of the last finished scan,
 * undefined where none was finished, so that all is looked at. @throws Trouble `usage`
 */
export const parseSince = (text: string, now: number, last: () => number | undefined): number | undefined => {
  if (text === 'last') return last()
  if (/^[\d.]+ *[a-z]+$/i.test(text)) return now - parseTime('--since', text)
  const at = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/.test(text)
    ? Date.parse(text)
    : Number.NaN
  if (Number.isFinite(at)) return at
  throw new Trouble({
    kind: 'usage',
    what: `cannot use --since ${text}`,
    why: 'it is not understood',
    todo: 'Give a duration such as 7d or 12h, a time such as 2026-03-01 or 2026-03-01T08:00Z, or last',
  })
}

export interface Since {
  readonly from: number
  /**
   * Whether the run or model, or one of its objects, changed since. What is not settled, such as a run that did not end or a
   * model that is not READY, counts as changed: with time alone it becomes abandoned. So does what nothing tells of.
   */
  changed(owner: Owner, files?: ReadonlyMap<string, StoredFile>): boolean
  changedFiles(files: ReadonlyMap<string, StoredFile>): boolean
}

export const sinceOf = (from: number): Since => {
  const edge = from - slack
  const newer = (time: number | undefined): boolean => time !== undefined && time >= edge
  return {
    from,
    changed(owner, files = new Map()) {
      const [times, settled] =
        'run' in owner
          ? [[owner.run.startedAt, owner.run.endedAt], owner.run.endedAt !== undefined]
          : [[owner.model.createdAt, owner.model.updatedAt], owner.model.status === 'READY']
      if (!settled || times.some(newer) || times.every((time) => time === undefined)) return true
      return [...files.values()].some(({ modified }) => newer(modified))
    },
    changedFiles: (files) => [...files.values()].some(({ modified }) => modified === undefined || newer(modified)),
  }
}

/** Says in `covered` what was left out. */
export const tellLeftOut = ({ gap }: Session, { from }: Since, at: string, what: string, places: number): void => {
  if (places === 0) return
  const because = `--since left it out: ${what} changed since ${new Date(from).toISOString()}`
  gap({ at, cannot: 'see', because, unexpected: false, ...(places > 1 && { more: places - 1 }) })
}
