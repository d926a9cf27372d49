/** CRC-32C (Castagnoli), which TensorFlow's tables and OCDBT carry; zlib has only the other CRC32. */

const polynomial = 0x82f63b78
const bitsOfByte = 8

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < bitsOfByte; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
  return crc
})

/** Of `bytes`, or of all that went before and `bytes` when its CRC is given. */
export const crc32c = (bytes: Uint8Array, before = 0): number => {
  let crc = ~before
  for (let i = 0; i < bytes.length; i += 1) crc = (crc >>> 8) ^ (table[(crc ^ (bytes[i] as number)) & 0xff] as number)
  return ~crc >>> 0
}

/** CRCs of data that holds CRCs are stored rotated and moved (tensorflow/core/lib/hash/crc32c.h, `Unmask`). */
export const unmasked = (stored: number): number => {
  const rotated = (stored - 0xa282ead8) >>> 0
  return ((rotated >>> 17) | (rotated << 15)) >>> 0
}
