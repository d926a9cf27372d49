import { broken, complete, type Format, unknown } from './format.ts'
import { fieldsOf, lengthDelimited, varint } from './protobuf.ts'

/** Fields of tensorflow/core/protobuf/saved_model.proto. */
const schemaVersion = 1
const metaGraphs = 2
const known = (number: number): number | undefined =>
  number === schemaVersion ? varint : number === metaGraphs ? lengthDelimited : undefined

/** A version and one graph or more; its variables are in files of their own. */
export const savedModel: Format = {
  id: 'saved-model',
  title: 'a TensorFlow SavedModel',
  names: ['saved_model.pb'],
  least: 4,
  recognises: () => false,
  async judge(file) {
    const numbers = new Set<number>()
    if ((await fieldsOf(file, known, ({ number }) => numbers.add(number))) === 'something else') {
      return unknown('it holds fields that a SavedModel has not')
    }
    return numbers.has(metaGraphs)
      ? complete('its fields end where the file ends')
      : broken('it ends before the first of its graphs')
  },
}
