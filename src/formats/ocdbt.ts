import { crc32c } from '../crc32c.ts'
import { againstSize } from './against-size.ts'
import { hasAt, u32le, u64le } from './bytes.ts'
import { broken, complete, type Format, unknown } from './format.ts'

const mark = [0x0c, 0xdb, 0x3a, 0x2a]
/** Mark and length, then at least a version, a compression and the checksum. */
const leastBytes = 18
const checksumBytes = 4
/** The checksum is taken in pieces. */
const piece = 4 * 1024 ** 2

/** Orbax's checkpoints keep their arrays in such a store: its manifest tells its own length (tensorstore, kvstore/ocdbt/format). */
export const ocdbt: Format = {
  id: 'ocdbt',
  title: 'a manifest of OCDBT',
  names: ['manifest.ocdbt'],
  least: leastBytes,
  recognises: (head) => hasAt(head, 0, mark),
  async judge(file) {
    if (!hasAt(file.head, 0, mark)) return unknown('the mark of OCDBT is not there')
    return againstSize(file.size, u64le(file.head, mark.length), 'it tells that it reaches to')
  },
  async prove(file) {
    if (!hasAt(file.head, 0, mark)) return unknown('the mark of OCDBT is not there')
    const end = u64le(file.head, mark.length) - checksumBytes
    let sum = 0
    for (let at = 0; at < end; at += piece) sum = crc32c(await file.exactly(at, Math.min(piece, end - at)), sum)
    return sum === u32le(await file.exactly(end, checksumBytes), 0)
      ? complete('its checksum agrees')
      : broken('its checksum differs')
  },
}
