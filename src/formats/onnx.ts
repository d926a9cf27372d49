import { broken, complete, type Format, type Peek, unknown, type Verdict } from './format.ts'
import { externalData } from './onnx-external.ts'
import { type Field, fieldsOf, lengthDelimited, NoField, varint } from './protobuf.ts'

/** Fields of ModelProto (onnx/onnx.proto) by number, and how each is written. */
const fields: Readonly<Record<number, number>> = {
  1: varint, // ir_version
  2: lengthDelimited, // producer_name
  3: lengthDelimited, // producer_version
  4: lengthDelimited, // domain
  5: varint, // model_version
  6: lengthDelimited, // doc_string
  7: lengthDelimited, // graph
  8: lengthDelimited, // opset_import
  14: lengthDelimited, // metadata_props
  20: lengthDelimited, // training_info
  25: lengthDelimited, // functions
  26: lengthDelimited, // configuration
}
const irVersion = 1
const graphNumber = 7
const opsetNumber = 8
/** Since this version a model has to say which operators it uses (onnx/checker.cc). */
const opsetsSince = 3
/** The first byte: writers put the version first. */
const versionTag = 0x08

const judge = async (file: Peek): Promise<Verdict> => {
  if (file.head[0] !== versionTag) return unknown('it does not begin with a version')
  let version = 0
  let graph: Field | undefined
  let opsets = 0
  try {
    const all = await fieldsOf(
      file,
      (number) => fields[number],
      (field) => {
        if (field.number === irVersion) version = field.value
        if (field.number === graphNumber) graph = field
        if (field.number === opsetNumber) opsets += 1
      },
    )
    if (all === 'something else') return unknown('it holds fields that are not known of ONNX')
  } catch (error) {
    // Zeros behind the graph: the size was there before the rest was.
    if (error instanceof NoField && error.number === 0 && graph !== undefined) {
      return broken(`nothing that ONNX knows is at byte ${error.at}, behind its graph`)
    }
    throw error
  }
  if (graph === undefined) return broken('it ends before its graph')
  if (version >= opsetsSince && opsets === 0) return broken('it ends before the versions of its operators')
  const { refers, all } = await externalData(file)
  const rest = all ? '' : ', and not all that it refers to was looked for'
  return complete(`its fields end where the file ends${rest}`, refers)
}

/** A graph in protobuf; the largest tensors may be in files beside it. */
export const onnx: Format = {
  id: 'onnx',
  title: 'an ONNX model',
  names: ['.onnx'],
  least: 4,
  recognises: () => false,
  judge,
}
