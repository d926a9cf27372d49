/** Where a zip's directory lies and what it lists (PKWARE APPNOTE 6.3.10, sections 4.3.12 to 4.3.16), prefixes and trailing bytes included. */
import { hasAt, u16le, u32le, u64le } from './bytes.ts'
import type { Peek } from './format.ts'

const MiB = 1024 ** 2
const pieceBytes = 4 * MiB
/** End records that are tried: a comment, or what follows the archive, may hold their mark any number of times. */
const mostEnds = 64
/** Fixed bytes of the end record, its 64-bit forerunner and the pointer to that, and of headers in the directory and before each entry. */
const endBytes = 22
const end64Bytes = 56
const locatorBytes = 20
const centralBytes = 46
export const localBytes = 30
const filled16 = 0xffff
const filled32 = 0xffffffff

export const localMark = 'PK\x03\x04'

export interface ZipEnd {
  /** Where the end record, or its 64-bit forerunner, begins: the directory ends there. */
  readonly directoryEnd: number
  readonly directoryBytes: number
  /** Entries, as far as the record tells: it counts modulo 65,536 where it has no 64-bit forerunner. */
  readonly entries: number
  readonly wide: boolean
  /** Bytes before the archive; below zero where bytes of it are missing. */
  readonly base: number
  /** Where the archive ends with its comment. */
  readonly end: number
  /** Of several parts, of which this is one. */
  readonly split: boolean
  /** The directory begins with an entry, or is empty. */
  readonly begins: boolean
}

export interface ZipEntry {
  /** Of its local header, from the beginning of the archive. */
  readonly offset: number
  readonly method: number
  readonly encrypted: boolean
  readonly crc: number
  readonly packed: number
  readonly unpacked: number
}

const endAt = async (file: Peek, at: number): Promise<ZipEnd | undefined> => {
  const record = await file.read(at, endBytes)
  if (record.length < endBytes) return undefined
  let directoryEnd = at
  let entries = u16le(record, 10)
  let directoryBytes = u32le(record, 12)
  let directoryOffset = u32le(record, 16)
  let disks = [u16le(record, 4), u16le(record, 6)]
  let wide = false
  const locator = at >= locatorBytes ? await file.read(at - locatorBytes, locatorBytes) : new Uint8Array()
  if (hasAt(locator, 0, 'PK\x06\x07')) {
    // Its usual place first: the offset in the locator does not count a prefix, and the record may carry extensible data.
    for (const place of [at - locatorBytes - end64Bytes, u64le(locator, 8)]) {
      if (place < 0 || place > at - locatorBytes - end64Bytes) continue
      const wider = await file.read(place, end64Bytes)
      if (!hasAt(wider, 0, 'PK\x06\x06')) continue
      directoryEnd = place
      entries = u64le(wider, 32)
      directoryBytes = u64le(wider, 40)
      directoryOffset = u64le(wider, 48)
      disks = [u32le(wider, 16), u32le(wider, 20)]
      wide = true
      break
    }
  }
  const start = directoryEnd - directoryBytes
  const begins =
    directoryBytes === 0
      ? entries === 0
      : start >= 0 && directoryBytes >= centralBytes && hasAt(await file.read(start, 4), 0, 'PK\x01\x02')
  return {
    directoryEnd,
    directoryBytes,
    entries,
    wide,
    base: start - directoryOffset,
    end: at + endBytes + u16le(record, 20),
    split: disks.some((disk) => disk !== 0 && disk !== filled16 && disk !== filled32),
    begins,
  }
}

/** The less, the likelier it is the archive's own end record, and not one that lies in a comment or in a stored archive. */
const oddness = (found: ZipEnd, size: number): number =>
  (found.begins ? 0 : 16) +
  (found.end > size ? 8 : 0) +
  (found.directoryBytes === 0 && found.base !== 0 ? 4 : 0) +
  (found.base === 0 ? 0 : 2) +
  (found.end === size ? 0 : 1)

/** The archive's end record; undefined where the last 64 KiB hold none. */
export const findEnd = async (file: Peek): Promise<ZipEnd | undefined> => {
  const { tail, size } = file
  const start = size - tail.length
  let best: ZipEnd | undefined
  // Those whose comment ends the file first: what follows an archive, or lies in a comment, hardly ever does.
  for (const closing of [true, false]) {
    let tried = 0
    for (let at = tail.length - endBytes; at >= 0 && tried < mostEnds; at -= 1) {
      if (tail[at] !== 0x50 || !hasAt(tail, at, 'PK\x05\x06')) continue
      if ((at + endBytes + u16le(tail, at + 20) === tail.length) !== closing) continue
      tried += 1
      const found = await endAt(file, start + at)
      if (found === undefined) continue
      if (best === undefined || oddness(found, size) < oddness(best, size)) best = found
      if (oddness(best, size) === 0) return best
    }
  }
  return best
}

/** The values that stand in the 64-bit extra field in place of those that are filled with ones, in this order (4.5.3). */
const widened = (extra: Uint8Array, values: readonly number[]): readonly number[] => {
  for (let at = 0; at + 4 <= extra.length; at += 4 + u16le(extra, at + 2)) {
    if (u16le(extra, at) !== 1) continue
    let next = at + 4
    return values.map((value) => {
      if (value !== filled32) return value
      const wide = u64le(extra, next)
      next += 8
      return wide
    })
  }
  return values
}

/** The entries of a directory, one after the other; `undefined` once where an entry does not parse or does not fit. */
export async function* entriesOf(file: Peek, end: ZipEnd): AsyncGenerator<ZipEntry | undefined> {
  let at = end.directoryEnd - end.directoryBytes
  let held: Uint8Array = new Uint8Array()
  let from = at
  const left = () => end.directoryEnd - at
  const holding = (length: number) => at + length <= from + held.length
  const need = async (length: number): Promise<void> => {
    if (holding(length)) return
    from = at
    held = await file.exactly(at, Math.max(length, Math.min(pieceBytes, left())))
  }
  while (left() > 0) {
    await need(Math.min(centralBytes, left()))
    const head = at - from
    // A digital signature may close the directory (4.3.13).
    if (hasAt(held, head, 'PK\x05\x05')) return
    if (left() < centralBytes || !hasAt(held, head, 'PK\x01\x02')) {
      yield undefined
      return
    }
    const [name, extra, comment] = [u16le(held, head + 28), u16le(held, head + 30), u16le(held, head + 32)]
    const length = centralBytes + name + extra + comment
    if (length > left()) {
      yield undefined
      return
    }
    await need(length)
    const here = at - from
    const [unpacked = 0, packed = 0, offset = 0] = widened(
      held.subarray(here + centralBytes + name, here + centralBytes + name + extra),
      [u32le(held, here + 24), u32le(held, here + 20), u32le(held, here + 42)],
    )
    yield {
      offset,
      method: u16le(held, here + 10),
      encrypted: (u16le(held, here + 8) & 1) === 1,
      crc: u32le(held, here + 16),
      packed,
      unpacked,
    }
    at += length
  }
}
