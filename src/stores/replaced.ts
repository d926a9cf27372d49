import { Trouble } from '../errors.ts'
import type { StoredFile } from './store.ts'

/** Whether two looks saw the same object. What a route does not tell, such as the time on a proxied one, is told by neither. */
export const sameObject = (a: StoredFile, b: StoredFile | undefined): boolean =>
  a.size === b?.size && a.etag === b.etag && a.modified === b.modified

/** For an object that somebody else wrote or removed after it was decided to replace it. */
export const changedSincePlan = (what: string, cause?: unknown): Trouble =>
  new Trouble({
    kind: 'conflict',
    what,
    why: 'what is stored has changed since the plan was made',
    todo: 'Run the same command again to plan again with what is there now',
    ...(cause === undefined ? {} : { cause }),
  })
