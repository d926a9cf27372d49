import { hasAt, u32le } from './bytes.ts'
import { broken, complete, ended, type Format, type Peek, unknown, type Verdict } from './format.ts'
import { xxhash32 } from './xxhash32.ts'

/** "LZ4 Frame Format Description" 1.6.4. */
const mark = '\x04\x22\x4d\x18'
const isSkippable = (magic: number): boolean => magic >= 0x184d2a50 && magic <= 0x184d2a5f
/** The header of a skippable frame, which may be all of a file. */
const skippableBytes = 8
const [hasDictionary, hasContentSum, hasContentSize, hasBlockSum] = [1, 4, 8, 16]
/** Blocks of a file up to this size are hopped over after one read; of a larger one only the end is looked at. */
const hopped = 2 * 1024 ** 2
/** The largest block size in use is 4 MiB. */
const mostBlock = 4 * 1024 ** 2

interface Frame {
  /** Of its first block. */
  readonly blocks: number
  readonly flags: number
}

const begins = (head: Uint8Array): boolean => hasAt(head, 0, mark) || isSkippable(u32le(head, 0))

/** The frame header at `at`; undefined where it is of another version or does not match its checksum. */
const frameAt = async (file: Peek, at: number): Promise<Frame | undefined> => {
  const flags = (await file.exactly(at, 7))[4] ?? 0
  if (flags >> 6 !== 1) return undefined
  const length = 2 + ((flags & hasContentSize) !== 0 ? 8 : 0) + ((flags & hasDictionary) !== 0 ? 4 : 0)
  const header = await file.exactly(at + 4, length + 1)
  if (((xxhash32(header.subarray(0, length)) >> 8) & 0xff) !== header[length]) return undefined
  return { blocks: at + 4 + length + 1, flags }
}

/** Hops from block to block, in every frame; with `sums`, compares those of blocks. */
const hop = async (file: Peek, sums: boolean): Promise<Verdict> => {
  let at = 0
  let unproved = false
  for (;;) {
    const start = await file.exactly(at, 4)
    if (isSkippable(u32le(start, 0))) {
      at += 8 + u32le(await file.exactly(at + 4, 4), 0)
      if (at > file.size) return broken('its last frame has no end', at)
    } else {
      const frame = await frameAt(file, at)
      if (frame === undefined) return unknown('its frame header is of another version, or does not match its checksum')
      at = frame.blocks
      if ((frame.flags & hasBlockSum) === 0) unproved = true
      for (;;) {
        const word = u32le(await file.exactly(at, 4), 0)
        at += 4
        if (word === 0) break
        const length = word & 0x7fffffff
        if (length > mostBlock) return unknown(`it has a block of ${length} bytes`)
        const after = at + length + ((frame.flags & hasBlockSum) !== 0 ? 4 : 0)
        if (after > file.size) return broken('its last block has no end', after)
        if (sums && (frame.flags & hasBlockSum) !== 0) {
          const block = await file.exactly(at, length + 4)
          if (xxhash32(block.subarray(0, length)) !== u32le(block, length)) {
            return broken(`the block at byte ${at} does not match its checksum`)
          }
        }
        at = after
      }
      if ((frame.flags & hasContentSum) !== 0) {
        await file.exactly(at, 4)
        at += 4
      }
    }
    if (at === file.size) {
      if (sums && unproved) return unknown('its blocks add up to its size, and have no checksums of their own')
      return complete('its blocks add up to its size')
    }
    const next = await file.read(at, 4)
    const cut = next.length < 4 && hasAt(next, 0, mark.slice(0, next.length))
    if (!hasAt(next, 0, mark) && !isSkippable(u32le(next, 0)) && !cut) {
      return ended(`its blocks add up, and ${file.size - at} bytes follow`)
    }
  }
}

/** Where the data of the tail end: skippable frames may close a file, and tell their own length. */
const beforeSkippable = (tail: Uint8Array): number => {
  let end = tail.length
  for (let at = end - skippableBytes; at >= 0; at -= 1) {
    if (tail[at + 1] !== 0x2a || !isSkippable(u32le(tail, at))) continue
    if (at + skippableBytes + u32le(tail, at + 4) === end) end = at
  }
  return end
}

/** Four zeros end a frame, and four bytes of checksum may follow. */
const judgeEnd = (file: Peek): Verdict => {
  const { tail } = file
  const end = beforeSkippable(tail)
  const zeros = (back: number) => hasAt(tail, end - back, [0, 0, 0, 0])
  // Frames behind the first may have other flags.
  if (zeros(4) || zeros(8)) return ended('it ends as a frame does')
  return broken('it does not end as a frame does')
}

export const lz4: Format = {
  id: 'lz4',
  title: 'an lz4 file',
  names: ['.lz4'],
  least: skippableBytes,
  recognises: (head) => hasAt(head, 0, mark),
  judge: async (file) => {
    if (!begins(file.head)) return unknown('it is no lz4 file')
    if (file.size > hopped) return judgeEnd(file)
    await file.read(0, file.size)
    return hop(file, false)
  },
  prove: async (file) => (begins(file.head) ? hop(file, true) : unknown('it is no lz4 file')),
}
