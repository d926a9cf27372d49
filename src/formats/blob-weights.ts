import { againstSize } from './against-size.ts'
import { hasAt, u32le, u64le } from './bytes.ts'
import { Cursor } from './cursor.ts'
import { broken, ended, type Format, type Peek, unknown, type Verdict } from './format.ts'

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

/** Reads that hops from blob to blob may cost. */
const mostHops = 40
const tooMany = 'too many'

/** Where the last blob ends. */
const walk = async (file: Peek): Promise<number | typeof tooMany | undefined> => {
  const cursor = new Cursor(file)
  await cursor.buffer(unit)
  const blobs = u32le(cursor.take(unit), 0)
  let end = unit
  let hops = 0
  for (let nth = 0; nth < blobs; nth += 1) {
    const at = aligned(end)
    cursor.goTo(at)
    if (!cursor.holds(unit)) {
      hops += 1
      if (hops > mostHops) return tooMany
      await cursor.buffer(unit)
    }
    const next = blobEnd(cursor.take(unit), at)
    if (next === undefined) return undefined
    end = next
  }
  return end
}

/** How far from the end a description is looked for: a tail that is there anyway, then as far as one read goes. */
const farther = [64 * 1024, 1024 ** 2, 8 * 1024 ** 2]

/** The end of the last blob, where its description is near the file's end. */
const lastEnd = async (file: Peek): Promise<number | undefined> => {
  for (const length of farther) {
    const start = Math.max(0, file.size - length)
    const bytes = await file.read(start, length)
    for (let at = Math.floor((file.size - unit) / unit) * unit; at >= start; at -= unit) {
      const end = blobEnd(bytes.subarray(at - start), at)
      if (end !== undefined) return end
    }
  }
  return undefined
}

const judge = async (file: Peek): Promise<Verdict> => {
  if (!recognises(file.head)) return unknown('it does not begin with the description of a blob')
  const end = await walk(file)
  if (end === undefined) return unknown('a blob is not where the one before it ends')
  if (end !== tooMany) return againstSize(file.size, end, 'its blobs reach to', unit)
  const last = await lastEnd(file)
  if (last === undefined) return unknown('it has more blobs than are followed')
  return last > file.size
    ? broken(`its last blob reaches to byte ${last}, and ${file.size} bytes are stored`, last)
    : ended('its last blob is all there; there are more than are followed')
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
