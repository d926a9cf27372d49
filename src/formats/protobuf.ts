import { Cursor } from './cursor.ts'
import { CutShort, OutOfReads, type Peek } from './format.ts'

/** How a field's value is written (https://protobuf.dev/programming-guides/encoding/). Groups are of the past, and refused. */
export const varint = 0
const fixed64 = 1
export const lengthDelimited = 2
const fixed32 = 5

export interface Field {
  readonly number: number
  readonly wire: number
  /** Of a varint; above 2^53 rounded. NaN otherwise. */
  readonly value: number
  /** Where its value begins, in bytes from the file's start, and where it ends. */
  readonly from: number
  readonly end: number
}

/** No field begins like this; the file may go on, but not as protobuf. */
export class NoField extends SyntaxError {
  /** Bytes from the file's start. */
  readonly at: number
  readonly number: number
  constructor(at: number, number: number) {
    super(`no field of protobuf is at byte ${at}`)
    this.at = at
    this.number = number
  }
}

/** The longest tag with the longest length or number. */
const longestHead = 20

/**
 * The field at the cursor, which then stands behind its value; to look inside, go back to `from`. Undefined at `end`, where
 * the message ends. Throws CutShort when the file ends before the field does, for a message that ends with the file.
 */
export const nextField = async (cursor: Cursor, end: number): Promise<Field | undefined> => {
  const { at } = cursor
  if (at >= end) return undefined
  if (!cursor.holds(longestHead)) await cursor.buffer(longestHead)
  const tag = cursor.varint()
  const wire = tag % 8
  const number = Math.floor(tag / 8)
  if (number === 0 || number >= 2 ** 29) throw new NoField(at, number)
  let from = cursor.at
  let value = Number.NaN
  let length: number
  if (wire === varint) {
    value = cursor.varint()
    length = cursor.at - from
  } else if (wire === lengthDelimited) {
    length = cursor.varint()
    from = cursor.at
  } else if (wire === fixed64 || wire === fixed32) length = wire === fixed64 ? 8 : 4
  else throw new NoField(at, number)
  const field = { number, wire, value, from, end: from + length }
  if (field.end > end) throw end === cursor.size ? new CutShort(field.end) : new NoField(at, number)
  cursor.goTo(field.end)
  return field
}

/** About a second's work; the largest vocabularies have a million pieces. */
const mostFields = 2_000_000

/** The kind of value of each field that a message may have, by its number; undefined for what it has not. */
export type Known = (number: number) => number | undefined

/**
 * All fields of a file that is one message, without a look inside; `something else` when one is not known, or of another
 * kind. Throws CutShort and NoField.
 */
export const fieldsOf = async (
  file: Peek,
  known: Known,
  take: (field: Field) => void,
): Promise<'whole' | 'something else'> => {
  const cursor = new Cursor(file)
  for (let seen = 0; seen < mostFields; seen += 1) {
    const field = await nextField(cursor, file.size)
    if (field === undefined) return 'whole'
    if (known(field.number) !== field.wire) return 'something else'
    take(field)
  }
  throw new OutOfReads('it has more fields than are followed')
}
