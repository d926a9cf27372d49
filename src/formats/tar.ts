import { isZero } from './bytes.ts'
import {
  broken,
  complete,
  ended,
  type Format,
  OutOfReads,
  type Peek,
  suspect,
  unknown,
  type Verdict,
} from './format.ts'

/** POSIX.1-2017 pax, "ustar Interchange Format": header blocks of 512 bytes, data padded to blocks, two zero blocks at the end. */
const block = 512
/** Members whose headers are read at most; small members share a read. */
const mostMembers = 100_000
/** One read for the headers that follow a small member. */
const window = 1024 ** 2
/** A member of this size or more is hopped over. */
const large = 256 * 1024
/** A pax header beyond this is not read: paths and sizes take some hundred bytes. */
const mostPax = 1024 ** 2

/** A number in octal, or, with the highest bit set, in binary (GNU). NaN where it is neither. */
const numberAt = (header: Uint8Array, at: number, length: number): number => {
  const field = header.subarray(at, at + length)
  if ((field[0] ?? 0) === 0x80) return field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0)
  const digits = Buffer.from(field)
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .trimStart()
  if (digits === '') return 0
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN
}

/** The header's bytes add up to its checksum, whose own eight bytes count as blanks. */
const isHeader = (header: Uint8Array): boolean => {
  if (header.length < block) return false
  const told = numberAt(header, 148, 8)
  let sum = 8 * 0x20
  let signed = sum
  for (let i = 0; i < block; i += 1) {
    if (i >= 148 && i < 156) continue
    const byte = header[i] ?? 0
    sum += byte
    signed += byte > 127 ? byte - 256 : byte
  }
  return told > 8 * 0x20 && (told === sum || told === signed)
}

/** The size that a pax header sets for the member behind it. */
const paxSize = (records: Uint8Array): number | undefined => {
  const found = /(?:^|\n)\d+ size=(\d+)\n/.exec(Buffer.from(records).toString('latin1'))
  return found === null ? undefined : Number(found[1])
}

/** Reads headers with those that are likely to follow. */
const headersOf = (file: Peek) => {
  let from = 0
  let held = file.head
  return async (at: number, ahead: boolean): Promise<Uint8Array> => {
    if (at < from || at + block > from + held.length) {
      held = await file.read(at, ahead ? window : block)
      from = at
    }
    return held.subarray(at - from, at - from + block)
  }
}

const hop = async (file: Peek, closes: (at: number) => void = () => undefined): Promise<Verdict> => {
  const headerAt = headersOf(file)
  let at = 0
  let ahead = false
  let override: number | undefined
  for (let members = 0; members < mostMembers; members += 1) {
    if (at === file.size) return suspect(`it ends after ${members} headers without the two zero blocks that close it`)
    const header = await headerAt(at, ahead)
    if (isZero(header)) {
      closes(at)
      return close(file, at)
    }
    if (header.length < block) return broken('its last header has no end', at + block)
    if (!isHeader(header)) return unknown(`no header stands at byte ${at}, where the member before it ends`)
    const kind = String.fromCharCode(header[156] ?? 0)
    const told = override ?? numberAt(header, 124, 12)
    if (!Number.isSafeInteger(told) || told < 0) return unknown(`the header at byte ${at} tells a size that is none`)
    override = undefined
    at += block
    // Links, devices and folders have no data, whatever their size says; Python and GNU tar read them so.
    const bytes = /[1-6]/.test(kind) ? 0 : told
    if (kind === 'x') {
      if (bytes <= mostPax) override = paxSize(await file.exactly(at, bytes))
    } else if (kind === 'S') {
      // GNU's old sparse files: more blocks of the map follow as long as each says so (at its byte 504; 482 in the header).
      let more = header[482] === 1
      while (more) {
        more = (await file.exactly(at, block))[504] === 1
        at += block
      }
    }
    at += Math.ceil(bytes / block) * block
    ahead = bytes < large
    const lacking = at - (Math.ceil(bytes / block) * block - bytes)
    if (lacking > file.size) return broken(`its last member lacks ${lacking - file.size} bytes`, at)
    if (at > file.size) return broken('the padding of its last member is cut', at)
  }
  return ended('the headers of its first members add up')
}

const close = async (file: Peek, at: number): Promise<Verdict> => {
  const two = await file.read(at, 2 * block)
  if (two.length < 2 * block) return suspect('it ends within the two zero blocks that close it')
  if (!isZero(two)) return unknown(`a single zero block stands at byte ${at}`)
  return complete('its members and the two zero blocks that close it are there')
}

const judge = async (file: Peek): Promise<Verdict> => {
  try {
    return await hop(file)
  } catch (error) {
    if (!(error instanceof OutOfReads)) throw error
    return isZero(file.tail.subarray(-2 * block))
      ? ended('it ends with the two zero blocks that close it')
      : suspect('it ends without the two zero blocks that close it')
  }
}

/** The name in the first header, in whatever version of the format, is not empty. */
const begins = (head: Uint8Array): boolean => head[0] !== 0 && isHeader(head.subarray(0, block))

export const tar: Format = {
  id: 'tar',
  title: 'a tar archive',
  names: ['.tar'],
  least: 2 * block,
  // An archive without members.
  zerosFirst: true,
  recognises: begins,
  judge: async (file) => {
    if (begins(file.head) || isZero(file.head.subarray(0, block))) return judge(file)
    return unknown('it is no tar archive')
  },
  // Archives are padded to whole records, of any size (`tar --blocking-factor`).
  async beginsAt(file, from) {
    let closed = Number.POSITIVE_INFINITY
    await hop(file, (at) => {
      closed = at
    })
    return from >= closed
  },
}
