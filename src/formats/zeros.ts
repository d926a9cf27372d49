import { isZero } from './bytes.ts'
import { type Peek, suspect, type Verdict } from './format.ts'

/**
 * Sizes at which writers and file systems leave off: after a crash, or where a part never came, the rest of a file that was
 * given its full size at once reads as zeros from such a boundary on.
 */
const page = 4096
/** The shortest tail that is looked at: of 486 real model files none ends in this many zeros, and 2 in 4 KiB of them. */
const leastTail = 64 * 1024
/** A read of a page for each halving: 2^40 pages are more than any file has. */
const mostHalvings = 40

/** Where it begins, and what is to be said of it. */
export interface ZeroTail extends Verdict {
  readonly from: number
}

/**
 * A tail of zeros that begins at a page boundary after other data. Zeros are legal in arrays (a padding row, an optimiser's
 * state), and begin there at the end of a row or a tensor; only the boundary tells the two apart, hence `suspect` at most.
 */
export const zeroTail = async (file: Peek): Promise<ZeroTail | undefined> => {
  const { size, tail } = file
  if (size < leastTail || !isZero(tail.subarray(Math.max(0, tail.length - leastTail)))) return undefined
  // The first page that is zero to its end; everything from `high` on is known, or by the halving taken, to be zero.
  let low = 0
  let high = Math.ceil((size - leastTail) / page)
  for (let halvings = 0; low < high && halvings < mostHalvings; halvings += 1) {
    const middle = Math.floor((low + high) / 2)
    if (isZero(await file.read(middle * page, page))) high = middle
    else low = middle + 1
  }
  const from = high * page
  if (from === 0) return { from, ...suspect(`all of its ${size} bytes seem to be zeros`) }
  const before = await file.read(from - page, page)
  // A number whose last bytes are zero may end the data; more zeros before the boundary are part of the data's own.
  const lastByte = before.findLastIndex((byte) => byte !== 0)
  if (lastByte < page - 8) return undefined
  return { from, ...suspect(`from byte ${from} on, a page boundary, it holds nothing but zeros`) }
}
