/**
 * CRC-32C (Castagnoli), which Google Cloud Storage keeps of every object and which TensorFlow's tables and OCDBT carry;
 * zlib has only the other CRC32. Eight bytes at a time ("slicing by 8", Intel 2006): 0.8 processor seconds for a GiB.
 */

const polynomial = 0x82f63b78
const bitsOfByte = 8
const slices = 8

/** `tables[n * 256 + byte]`: what a byte does to the CRC with n bytes after it. */
const tables = (() => {
  const made = new Int32Array(slices * 256)
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte
    for (let bit = 0; bit < bitsOfByte; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    made[byte] = crc
  }
  for (let at = 256; at < made.length; at += 1) {
    const before = made[at - 256] as number
    made[at] = (before >>> 8) ^ (made[before & 0xff] as number)
  }
  return made
})()

/** Of `bytes`, or of all that went before and `bytes` when its CRC is given. */
export const crc32c = (bytes: Uint8Array, before = 0): number => {
  const t = tables
  const end = bytes.length
  let crc = ~before
  let at = 0
  for (; at + slices <= end; at += slices) {
    const low =
      crc ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24))
    crc =
      (t[1792 + (low & 0xff)] as number) ^
      (t[1536 + ((low >>> 8) & 0xff)] as number) ^
      (t[1280 + ((low >>> 16) & 0xff)] as number) ^
      (t[1024 + (low >>> 24)] as number) ^
      (t[768 + (bytes[at + 4] as number)] as number) ^
      (t[512 + (bytes[at + 5] as number)] as number) ^
      (t[256 + (bytes[at + 6] as number)] as number) ^
      (t[bytes[at + 7] as number] as number)
  }
  for (; at < end; at += 1) crc = (crc >>> 8) ^ (t[(crc ^ (bytes[at] as number)) & 0xff] as number)
  return ~crc >>> 0
}

/** CRCs of data that holds CRCs are stored rotated and moved (tensorflow/core/lib/hash/crc32c.h, `Unmask`). */
export const unmasked = (stored: number): number => {
  const rotated = (stored - 0xa282ead8) >>> 0
  return ((rotated >>> 17) | (rotated << 15)) >>> 0
}
