import { createInflateRaw } from 'node:zlib'
import { hasAt, isZero, u16le, u32le } from './bytes.ts'
import { broken, CutShort, complete, ended, type Format, type Peek, unknown, type Verdict } from './format.ts'
import { headBytes } from './peek.ts'
import { unpack } from './unpack.ts'

/** RFC 1952, section 2.3: marks, flags, the fixed header of 10 bytes and the trailer of 8. */
const mark = '\x1f\x8b\x08'
const fixed = 10
const trailer = 8
const [headerCrc, extra, name, comment] = [2, 4, 8, 16]
const reserved = 0xe0
/** A name or a comment may have any length; none in use is longer. */
const mostText = 64 * 1024

const begins = (bytes: Uint8Array): boolean => hasAt(bytes, 0, mark) && ((bytes[3] ?? reserved) & reserved) === 0

/** Where the packed data of the member at `at` begins; undefined where its header does not end within 64 KiB. */
const dataOf = async (file: Peek, at: number): Promise<number | undefined> => {
  const flags = (await file.exactly(at, fixed))[3] ?? 0
  let data = at + fixed
  if ((flags & extra) !== 0) data += 2 + u16le(await file.exactly(data, 2), 0)
  for (const flag of [name, comment]) {
    if ((flags & flag) === 0) continue
    const text = await file.read(data, mostText)
    const zero = text.indexOf(0)
    if (zero === -1 && text.length < mostText) throw new CutShort(data + text.length + 1)
    if (zero === -1) return undefined
    data += zero + 1
  }
  return (flags & headerCrc) !== 0 ? data + 2 : data
}

/** Unpacks every member and compares its checksum and size. */
const prove = async (file: Peek): Promise<Verdict> => {
  if (!begins(file.head)) return unknown('it is no gzip file')
  let at = 0
  for (;;) {
    const data = await dataOf(file, at)
    if (data === undefined) return unknown('the header of a member does not end')
    const got = await unpack(createInflateRaw(), file, data, Math.max(0, file.size - data))
    if (got.state === 'cut') return broken('its packed data has no end')
    if (got.state === 'damaged') return broken('its packed data cannot be unpacked')
    const end = data + got.consumed
    const sums = await file.exactly(end, trailer)
    if (u32le(sums, 0) !== got.crc) return broken('what it unpacks to does not match its CRC-32')
    if (u32le(sums, 4) !== got.bytes % 2 ** 32) return broken('what it unpacks to does not have the size that it tells')
    at = end + trailer
    if (at === file.size) return complete('it unpacks to its end, and its checksums match')
    const rest = await file.read(at, fixed)
    const cut = rest.length < fixed && hasAt(rest, 0, mark.slice(0, rest.length))
    if (!begins(rest) && !cut) {
      const what = isZero(rest) ? 'zeros' : 'bytes'
      return ended(`it unpacks to its end and its checksums match; ${file.size - at} ${what} follow`)
    }
  }
}

export const gzip: Format = {
  id: 'gzip',
  title: 'a gzip file',
  names: ['.gz', '.tgz'],
  // Header, an empty block of two bytes, trailer.
  least: 20,
  recognises: begins,
  judge: async (file, called) => {
    if (!begins(file.head)) {
      const short = file.size < fixed && hasAt(file.head, 0, mark.slice(0, file.size))
      return short ? broken('its header has no end', fixed) : unknown(`it is no gzip file, whatever ${called} says`)
    }
    // What was read as a whole anyway costs nothing more to unpack.
    if (file.size <= 2 * headBytes) return prove(file)
    return unknown(`only unpacking all of it tells: nothing in the last ${headBytes / 1024} KiB of a gzip file does`)
  },
  prove,
}
