import type { FolderFinding, FolderRule } from '../folders.ts'

const graphs = ['saved_model.pb', 'saved_model.pbtxt']
/** What TensorFlow and Keras write beside the graph, and nobody else. */
const companions = ['fingerprint.pb', 'keras_metadata.pb']
const isData = (name: string): boolean => /^variables\.data-\d{5}-of-\d{5}$/.test(name)

/** TensorFlow's SavedModel: a graph, and an index and data of its variables; a model may have none of these. */
export const savedModelFolder: FolderRule = function* (path, folder, tree): Generator<FolderFinding> {
  const variables = tree.folders.get(`${path}variables/`)?.files
  const hasIndex = variables?.has('variables.index') ?? false
  const hasData = [...(variables?.keys() ?? [])].some(isData)
  const hasGraph = graphs.some((name) => folder.files.has(name))
  if (!hasGraph && !companions.some((name) => folder.files.has(name))) return
  const severity = 'error'
  if (!hasGraph && (hasIndex || hasData)) {
    const because = 'the variables of a saved model are stored without its graph'
    yield { path: `${path}saved_model.pb`, because, severity, folder: path }
  }
  if (hasIndex && !hasData) {
    const because = 'the index of the variables is stored without their data'
    yield { path: `${path}variables/variables.data-00000-of-00001`, because, severity, folder: path }
  }
  if (hasData && !hasIndex) {
    const because = 'the data of the variables are stored without their index'
    yield { path: `${path}variables/variables.index`, because, severity, folder: path }
  }
}
