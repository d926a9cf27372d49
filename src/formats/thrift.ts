/**
 * Thrift's compact protocol, as far as parquet's headers need it (thrift-compact-protocol.md). Nothing is kept of what the
 * caller does not take, so that memory stays flat over hostile bytes. Throws RangeError where they end or make no sense.
 */

/** The types of fields that are taken by value. */
export const thrift = { string: 8, list: 9, struct: 12 } as const

/** Parquet's own structs nest 6 deep. */
const deepest = 24

export class ThriftReader {
  readonly #bytes: Uint8Array
  /** The byte that is read next. */
  at: number
  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes
    this.at = at
  }

  /** Reads a struct. `take` returns true for a field whose value it has read; the others are stepped over. */
  struct(take: (field: number, type: number) => boolean, depth = 0): void {
    if (depth > deepest) throw new RangeError('structs nest deeper than they should')
    let field = 0
    for (;;) {
      const byte = this.#byte()
      const type = byte & 15
      if (type === 0) return
      field = byte >> 4 === 0 ? this.integer() : field + (byte >> 4)
      // In a struct the type of a boolean is its value.
      if (!take(field, type) && type > 2) this.#skip(type, depth)
    }
  }

  /** Reads a list; `each` has to read one struct. */
  structs(each: () => void): void {
    const { length, type } = this.#listHead()
    for (let index = 0; index < length; index += 1) {
      if (type === thrift.struct) each()
      else this.#skip(type, 0)
    }
  }

  /** A zigzag number: exact up to 2^53, rounded above. */
  integer(): number {
    const value = this.#varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  #byte(): number {
    const byte = this.#bytes[this.at]
    if (byte === undefined) throw new RangeError('the bytes end')
    this.at += 1
    return byte
  }

  #varint(): number {
    let value = 0
    let weight = 1
    for (let taken = 0; taken < 10; taken += 1) {
      const byte = this.#byte()
      value += (byte & 127) * weight
      if (byte < 128) return value
      weight *= 128
    }
    throw new RangeError('a number is longer than 64 bits')
  }

  #step(length: number): void {
    if (this.at + length > this.#bytes.length) throw new RangeError('the bytes end')
    this.at += length
  }

  #listHead(): { readonly length: number; readonly type: number } {
    const byte = this.#byte()
    return { length: byte >> 4 === 15 ? this.#varint() : byte >> 4, type: byte & 15 }
  }

  /** Each value takes a byte at least, so that a claimed length costs no more than the bytes that there are. */
  #skip(type: number, depth: number): void {
    if (depth > deepest) throw new RangeError('values nest deeper than they should')
    if (type >= 1 && type <= 3) this.#step(1)
    else if (type >= 4 && type <= 6) this.#varint()
    else if (type === 7) this.#step(8)
    else if (type === thrift.string) this.#step(this.#varint())
    else if (type === thrift.list || type === 10) {
      const list = this.#listHead()
      for (let index = 0; index < list.length; index += 1) this.#skip(list.type, depth + 1)
    } else if (type === 11) this.#skipPairs(depth)
    else if (type === thrift.struct) this.struct(() => false, depth + 1)
    else throw new RangeError('a value has a type that does not exist')
  }

  #skipPairs(depth: number): void {
    const length = this.#varint()
    if (length === 0) return
    const types = this.#byte()
    for (let index = 0; index < length; index += 1) {
      this.#skip(types >> 4, depth + 1)
      this.#skip(types & 15, depth + 1)
    }
  }
}
