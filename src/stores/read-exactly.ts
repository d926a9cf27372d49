import { Trouble } from '../errors.ts'
import type { Store } from './store.ts'

/**
 * `length` bytes that the listing says are there. Fewer would be judged as if the file ended with them.
 * @throws Trouble `source-changed` when fewer come: the file became shorter since it was listed, or was cut on the way
 */
export const readExactly = async (
  from: Pick<Store, 'read'>,
  path: string,
  offset: number,
  length: number,
  signal?: AbortSignal,
): Promise<Uint8Array> => {
  const got = await from.read(path, offset, length, signal)
  if (got.length >= length) return got
  throw new Trouble({
    kind: 'source-changed',
    what: `cannot read ${JSON.stringify(path.slice(0, 200))}`,
    why: 'it gave fewer bytes than its listed size; it may be written to at this moment',
    todo: 'Look again when nothing writes to it',
  })
}
