import { crc32 as crc32Of } from 'node:zlib'
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
