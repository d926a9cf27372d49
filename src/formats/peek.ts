import { CutShort, OutOfReads, type Peek, type RangeSource, ShortRead } from './format.ts'

const KiB = 1024
const MiB = 1024 ** 2

/** The first read; most headers fit (safetensors, HDF5, parquet, GGUF metadata apart). */
export const headBytes = 64 * KiB
/** The last read: what a zip's comment may take (65,535) and its end records of 22, 20 and 56 bytes. */
export const tailBytes = 64 * KiB + 98
/** Up to this size one request takes the whole file. */
const wholeBytes = 128 * KiB
/** A read asks for at least this much, so that walking small headers costs few requests. */
const leastRead = 16 * KiB
/** Pieces kept beside head and tail. */
const keptBytes = 8 * MiB

/** What one file may cost. */
export interface Budget {
  readonly reads: number
  readonly bytes: number
  /** The largest single read. */
  readonly piece: number
}

/** At `--depth structure`: whole JSON files of up to 32 MiB are read in pieces, everything else needs a few reads. */
export const structureBudget: Budget = { reads: 64, bytes: 34 * MiB, piece: 8 * MiB }
/** At `--depth full` nothing bounds the bytes; a piece still has to fit into memory. */
export const fullBudget: Budget = {
  reads: Number.POSITIVE_INFINITY,
  bytes: Number.POSITIVE_INFINITY,
  piece: 8 * MiB,
}

export interface Counted {
  readonly reads: number
  readonly bytes: number
}

interface Piece {
  readonly at: number
  readonly bytes: Uint8Array
}

/** Opens a file for verifiers: reads its head and tail, one request for a small file, and counts every read. */
export const openPeek = async (source: RangeSource, budget: Budget): Promise<Peek & { spent(): Counted }> => {
  const { size } = source
  let reads = 0
  let bytes = 0
  const kept: Piece[] = []

  const fetch = async (offset: number, length: number): Promise<Uint8Array> => {
    reads += 1
    bytes += length
    if (reads > budget.reads || bytes > budget.bytes || length > budget.piece) {
      throw new OutOfReads('more reads would be needed than one file may cost')
    }
    const got = await source.read(offset, length)
    if (got.length < length) throw new ShortRead(`${got.length} of ${length} bytes came from offset ${offset}`)
    return got.length > length ? got.subarray(0, length) : got
  }
  const small = size <= wholeBytes
  const head = await fetch(0, small ? size : headBytes)
  const tail = small ? head.subarray(Math.max(0, size - tailBytes)) : await fetch(size - tailBytes, tailBytes)
  const fixed: readonly Piece[] = [
    { at: 0, bytes: head },
    { at: size - tail.length, bytes: tail },
  ]

  const within = (offset: number, length: number): Uint8Array | undefined => {
    for (const piece of [...fixed, ...kept]) {
      const from = offset - piece.at
      if (from >= 0 && from + length <= piece.bytes.length) return piece.bytes.subarray(from, from + length)
    }
    return undefined
  }
  const keep = (piece: Piece): void => {
    if (piece.bytes.length > keptBytes / 2) return
    kept.push(piece)
    let total = kept.reduce((sum, { bytes: held }) => sum + held.length, 0)
    while (total > keptBytes) total -= kept.shift()?.bytes.length ?? total
  }

  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
      throw new RangeError('an offset or a length that no file has')
    }
    if (offset >= size || length === 0) return new Uint8Array()
    const wanted = Math.min(length, size - offset)
    const present = within(offset, wanted)
    if (present !== undefined) return present
    const got = await fetch(offset, Math.min(size - offset, Math.max(wanted, leastRead)))
    keep({ at: offset, bytes: got })
    return got.subarray(0, wanted)
  }

  return {
    size,
    head: head.subarray(0, headBytes),
    tail,
    read,
    exactly: async (offset, length) => {
      if (offset + length > size) throw new CutShort(offset + length)
      return read(offset, length)
    },
    spent: () => ({ reads, bytes }),
  }
}
