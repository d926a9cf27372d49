import type { FolderFinding, FolderRule } from '../folders.ts'

const manifest = 'Manifest.json'

/** CoreML's package: a manifest that names what lies in `Data/`; neither is of use alone. */
export const mlpackage: FolderRule = function* (path, folder): Generator<FolderFinding> {
  if (!path.toLowerCase().endsWith('.mlpackage/')) return
  const [hasManifest, hasData] = [folder.files.has(manifest), folder.below.has('Data')]
  if (hasData && !hasManifest) {
    const because = 'the content of a package is stored without its manifest'
    yield { path: `${path}${manifest}`, because, severity: 'error', folder: path }
  }
  if (hasManifest && !hasData) {
    const because = 'the manifest of a package is stored without its content'
    yield { path: `${path}Data/`, because, severity: 'error', folder: path }
  }
}
