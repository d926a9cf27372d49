import { createZstdDecompress } from 'node:zlib'
import { hasAt, u32le } from './bytes.ts'
import { broken, complete, ended, type Format, type Peek, unknown, type Verdict } from './format.ts'
import { unpack } from './unpack.ts'

/** RFC 8878, section 3.1. */
const mark = '\x28\xb5\x2f\xfd'
const isSkippable = (magic: number): boolean => magic >= 0x184d2a50 && magic <= 0x184d2a5f
/** Bytes of an identifier of a dictionary, and of a content size, by their flags. */
const dictionaryBytes = [0, 1, 2, 4]
const contentBytes = [0, 2, 4, 8]
/** A block is 128 KiB at most, so that hopping reads nearly all of a file: only where one read takes it. */
const hopped = 4 * 1024 ** 2

/** Where the frame at `at` ends, by hopping over its blocks; undefined where a block is of a kind that is not known. */
const frameEnd = async (file: Peek, at: number): Promise<number | undefined> => {
  const flags = (await file.exactly(at, 5))[4] ?? 0
  const single = (flags & 0x20) !== 0
  const size = contentBytes[flags >> 6] ?? 0
  let block = at + 5 + (single ? 0 : 1) + (dictionaryBytes[flags & 3] ?? 0) + (single && size === 0 ? 1 : size)
  for (;;) {
    const head = await file.exactly(block, 3)
    const word = (head[0] ?? 0) | ((head[1] ?? 0) << 8) | ((head[2] ?? 0) << 16)
    const kind = (word >> 1) & 3
    if (kind === 3) return undefined
    // A run is one byte that is repeated.
    block += 3 + (kind === 1 ? 1 : word >> 3)
    if ((word & 1) === 1) return block + ((flags & 4) !== 0 ? 4 : 0)
  }
}

const begins = (head: Uint8Array): boolean => hasAt(head, 0, mark) || isSkippable(u32le(head, 0))

/** Hops from frame to frame; stops at the first of which `look` has something to say. */
const hop = async (
  file: Peek,
  look: (at: number, length: number) => Promise<Verdict | undefined> = async () => undefined,
): Promise<Verdict> => {
  if (!begins(file.head)) return unknown('it is no zstd file')
  let at = 0
  for (;;) {
    const magic = u32le(await file.exactly(at, 4), 0)
    const end = isSkippable(magic) ? at + 8 + u32le(await file.exactly(at + 4, 4), 0) : await frameEnd(file, at)
    if (end === undefined) return unknown('it has a block of a kind that is reserved')
    if (end > file.size) return broken('its last block has no end', end)
    const said = isSkippable(magic) ? undefined : await look(at, end - at)
    if (said !== undefined) return said
    at = end
    if (at === file.size) return complete('its blocks add up to its size')
    const next = await file.read(at, 4)
    const cut = next.length < 4 && hasAt(next, 0, mark.slice(0, next.length))
    if (!hasAt(next, 0, mark) && !isSkippable(u32le(next, 0)) && !cut) {
      return ended(`its blocks add up, and ${file.size - at} bytes follow`)
    }
  }
}

export const zstd: Format = {
  id: 'zstd',
  title: 'a zstd file',
  names: ['.zst', '.zstd', '.tzst'],
  // An empty skippable frame; one of data has a byte more.
  least: 8,
  recognises: (head) => hasAt(head, 0, mark),
  judge: async (file) => {
    if (!begins(file.head)) return unknown('it is no zstd file')
    if (file.size > hopped) return unknown('only reading all of it tells')
    await file.read(0, file.size)
    return hop(file)
  },
  prove: (file) =>
    hop(file, async (at, length) => {
      const got = await unpack(createZstdDecompress(), file, at, length)
      if (got.state === 'whole') return undefined
      // Packed with a dictionary that it does not name, a frame makes no sense from its first block on.
      const sense = got.bytes > 0 || /checksum_wrong/.test(got.code ?? '')
      if (sense && /checksum_wrong|corruption_detected/.test(got.code ?? '')) {
        return broken(`the frame at byte ${at} is damaged`)
      }
      // Windows of more than 128 MiB and dictionaries are legal, and refused by Node.
      return unknown('its blocks add up to its size, and Node cannot unpack it')
    }),
}
