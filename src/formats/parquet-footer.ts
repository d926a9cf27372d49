/** What a parquet footer points at, told without keeping it. Field numbers are those of `parquet.thrift`. */
import { ThriftReader, thrift } from './thrift.ts'

export interface ChunkRange {
  readonly from: number
  /** After the last byte. */
  readonly to: number
  /** Its pages are encrypted, and show no headers. */
  readonly sealed: boolean
}

export interface ParquetFooter {
  /** Where the last byte ends that it points at: column chunks, column and offset indexes, bloom filters. */
  readonly contentEnd: number
  /** Without a schema and a number of rows it is none. */
  readonly valid: boolean
}

/** The mark at the beginning of a file. */
const firstByte = 4

interface Chunk {
  elsewhere: boolean
  sealed: boolean
  size: number
  /** The least offset of its pages; writers without a dictionary leave its offset out, or write 0. */
  from: number
  /** Offsets of indexes and a bloom filter by the number of the field, each followed by its length. */
  readonly spans: Map<number, number>
}

const readAbout = (reader: ThriftReader, chunk: Chunk): void =>
  reader.struct((field, type) => {
    if (type < 4 || type > 6 || ![7, 9, 11, 14, 15].includes(field)) return false
    const value = reader.integer()
    if (field === 7) chunk.size = value
    else if (field >= 14) chunk.spans.set(field + 100, value)
    else if (value >= firstByte) chunk.from = Math.min(chunk.from, value)
    return true
  })

const readChunk = (reader: ThriftReader, take: (chunk: Chunk) => void): void => {
  const chunk: Chunk = {
    elsewhere: false,
    sealed: false,
    size: 0,
    from: Number.POSITIVE_INFINITY,
    spans: new Map(),
  }
  reader.struct((field, type) => {
    // Field 1 names another file that holds the chunk, as in `_metadata`.
    if (field === 1) chunk.elsewhere = true
    if (field === 8) chunk.sealed = true
    if (field === 3 && type === thrift.struct) readAbout(reader, chunk)
    else if (field >= 4 && field <= 7 && type >= 4 && type <= 6) chunk.spans.set(field, reader.integer())
    else return false
    return true
  })
  if (!chunk.elsewhere) take(chunk)
}

const spanEnd = ({ spans }: Chunk, offset: number): number => (spans.get(offset) ?? 0) + (spans.get(offset + 1) ?? 0)

/**
 * Walks a footer; `each` gets the range of every column chunk that lies in the file and has pages. Throws RangeError where
 * the bytes are no footer.
 */
export const walkFooter = (bytes: Uint8Array, each?: (chunk: ChunkRange) => void): ParquetFooter => {
  const reader = new ThriftReader(bytes)
  let contentEnd = 0
  let schema = false
  let rows = false
  const taken = (chunk: Chunk): void => {
    const { from, size, sealed } = chunk
    const to = size > 0 && from < Number.POSITIVE_INFINITY ? from + size : 0
    contentEnd = Math.max(contentEnd, to, spanEnd(chunk, 4), spanEnd(chunk, 6), spanEnd(chunk, 114))
    if (to > 0) each?.({ from, to, sealed })
  }
  reader.struct((field, type) => {
    if (field === 2) schema = true
    if (field === 3) rows = true
    if (field !== 4 || type !== thrift.list) return false
    reader.structs(() =>
      reader.struct((inGroup, inType) => {
        if (inGroup !== 1 || inType !== thrift.list) return false
        reader.structs(() => readChunk(reader, taken))
        return true
      }),
    )
    return true
  })
  return { contentEnd, valid: schema && rows }
}
