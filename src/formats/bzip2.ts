import { hasAt } from './bytes.ts'
import { broken, ended, type Format, type Peek, unknown, type Verdict } from './format.ts'

/** The square root of pi in decimals ends a stream, at any bit; four bytes of checksum follow, then up to seven bits of padding. */
const endOfStream = 0x177245385090n
const endBytes = 10

/** Where the last end of a stream in `bytes` is over, checksum and padding included; undefined without one. */
const lastEnd = (bytes: Uint8Array): number | undefined => {
  const held = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let last: number | undefined
  for (let shift = 0; shift < 8; shift += 1) {
    // The mark moved by `shift` bits spans 7 bytes; the 5 in the middle are its own alone.
    const moved = endOfStream << BigInt(8 - shift)
    const pattern = Buffer.from(moved.toString(16).padStart(14, '0'), 'hex')
    const middle = pattern.subarray(1, 6)
    for (let at = held.lastIndexOf(middle); at > 0; at = held.lastIndexOf(middle, at - 1)) {
      const [before = 0, after = 0] = [held[at - 1], held[at + 5]]
      const low = before & (0xff >> shift)
      const high = after & (0xff << (8 - shift)) & 0xff
      if (low !== (pattern[0] ?? 0) || (shift > 0 && high !== (pattern[6] ?? 0))) continue
      const end = at - 1 + endBytes + (shift > 0 ? 1 : 0)
      if (end <= held.length && end > (last ?? 0)) last = end
      break
    }
  }
  return last
}

const begins = (bytes: Uint8Array, at: number): boolean => {
  const level = bytes[at + 3] ?? 0
  if (!hasAt(bytes, at, 'BZh') || level < 0x31 || level > 0x39) return false
  return (
    hasAt(bytes, at + 4, [0x31, 0x41, 0x59, 0x26, 0x53, 0x59]) ||
    hasAt(bytes, at + 4, [0x17, 0x72, 0x45, 0x38, 0x50, 0x90])
  )
}

const judge = (file: Peek): Verdict => {
  const { tail } = file
  const end = lastEnd(tail)
  if (end === undefined) return broken('its last 64 KiB hold no end of a stream')
  const rest = tail.subarray(end)
  if (rest.length === 0) return ended('it ends with the end of a stream')
  const next = 'BZh'.slice(0, rest.length)
  if (hasAt(rest, 0, next)) return broken('its last stream has no end')
  return ended(`its last stream has an end, and ${rest.length} bytes follow`)
}

export const bzip2: Format = {
  id: 'bzip2',
  title: 'a bzip2 file',
  names: ['.bz2', '.tbz2', '.tbz'],
  // Four bytes of header, and the end of a stream.
  least: 14,
  recognises: (head, size) => begins(head, 0) || (size < 10 && hasAt(head, 0, 'BZh')),
  judge: async (file) => {
    if (!hasAt(file.head, 0, 'BZh')) return unknown('it is no bzip2 file')
    return judge(file)
  },
}
