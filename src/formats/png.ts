import { crc32 } from 'node:zlib'
import { count } from '../words.ts'
import { hasAt, u32be } from './bytes.ts'
import { broken, complete, ended, type Format, type Peek, suspect, type Verdict } from './format.ts'

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] as const
/** Length and type before a chunk's data, its CRC-32 after them. */
const headBytes = 8
const crcBytes = 4
/** The last chunk: it has no data, so that its checksum is always the same. */
const lastChunk = 'IEND\xae\x42\x60\x82'
const piece = 1024 ** 2
/** The specification ends lengths here (2^31 - 1). */
const longest = 0x7fff_ffff

interface Chunk {
  readonly type: string
  /** Where its data begin, and how long they are. */
  readonly data: number
  readonly length: number
}

/** Hops over the chunks to the last one, past the end of the file or to where there is none. */
const walk = async (file: Peek, each: (chunk: Chunk) => Promise<Verdict | undefined>): Promise<Verdict> => {
  let chunks = 0
  for (let at = signature.length; ; ) {
    const head = await file.exactly(at, headBytes)
    const length = u32be(head, 0)
    const type = Buffer.from(head.subarray(4)).toString('latin1')
    if (length > longest || !/^[A-Za-z]{4}$/.test(type)) return broken(`no chunk begins at byte ${at}`)
    const chunk = { type, data: at + headBytes, length }
    at = chunk.data + length + crcBytes
    const verdict = await each(chunk)
    if (verdict !== undefined) return verdict
    chunks += 1
    if (type !== 'IEND') continue
    await file.exactly(at - crcBytes, crcBytes)
    return complete(`its ${count(chunks, 'chunk')} lead to the last one`)
  }
}

const crcDiffers = async (file: Peek, { data, length }: Chunk): Promise<boolean> => {
  const from = data - 4
  const to = data + length
  let crc = 0
  for (let at = from; at < to; at += piece) crc = crc32(await file.exactly(at, Math.min(piece, to - at)), crc)
  return u32be(await file.exactly(to, crcBytes), 0) !== crc
}

export const png: Format = {
  id: 'png',
  title: 'a PNG image',
  names: ['.png'],
  // The signature, a header of 13 bytes, an image of no byte and the last chunk, which frame 12 bytes each.
  least: 57,
  recognises: (head) => hasAt(head, 0, signature),
  judge: async (file) => {
    const { head, tail, size } = file
    if (!hasAt(head, 0, signature)) return suspect('it does not begin as a PNG does')
    // In one read there are all chunks; of a larger file the end is looked at alone.
    if (size <= head.length) return walk(file, async () => undefined)
    if (Buffer.from(tail).includes(lastChunk, undefined, 'latin1')) return ended('its last chunk is there')
    return walk(file, async () => undefined)
  },
  prove: (file) =>
    walk(file, async (chunk) => {
      // Readers skip an ancillary chunk (lower case) that they cannot use.
      if (/^[a-z]/.test(chunk.type) || !(await crcDiffers(file, chunk))) return undefined
      return broken(`its chunk ${chunk.type} at byte ${chunk.data - headBytes} differs from its checksum`)
    }),
}
