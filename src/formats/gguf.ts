import { againstSize } from './against-size.ts'
import { hasAt, u32le, u64le } from './bytes.ts'
import { Cursor } from './cursor.ts'
import { type Format, type Peek, unknown, type Verdict } from './format.ts'

/** Elements in a block and bytes of it, by the number of the type (llama.cpp, ggml/src/ggml.c `type_traits`; gguf-py `GGML_QUANT_SIZES`). */
const blocks: Readonly<Record<number, readonly [elements: number, bytes: number]>> = {
  0: [1, 4], // F32
  1: [1, 2], // F16
  2: [32, 18], // Q4_0
  3: [32, 20], // Q4_1
  6: [32, 22], // Q5_0
  7: [32, 24], // Q5_1
  8: [32, 34], // Q8_0
  9: [32, 36], // Q8_1
  10: [256, 84], // Q2_K
  11: [256, 110], // Q3_K
  12: [256, 144], // Q4_K
  13: [256, 176], // Q5_K
  14: [256, 210], // Q6_K
  15: [256, 292], // Q8_K
  16: [256, 66], // IQ2_XXS
  17: [256, 74], // IQ2_XS
  18: [256, 98], // IQ3_XXS
  19: [256, 50], // IQ1_S
  20: [32, 18], // IQ4_NL
  21: [256, 110], // IQ3_S
  22: [256, 82], // IQ2_S
  23: [256, 136], // IQ4_XS
  24: [1, 1], // I8
  25: [1, 2], // I16
  26: [1, 4], // I32
  27: [1, 8], // I64
  28: [1, 8], // F64
  29: [256, 56], // IQ1_M
  30: [1, 2], // BF16
  34: [256, 54], // TQ1_0
  35: [256, 66], // TQ2_0
  39: [32, 17], // MXFP4
  40: [64, 36], // NVFP4
  41: [128, 18], // Q1_0
}

/** Bytes of the values of metadata, by the number of their type (ggml/docs/gguf.md). */
const scalars: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
}
const u32Type = 4
const stringType = 8
const arrayType = 9

/** No model has more dimensions (GGML_MAX_DIMS is 4). */
const mostDimensions = 8
/** The largest models have some thousands; more are not followed, below a second's work. */
const mostTensors = 500_000
/** Readers refuse arrays in arrays; writers nest one or two. */
const deepest = 64
const usualAlignment = 32
const alignmentKey = 'general.alignment'

const skipStrings = async (cursor: Cursor, count: number): Promise<void> => {
  for (let nth = 0; nth < count; nth += 1) {
    if (!cursor.holds(8)) await cursor.buffer(8)
    const length = u64le(cursor.take(8), 0)
    cursor.goTo(cursor.at + length)
  }
}

/** Arrays of arrays are legal, and followed without recursion. */
const skipValue = async (cursor: Cursor, type: number): Promise<void> => {
  const open: { readonly type: number; left: number }[] = [{ type, left: 1 }]
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    if (top.left === 0) {
      open.pop()
      continue
    }
    const width = scalars[top.type]
    if (top.type === arrayType && open.length < deepest) {
      top.left -= 1
      if (!cursor.holds(12)) await cursor.buffer(12)
      open.push({ type: u32le(cursor.take(4), 0), left: u64le(cursor.take(8), 0) })
      continue
    }
    if (top.type === stringType) await skipStrings(cursor, top.left)
    else if (width !== undefined) cursor.goTo(cursor.at + top.left * width)
    else throw new SyntaxError(`metadata of the type ${top.type}`)
    open.pop()
  }
}

/** `places` gets where each tensor begins, in bytes from the file's start. */
const judge = async (file: Peek, places: (all: readonly number[]) => void = () => undefined): Promise<Verdict> => {
  if (!hasAt(file.head, 0, 'GGUF')) return unknown('the mark of GGUF is not there')
  const header = await file.exactly(0, 24)
  const version = u32le(header, 4)
  if (version !== 2 && version !== 3) return unknown('it is of another version than 2 and 3, or big-endian')
  // Each entry takes bytes, so that a count beyond what the file holds ends at the file's end.
  const tensors = u64le(header, 8)
  const keys = u64le(header, 16)

  if (tensors > mostTensors) return unknown(`it tells of ${tensors} tensors, more than are followed`)
  const cursor = new Cursor(file, header.length)
  let alignment = usualAlignment
  for (let nth = 0; nth < keys; nth += 1) {
    if (!cursor.holds(8)) await cursor.buffer(8)
    const length = u64le(cursor.take(8), 0)
    let key = ''
    if (length === alignmentKey.length) {
      await cursor.buffer(length)
      key = Buffer.from(cursor.take(length)).toString('latin1')
    } else cursor.goTo(cursor.at + length)
    if (!cursor.holds(8)) await cursor.buffer(8)
    const type = u32le(cursor.take(4), 0)
    if (key === alignmentKey && type === u32Type) {
      await cursor.buffer(4)
      alignment = u32le(cursor.take(4), 0)
    } else await skipValue(cursor, type)
  }
  if (alignment === 0 || alignment % 8 !== 0) return unknown(`it tells an alignment of ${alignment}, which none has`)

  let reach = 0
  const offsets: number[] = []
  for (let nth = 0; nth < tensors; nth += 1) {
    await skipStrings(cursor, 1)
    if (!cursor.holds(4)) await cursor.buffer(4)
    const dimensions = u32le(cursor.take(4), 0)
    if (dimensions > mostDimensions) return unknown(`a tensor has ${dimensions} dimensions`)
    if (!cursor.holds(8 * dimensions + 12)) await cursor.buffer(8 * dimensions + 12)
    const shape = Array.from({ length: dimensions }, () => u64le(cursor.take(8), 0))
    const type = u32le(cursor.take(4), 0)
    const offset = u64le(cursor.take(8), 0)
    const block = blocks[type]
    const elements = shape.reduce((product, side) => product * side, 1)
    if (block === undefined) return unknown(`a tensor is of the type ${type}, whose size is not known`)
    if ((shape[0] ?? 1) % block[0] !== 0) return unknown('a tensor has a row that its type cannot hold')
    offsets.push(offset)
    reach = Math.max(reach, offset + (elements / block[0]) * block[1])
  }
  if (tensors === 0) return againstSize(file.size, cursor.at, 'its metadata reaches to', alignment)
  const data = Math.ceil(cursor.at / alignment) * alignment
  places(offsets.map((offset) => data + offset))
  return againstSize(file.size, data + reach, 'its tensors reach to', alignment - 1)
}

/** llama.cpp's file: the header tells type, shape and place of every tensor. */
export const gguf: Format = {
  id: 'gguf',
  title: 'a GGUF file',
  names: ['.gguf'],
  least: 24,
  recognises: (head) => hasAt(head, 0, 'GGUF'),
  judge: (file) => judge(file),
  async beginsAt(file, from) {
    let found = false
    await judge(file, (all) => {
      found = all.includes(from)
    })
    return found
  },
}
