import type { FolderFinding, FolderRule } from '../folders.ts'

const manifest = 'manifest.ocdbt'
/** What Orbax writes of a checkpoint's own; the list has changed between its versions, and each of them was optional once. */
const marks = ['_METADATA', '_CHECKPOINT_METADATA', '_sharding']

/** A checkpoint of Orbax in TensorStore's OCDBT: a manifest, and the nodes and values that it points at in `d/`. */
export const orbax: FolderRule = function* (path, folder): Generator<FolderFinding> {
  const marked = marks.some((name) => folder.files.has(name))
  const [hasManifest, hasData] = [folder.files.has(manifest), folder.below.has('d')]
  if (hasManifest && !hasData) {
    const because = 'the manifest of a checkpoint is stored without what it points at'
    yield { path: `${path}d/`, because, severity: 'warning', folder: path }
  }
  if (marked && hasData && !hasManifest) {
    const because = 'the data of a checkpoint are stored without their manifest'
    yield { path: `${path}${manifest}`, because, severity: 'warning', folder: path }
  }
  if (folder.files.has('_sharding') && hasManifest && !folder.files.has('_METADATA')) {
    const because = 'a checkpoint is stored without what describes its tree'
    yield { path: `${path}_METADATA`, because, severity: 'warning', folder: path }
  }
}
