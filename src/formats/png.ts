import { crc32 } from 'node:zlib'
import { ReadAhead } from './ahead.ts'
import { hasAt, u32be } from './bytes.ts'
import {
  broken,
  CutShort,
  complete,
  ended,
  type Format,
  OutOfReads,
  type Peek,
  suspect,
  unknown,
  type Verdict,
} from './format.ts'

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
const walk = async (file: Peek, differs?: (chunk: Chunk) => Promise<boolean>): Promise<Verdict> => {
  const ahead = new ReadAhead(file)
  let chunks = 0
  for (let at: number = signature.length; ; ) {
    const head = await ahead.load(at, headBytes)
    const length = u32be(head, 0)
    const type = Buffer.from(head.subarray(4)).toString('latin1')
    if (length > longest || !/^[A-Za-z]{4}$/.test(type)) return broken(`no chunk begins at byte ${at}`)
    const chunk = { type, data: at + headBytes, length }
    const next = chunk.data + length + crcBytes
    if (next > file.size) throw new CutShort(next)
    if (await differs?.(chunk)) return broken(`its chunk ${type} at byte ${at} differs from its checksum`)
    chunks += 1
    if (type === 'IEND') return complete(`its last chunk closes a row of ${chunks}`)
    at = next
  }
}

/** Readers skip an ancillary chunk (lower case) that they cannot use, whatever its checksum. */
const crcDiffers = async (file: Peek, { type, data, length }: Chunk): Promise<boolean> => {
  if (/^[a-z]/.test(type)) return false
  const to = data + length
  let crc = 0
  for (let at = data - 4; at < to; at += piece) crc = crc32(await file.exactly(at, Math.min(piece, to - at)), crc)
  return u32be(await file.exactly(to, crcBytes), 0) !== crc
}

const judge = async (file: Peek): Promise<Verdict> => {
  const { head, tail, size } = file
  if (!hasAt(head, 0, signature)) return unknown('it does not begin as a PNG image does')
  if (size > head.length && Buffer.from(tail).includes(lastChunk, undefined, 'latin1')) {
    return ended('its last chunk is there')
  }
  try {
    return await walk(file)
  } catch (error) {
    if (error instanceof OutOfReads) return suspect('its last chunk is not where it should be')
    throw error
  }
}

export const png: Format = {
  id: 'png',
  title: 'a PNG image',
  names: ['.png'],
  // The signature, a header of 13 bytes, an image of no byte and the last chunk; each chunk has 12 bytes of its own.
  least: 57,
  recognises: (head) => hasAt(head, 0, signature),
  judge,
  prove: (file) => walk(file, (chunk) => crcDiffers(file, chunk)),
}
