import { againstSize } from './against-size.ts'
import { hasAt, u32le, u64le } from './bytes.ts'
import { Cursor } from './cursor.ts'
import { broken, ended, type Format, OutOfReads, type Peek, unknown, type Verdict } from './format.ts'

/** Begins what describes a blob; so do its length and place (coremltools, mlmodel/src/MILBlob/Blob/StorageFormat.hpp). */
const sentinel = [0xef, 0xbe, 0xad, 0xde]
/** Of the file's own description, of a blob's, and what each of them and the data begin at a multiple of. */
const unit = 64
const version = 2

/** Files without blobs, and those that end before the first, have the version alone. */
const recognises = (head: Uint8Array): boolean =>
  u32le(head, 4) === version && (u32le(head, 0) === 0 || head.length < unit + 4 || hasAt(head, unit, sentinel))

const aligned = (at: number): number => Math.ceil(at / unit) * unit

/** Where the blob ends that is described at `at`; undefined when none is. */
const blobEnd = (description: Uint8Array, at: number): number | undefined => {
  const from = u64le(description, 16)
  if (!hasAt(description, 0, sentinel) || from !== at + unit) return undefined
  return from + u64le(description, 8)
}

/** Hops from blob to blob. */
const walk = async (file: Peek): Promise<number | undefined> => {
  const cursor = new Cursor(file)
  await cursor.buffer(unit)
  const blobs = u32le(cursor.take(unit), 0)
  let end = unit
  for (let nth = 0; nth < blobs; nth += 1) {
    const at = aligned(end)
    cursor.goTo(at)
    if (!cursor.holds(unit)) await cursor.buffer(unit)
    const next = blobEnd(cursor.take(unit), at)
    if (next === undefined) return undefined
    end = next
  }
  return end
}

/** The end of the last blob, where its description is in the tail. */
const lastEnd = ({ tail, size }: Peek): number | undefined => {
  const start = size - tail.length
  for (let at = Math.floor((size - unit) / unit) * unit; at >= start; at -= unit) {
    const end = blobEnd(tail.subarray(at - start), at)
    if (end !== undefined) return end
  }
  return undefined
}

const judge = async (file: Peek): Promise<Verdict> => {
  if (!recognises(file.head)) return unknown('it does not begin with the description of a blob')
  try {
    const end = await walk(file)
    if (end === undefined) return unknown('a blob is not where the one before it ends')
    return againstSize(file.size, end, 'its blobs reach to', unit)
  } catch (error) {
    if (!(error instanceof OutOfReads)) throw error
    const end = lastEnd(file)
    if (end === undefined) throw error
    return end > file.size
      ? broken(`its last blob reaches to byte ${end}, and ${file.size} bytes are stored`, end)
      : ended('its last blob is all there; there are more than are followed')
  }
}

/** Weights of a Core ML package: blobs, each behind its own description. */
export const blobWeights: Format = {
  id: 'blob-weights',
  title: 'a file of Core ML weights',
  names: ['weight.bin'],
  least: unit,
  recognises: (head) => recognises(head) && hasAt(head, unit, sentinel),
  judge,
}
