/**
 * Tables of a flatbuffer (flatbuffers.dev, "Internals"), by position alone. A place that the buffer does not have is NaN, and
 * so is all that hangs on it; numbers are exact up to 2^53.
 */
import { u16le, u32le } from './bytes.ts'

const i32le = (bytes: Uint8Array, at: number): number => u32le(bytes, at) | 0

/** Where the table begins that the offset at `at` points at; the root's offset is the first word of a buffer. */
export const tableAt = (bytes: Uint8Array, at: number): number => at + u32le(bytes, at)

/** Where a table keeps its field of that number; NaN for one that has its default. */
export const fieldAt = (bytes: Uint8Array, table: number, field: number): number => {
  if (Number.isNaN(u32le(bytes, table))) return Number.NaN
  const vtable = table - i32le(bytes, table)
  const slot = 4 + 2 * field
  if (!(slot + 2 <= u16le(bytes, vtable))) return Number.NaN
  const offset = u16le(bytes, vtable + slot)
  return offset > 0 ? table + offset : Number.NaN
}

/** A vector that a field points at: where its first member lies, and how many there are, as far as the buffer can hold them. */
export const vectorAt = (
  bytes: Uint8Array,
  field: number,
  memberBytes: number,
): { readonly at: number; readonly length: number } => {
  if (Number.isNaN(field)) return { at: Number.NaN, length: 0 }
  const at = tableAt(bytes, field)
  const length = u32le(bytes, at)
  if (!(at + 4 + length * memberBytes <= bytes.length)) throw new RangeError('a vector is longer than its buffer')
  return { at: at + 4, length }
}
