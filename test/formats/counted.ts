import type { RangeSource } from '../../src/formats/format.ts'

export interface CountedSource extends RangeSource {
  readonly reads: { readonly offset: number; readonly length: number }[]
}

/** Bytes in memory as a source that notes what is read; asking past the end is noted, too, and gives fewer bytes. */
export const counted = (bytes: Uint8Array): CountedSource => {
  const reads: CountedSource['reads'] = []
  return {
    size: bytes.length,
    reads,
    read: async (offset, length) => {
      reads.push({ offset, length })
      return bytes.subarray(offset, offset + length)
    },
  }
}

/** Bytes that repeat nothing nearby and hold no zeros. */
export const noise = (length: number, seed = 1): Uint8Array => {
  const bytes = new Uint8Array(length)
  let state = seed
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    bytes[at] = ((state >>> 16) % 255) + 1
  }
  return bytes
}
