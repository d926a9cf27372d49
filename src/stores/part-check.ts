import { crc32 as crc32Of } from 'node:zlib'
import { combineAll } from '../crc32.ts'
import { Trouble } from '../errors.ts'

/** For routes on which the other side is not given the CRC32 itself: refuses bytes that changed since they were summed. Throws `Trouble` (`unavailable`). */
export const requireCrc32 = (what: string, bytes: Uint8Array, crc32: number): void => {
  if (crc32Of(bytes) === crc32) return
  throw new Trouble({
    kind: 'unavailable',
    what,
    why: 'its bytes do not have the checksum that they had when they were read',
    todo: 'Read the part again; if this comes back, test the memory of this machine',
  })
}

/** For stores that are not given the CRC32 of the whole: refuses parts, in order, that do not add up to it. Throws `Trouble` (`unavailable`). */
export const requireWhole = (
  what: string,
  named: 'blocks' | 'parts',
  sorted: readonly { readonly crc32?: number; readonly size: number }[],
  crc32: number,
): void => {
  if (combineAll(sorted.map((part) => ({ crc32: part.crc32 ?? 0, size: part.size }))) === crc32) return
  const why = `its ${named} do not add up to the checksum of the file`
  throw new Trouble({ kind: 'unavailable', what, why, todo: 'Send it again' })
}
