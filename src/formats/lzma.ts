import { u32le, u64le } from './bytes.ts'
import { type Format, unknown } from './format.ts'

const filled32 = 0xffffffff

/** The header of 13 bytes that XZ Utils' `lzma` format has: properties, a dictionary of 2^n or 2^n + 2^(n-1) bytes, a size or all ones. */
const begins = (head: Uint8Array): boolean => {
  if (head[0] !== 0x5d) return false
  const dictionary = u32le(head, 1)
  const round = Number.isInteger(Math.log2(dictionary)) || Number.isInteger(Math.log2(dictionary / 3))
  const size = u64le(head, 5)
  return (round || dictionary === filled32) && dictionary >= 4096 && (size >= 2 ** 63 || size < 2 ** 40)
}

export const lzma: Format = {
  id: 'lzma',
  title: 'an LZMA file',
  names: ['.lzma', '.tlz'],
  // Header, and the five bytes that a decoder begins with.
  least: 18,
  recognises: begins,
  judge: async () => unknown('it has neither an end mark that shows nor a checksum'),
}
