/** Whether a pickle is whole, in a file of its own or from some byte on. */
import { hasAt, u64le } from './bytes.ts'
import { broken, complete, ended, OutOfReads, type Peek, suspect, unknown, type Verdict } from './format.ts'
import { type PickleLimits, type PickleWalk, walkPickle } from './pickle-walk.ts'
import type { RandomRead } from './pickle-window.ts'

const KiB = 1024
const MiB = 1024 ** 2

/** Bytes of a pickle up to which all of its opcodes are read. */
const walkedWhole = 8 * MiB
/** 200,000 entries take some 30 MB. */
const small: PickleLimits = { read: 2 * walkedWhole, entries: 200_000, piece: 4 * MiB }
/** Where large strings are stepped over, a large pickle may need few reads. */
const large: PickleLimits = { read: 40 * 64 * KiB, entries: 200_000, piece: 64 * KiB }

/** Opcodes that lead on for so many bytes are no accident. */
const telling = 64
/** Pickles in one file that are followed. */
const mostPickles = 10_000
/** Where a frame header is looked for: frames have 64 KiB, and one value of up to as much again (`pickle.py`, `_Framer`). */
const framesIn = 256 * KiB
const frame = 0x95
const frameHeader = 9
const stop = 0x2e

export const hasProtocol = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === 0x80 && (bytes[at + 1] ?? 0) >= 2 && (bytes[at + 1] ?? 6) <= 5

/** What looks like the header of a frame in the last 256 KiB: where it is, and where its frame would end. */
const framesOf = (bytes: Uint8Array, base: number): readonly { readonly at: number; readonly end: number }[] => {
  const found: { at: number; end: number }[] = []
  for (let at = bytes.indexOf(frame); at !== -1; at = bytes.indexOf(frame, at + 1)) {
    const length = u64le(bytes, at + 1)
    if (length >= 4 && length <= framesIn) found.push({ at: base + at, end: base + at + frameHeader + length })
  }
  return found
}

const lastFrames = async (file: Peek): Promise<ReturnType<typeof framesOf>> => {
  const { size, tail } = file
  const near = framesOf(tail, size - tail.length)
  if (near.some(({ end }) => end === size)) return near
  const from = Math.max(0, size - framesIn)
  return framesOf(await file.read(from, size - from), from)
}

/** A frame that begins where another ends, and reaches past the end of the file. */
const cutFrame = (frames: ReturnType<typeof framesOf>, size: number) => {
  const ends = new Set(frames.map(({ end }) => end))
  return frames.find(({ at, end }) => end > size && ends.has(at))
}

/** What the last byte tells of a pickle whose opcodes were not followed to it. */
const judgeLastByte = ({ size, tail }: Peek, why: string): Verdict =>
  tail.at(-1) === stop || size === 0
    ? ended(`it ends as a pickle does; ${why}`)
    : suspect(`its last byte is none that ends a pickle; ${why}`)

/** Reads more than it is asked for: of thousands of small pickles, each would begin with a read of its own. */
const readAhead = (file: Peek): RandomRead => {
  let from = 0
  let held: Uint8Array = file.head
  return {
    size: file.size,
    read: async (offset, length) => {
      if (offset < from || offset + length > from + held.length) {
        held = await file.read(offset, Math.max(length, small.piece))
        from = offset
      }
      return held.subarray(offset - from, offset - from + length)
    },
  }
}

const walkWithin = async (file: RandomRead, at: number, limits: PickleLimits): Promise<PickleWalk | string> => {
  try {
    return await walkPickle(file, at, limits)
  } catch (error) {
    if (error instanceof OutOfReads) return error.message
    throw error
  }
}

/**
 * Judges the pickle of protocol 2 or later that begins at `start`, and those that follow it. `promised`: something else than its
 * first bytes, such as its name, tells that it is one.
 */
export const judgePickleAt = async (file: Peek, start: number, promised: boolean): Promise<Verdict> => {
  const { size } = file
  const first = await file.exactly(start, 2)
  if (!hasProtocol(first, 0)) return unknown('no pickle begins where one should')
  const limits = size - start <= walkedWhole ? small : large
  const framed = (first[1] ?? 0) >= 4 && limits === large
  const frames = framed ? await lastFrames(file) : []
  if (frames.some(({ end }) => end === size) && file.tail.at(-1) === stop) {
    return complete('its last frame ends with the file')
  }
  let at = start
  const pieces = limits === small ? readAhead(file) : file
  for (let pickles = 0; pickles < mostPickles; pickles += 1) {
    const walk = await walkWithin(pieces, at, pickles === 0 ? limits : { ...limits, piece: large.piece })
    if (typeof walk === 'string' || walk.root === undefined) {
      if (typeof walk !== 'string' && walk.cut) {
        const sure = promised || walk.end - start >= telling
        return sure
          ? broken('it ends in the middle of a pickle')
          : unknown('it begins as pickles do, and may be something else')
      }
      if (pickles > 0) return ended(`a pickle ends at byte ${at}, and ${size - at} bytes follow`)
      const cut = cutFrame(frames, size)
      if (cut !== undefined) return broken(`its last frame lacks ${cut.end - size} bytes`, cut.end)
      const why = typeof walk === 'string' ? walk : (walk.why ?? '')
      return promised || typeof walk === 'string' ? judgeLastByte(file, why) : unknown(why)
    }
    at = walk.end
    if (at === size) return complete('its opcodes lead to its last byte')
    if (!hasProtocol(await file.read(at, 2), 0))
      return ended(`a pickle ends at byte ${at}, and ${size - at} bytes follow`)
  }
  return ended(`its first ${mostPickles} pickles are there`)
}

/** How gzip, xz, lz4 and bzip2 files begin. */
const packed = ['\x1f\x8b\x08\x00\x00\x00\x00\x00', '\xfd7zXZ\x00\x00\x04', '\x04\x22\x4d\x18', 'BZh']

/** A pickle without a mark of its own (protocols 0 and 1), which its name alone tells. */
export const judgeOldPickle = async (file: Peek): Promise<Verdict> => {
  const { size, tail } = file
  // joblib packs under the same names; so little of it is left that no other rule knows it.
  if (size < 8 && packed.some((mark) => hasAt(file.head, 0, mark.slice(0, size))))
    return broken('it ends within its mark')
  const whole = size <= walkedWhole
  const walk = await walkWithin(file, 0, whole ? small : { ...large, read: large.piece })
  if (typeof walk === 'string') return unknown(walk)
  if (walk.root !== undefined) {
    const blank = size - walk.end <= tail.length && tail.subarray(tail.length - (size - walk.end)).every(isBlank)
    return walk.end === size || blank
      ? complete('its opcodes lead to its end')
      : ended(`a pickle ends at byte ${walk.end}, and ${size - walk.end} bytes follow`)
  }
  if (walk.cut) return suspect('it ends in the middle of what reads as a pickle')
  if (whole || walk.end < telling) return unknown('it is no pickle that can be followed')
  const last = tail.findLast((byte) => !isBlank(byte))
  return last === stop ? ended('it ends as a pickle does') : suspect('its last byte is none that ends a pickle')
}

const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 9 && byte <= 13)

/** How a pickle begins whose first opcode is one that may come first; `frame` among them. */
export const beginsAsPickle = (head: Uint8Array): boolean =>
  hasProtocol(head, 0) && (hasAt(head, 2, [frame]) || (head[2] !== undefined && firstOpcodes.has(head[2])))

/** Values, classes, marks and empty containers: `NKMJILFGUTSVXBC`, `]})(c` and the newer ones. */
const firstOpcodes = new Set([
  ...Buffer.from('NKMJILFGUTSVXBC]})(cPi', 'latin1'),
  0x88,
  0x89,
  0x8a,
  0x8b,
  0x8c,
  0x8d,
  0x8e,
  0x8f,
  0x95,
  0x96,
])
