import { crc32 } from 'node:zlib'
import { count } from '../words.ts'
import { broken, complete, type Peek, type Verdict } from './format.ts'
import type { ChunkRange } from './parquet-footer.ts'
import { ThriftReader } from './thrift.ts'

const piece = 1024 ** 2
/** Statistics of long strings are the largest part of a page's header; writers cut them at some KiB. */
const mostHeader = 256 * 1024

interface PageHeader {
  /** Bytes of the header itself, and of what follows it. */
  readonly own: number
  readonly data: number
  readonly crc?: number
}

/** A header without the fields that `parquet.thrift` requires of each (type, size, and what belongs to the type) is none. */
const readHeader = (bytes: Uint8Array): PageHeader | undefined => {
  const reader = new ThriftReader(bytes)
  const numbers = new Map<number, number>()
  let kind = -1
  reader.struct((field, type) => {
    if (field >= 5) kind = field - 5
    if (field > 4 || type < 4 || type > 6) return false
    numbers.set(field, reader.integer())
    return true
  })
  const data = numbers.get(3) ?? -1
  const crc = numbers.get(4)
  if (data < 0 || numbers.get(1) !== kind) return undefined
  return { own: reader.at, data, ...(crc === undefined ? {} : { crc: crc >>> 0 }) }
}

/** The CRC-32 of bytes that may be more than one read. */
const crcOf = async (file: Peek, from: number, length: number): Promise<number> => {
  let crc = 0
  for (let at = from; at < from + length; at += piece) {
    crc = crc32(await file.exactly(at, Math.min(piece, from + length - at)), crc)
  }
  return crc
}

/** Reads all pages of those column chunks and compares the checksums that their headers hold. */
export const provePages = async (file: Peek, chunks: readonly ChunkRange[]): Promise<Verdict> => {
  let pages = 0
  let proved = 0
  // Chunks do not overlap; claims that do would cost a read of the file each.
  if (chunks.reduce((sum, { from, to }) => sum + to - from, 0) > file.size) throw new RangeError('chunks overlap')
  for (const { from, to } of chunks.filter(({ sealed }) => !sealed)) {
    let at = from
    while (at < to) {
      const header = readHeader(await file.read(at, Math.min(mostHeader, to - at)))
      if (header === undefined) return broken(`the page at byte ${at} has no valid header`)
      if (header.data > to - from) throw new RangeError('a page is larger than its chunk')
      pages += 1
      if (header.crc !== undefined) {
        if (header.crc !== (await crcOf(file, at + header.own, header.data))) {
          return broken(`the page at byte ${at} differs from its checksum`)
        }
        proved += 1
      }
      at += header.own + header.data
    }
  }
  if (pages === 0) return complete('it holds no pages')
  if (proved === 0) return complete(`its ${count(pages, 'page')} follow one another, without checksums`)
  const others = proved === pages ? '' : '; the others have none'
  return complete(`the checksums of ${proved} of ${count(pages, 'page')} are right${others}`)
}
