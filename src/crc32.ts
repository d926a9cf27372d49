/**
 * The CRC of a whole file from those of its pieces, so that a file sent in parts, in any order and over several runs, is
 * proved at no further read. Polynomial arithmetic after zlib 1.3 (`crc32_combine_op`).
 */

/** Combines CRCs of one polynomial, written with its bits reversed. */
const combiner = (polynomial: number) => {
  /** a(x) times b(x) modulo the CRC's polynomial; bit 31 is x to the power 0. */
  const multiply = (a: number, b: number): number => {
    let product = 0
    let factor = b
    for (let mask = 0x80000000; mask !== 0; mask >>>= 1) {
      if ((a & mask) !== 0) product ^= factor
      factor = (factor & 1) === 1 ? (factor >>> 1) ^ polynomial : factor >>> 1
    }
    return product >>> 0
  }

  /** The powers x^(2^n), n from 0 to 31; they repeat after that. */
  const powers = (() => {
    const found = [0x40000000]
    for (let last = 0x40000000; found.length < 32; found.push(last)) last = multiply(last, last)
    return found
  })()

  /** x^(8n), n in bytes. Divides instead of shifting, since a file may be longer than 32 bits tell. */
  const shiftBy = (bytes: number): number => {
    let result = 0x80000000
    for (let rest = bytes, n = 3; rest > 0; rest = Math.floor(rest / 2), n += 1) {
      if (rest % 2 === 1) result = multiply(powers[n % 32] ?? 0, result)
    }
    return result
  }

  return (a: number, b: number, lengthB: number): number => (multiply(shiftBy(lengthB), a) ^ b) >>> 0
}

/** The CRC32 (as `zlib.crc32`) of A followed by B, from the CRC32 of each and the length of B in bytes. */
export const combineCrc32 = combiner(0xedb88320)
/** The same of CRC-32C. */
const combineCrc32c = combiner(0x82f63b78)

/** The CRC32 of pieces that lie one after the other; `size` in bytes. */
export const combineAll = (pieces: Iterable<{ readonly crc32: number; readonly size: number }>): number => {
  let whole = 0
  for (const piece of pieces) whole = combineCrc32(whole, piece.crc32, piece.size)
  return whole
}

/** The CRC-32C of pieces that lie one after the other; undefined where that of one is not known. */
export const combineAllC = (
  pieces: Iterable<{ readonly crc32c?: number; readonly size: number }>,
): number | undefined => {
  let whole = 0
  for (const { crc32c, size } of pieces) {
    if (crc32c === undefined) return undefined
    whole = combineCrc32c(whole, crc32c, size)
  }
  return whole
}
