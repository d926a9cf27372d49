import { crc32 } from 'node:zlib'
import { hasAt, u32le } from './bytes.ts'
import { broken, complete, ended, type Format, type Peek, unknown, type Verdict } from './format.ts'

/** "The .xz File Format" 1.2.1: sizes of header and footer (2.1.1, 2.1.2), and their marks. */
const edge = 12
const mark = '\xfd7zXZ\x00'
/** Streams in one file, and bytes of one index, that are looked at. */
const mostStreams = 48
const mostIndex = 8 * 1024 ** 2

const paddingRead = 64 * 1024

const padded = (bytes: number): number => Math.ceil(bytes / 4) * 4

/** Sum of the blocks that an index lists (section 4); undefined where it is damaged. */
const blocksOf = (index: Uint8Array): number | undefined => {
  const end = index.length - 4
  if (index[0] !== 0 || crc32(index.subarray(0, end)) !== u32le(index, end)) return undefined
  let at = 1
  const integer = (): number => {
    let value = 0
    for (let shift = 0; shift < 9; shift += 1) {
      const byte = at < end ? index[at] : undefined
      if (byte === undefined) return Number.NaN
      at += 1
      value += (byte & 0x7f) * 128 ** shift
      if (byte < 0x80) return value
    }
    return Number.NaN
  }
  const records = integer()
  let sum = 0
  for (let record = 0; record < records; record += 1) {
    const unpadded = integer()
    integer()
    if (Number.isNaN(unpadded)) return undefined
    sum += padded(unpadded)
  }
  return Number.isNaN(records) ? undefined : sum
}

const isFooter = (bytes: Uint8Array, at: number): boolean =>
  hasAt(bytes, at + 10, 'YZ') && crc32(bytes.subarray(at + 4, at + 10)) === u32le(bytes, at)

/** The end of the last footer in the tail; padding and other bytes may follow. */
const lastFooter = (file: Peek): number | undefined => {
  for (let end = file.tail.length; end >= edge; end -= 1) {
    if (isFooter(file.tail, end - edge)) return file.size - file.tail.length + end
  }
  return undefined
}

/** Where the zeros begin that may stand between streams, by whole words (section 2.2). */
const beforePadding = async (file: Peek, end: number): Promise<number> => {
  for (let at = end; at >= edge; ) {
    const length = Math.min(paddingRead, at)
    const last = (await file.read(at - length, length)).findLastIndex((byte) => byte !== 0)
    if (last >= 0) return end - Math.floor((end - (at - length + last + 1)) / 4) * 4
    at -= length
  }
  return end
}

const judge = async (file: Peek): Promise<Verdict> => {
  const end = lastFooter(file)
  if (end === undefined) return broken('its last 64 KiB hold no end of a stream')
  const rest = file.tail.subarray(file.tail.length - (file.size - end))
  // Zeros may stand between streams (section 2.2).
  const data = rest.findIndex((byte) => byte !== 0)
  if (data !== -1 && hasAt(rest, data, mark.slice(0, rest.length - data))) return broken('its last stream has no end')
  let at = end
  for (let streams = 1; streams <= mostStreams; streams += 1) {
    const footer = await file.read(at - edge, edge)
    if (!isFooter(footer, 0)) return broken(`no stream ends at byte ${at}, where the next one begins`)
    const indexBytes = (u32le(footer, 4) + 1) * 4
    const indexAt = at - edge - indexBytes
    if (indexAt < edge) return broken(`its index would be ${indexBytes} bytes long`)
    if (indexBytes > mostIndex) return ended('its index is too large to be read')
    const blocks = blocksOf(await file.exactly(indexAt, indexBytes))
    if (blocks === undefined) return broken('its index does not match its CRC-32')
    const start = indexAt - blocks - edge
    if (start < 0) return broken(`${-start} bytes of its blocks are missing`, file.size - start)
    const header = await file.exactly(start, edge)
    if (!hasAt(header, 0, mark)) return broken(`no stream begins at byte ${start}, where its index has one`)
    if (crc32(header.subarray(6, 8)) !== u32le(header, 8)) return broken('its stream header does not match its CRC-32')
    if (start === 0) {
      return data !== -1
        ? ended(`its index adds up, and ${rest.length} bytes follow`)
        : complete('its index adds up to its size')
    }
    at = start
    at = await beforePadding(file, at)
  }
  return ended(`its last ${mostStreams} streams add up`)
}

export const xz: Format = {
  id: 'xz',
  title: 'an xz file',
  names: ['.xz', '.txz'],
  // Header, an index without blocks, footer.
  least: 32,
  recognises: (head) => hasAt(head, 0, mark),
  judge: async (file) => (hasAt(file.head, 0, mark) ? judge(file) : unknown('it is no xz file')),
}
