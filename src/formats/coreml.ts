import { broken, complete, type Format, unknown } from './format.ts'
import { fieldsOf, lengthDelimited, varint } from './protobuf.ts'

/** Fields of coremltools/mlmodel/format/Model.proto. */
const specificationVersion = 1
const description = 2
const isUpdatable = 10
/** From here on, one field for each kind of model. */
const firstKind = 200
const known = (number: number): number | undefined =>
  number === specificationVersion || number === isUpdatable
    ? varint
    : number === description || number >= firstKind
      ? lengthDelimited
      : undefined

/** The first byte: its version comes first. */
const versionTag = 0x08

/** Apple's models: a version, a description, and the model itself last. */
export const coreml: Format = {
  id: 'coreml',
  title: 'a Core ML model',
  names: ['.mlmodel'],
  least: 5,
  recognises: () => false,
  async judge(file) {
    if (file.head[0] !== versionTag) return unknown('it does not begin with a version')
    let kinds = 0
    const all = await fieldsOf(file, known, ({ number }) => {
      if (number >= firstKind) kinds += 1
    })
    if (all === 'something else') return unknown('it holds fields that a Core ML model has not')
    return kinds > 0 ? complete('its fields end where the file ends') : broken('it ends before the model itself')
  },
}
