import type { Literal } from './python-literal.ts'

/** Bytes of one element, and whether it is a Python object, which arrays keep as a pickle. */
export interface Dtype {
  readonly bytes: number
  readonly objects: boolean
}

/** Characters of type codes whose number counts bytes; `U` counts characters of four. */
const counted = /^[<>|=]?([biufcSaVmMUOt])(\d*)(?:\[[^\]]*\])?$/

/** Type codes without a number, as NumPy's one-character names. */
const single: ReadonlyMap<string, number> = new Map([
  ['?', 1],
  ['b', 1],
  ['B', 1],
])

const plain = (code: string): Dtype | undefined => {
  const match = counted.exec(code)
  const bare = single.get(code)
  if (bare !== undefined) return { bytes: bare, objects: false }
  if (match === null) return undefined
  const [, kind, digits = ''] = match
  if (kind === 'O') return { bytes: 8, objects: true }
  if (digits === '') return undefined
  return { bytes: Number(digits) * (kind === 'U' ? 4 : 1), objects: false }
}

/** The size that NumPy's description of an element gives; undefined where it is none of NumPy's own. */
export const dtypeOf = (descr: Literal | undefined): Dtype | undefined => {
  if (typeof descr === 'string') return plain(descr)
  if (!Array.isArray(descr)) return undefined
  const fields: readonly Literal[] = descr
  let bytes = 0
  let objects = false
  for (const field of fields) {
    // (name, element) or (name, element, shape); the name may be a pair of title and name.
    if (!Array.isArray(field) || field.length < 2) return undefined
    const element = dtypeOf(field[1])
    const shape = field[2] === undefined ? [] : typeof field[2] === 'number' ? [field[2]] : field[2]
    const times = productOf(shape)
    if (element === undefined || times === undefined) return undefined
    bytes += element.bytes * times
    objects ||= element.objects
  }
  return { bytes, objects }
}

/** How many elements a shape has; undefined where it is no shape. */
export const productOf = (shape: Literal | undefined): number | undefined => {
  if (!Array.isArray(shape)) return undefined
  const sides: readonly Literal[] = shape
  let product = 1
  for (const side of sides) {
    if (typeof side !== 'number' || !Number.isInteger(side) || side < 0) return undefined
    product *= side
  }
  return sides.includes(0) ? 0 : product
}
