/** Numbers and marks in raw bytes. Reading past the end gives NaN, so that every comparison with it fails. */

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
const fits = (bytes: Uint8Array, at: number, length: number): boolean => at >= 0 && at + length <= bytes.length

export const u16le = (bytes: Uint8Array, at: number): number =>
  fits(bytes, at, 2) ? view(bytes).getUint16(at, true) : Number.NaN
export const u16be = (bytes: Uint8Array, at: number): number =>
  fits(bytes, at, 2) ? view(bytes).getUint16(at) : Number.NaN
export const u32le = (bytes: Uint8Array, at: number): number =>
  fits(bytes, at, 4) ? view(bytes).getUint32(at, true) : Number.NaN
export const u32be = (bytes: Uint8Array, at: number): number =>
  fits(bytes, at, 4) ? view(bytes).getUint32(at) : Number.NaN
/** Above 2^53 the value is rounded; no file is that large, so comparisons with sizes stay right. */
export const u64le = (bytes: Uint8Array, at: number): number =>
  fits(bytes, at, 8) ? Number(view(bytes).getBigUint64(at, true)) : Number.NaN
export const u64be = (bytes: Uint8Array, at: number): number =>
  fits(bytes, at, 8) ? Number(view(bytes).getBigUint64(at)) : Number.NaN

/** True when `mark` (bytes, or text in latin1) stands at `at`. */
export const hasAt = (bytes: Uint8Array, at: number, mark: string | readonly number[]): boolean => {
  if (!fits(bytes, at, mark.length)) return false
  for (let i = 0; i < mark.length; i += 1) {
    const wanted = typeof mark === 'string' ? mark.charCodeAt(i) : mark[i]
    if (bytes[at + i] !== wanted) return false
  }
  return true
}

export const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)
/** No control bytes but those of lines, tabs and pages, as in any text of one byte a character or of UTF-8. */
export const isText = (bytes: Uint8Array): boolean => bytes.every((byte) => byte >= 32 || (byte >= 9 && byte <= 13))
