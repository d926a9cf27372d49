import type { FolderFinding, FolderRule } from '../folders.ts'

const indexName = /(\.(?:safetensors|bin|h5|msgpack))\.index\.json$/

/** An index of shards, as `model.safetensors.index.json`, in a folder that holds no file of its kind: none of its shards is there. */
export const loneIndex: FolderRule = function* (path, folder): Generator<FolderFinding> {
  for (const name of folder.files.keys()) {
    const kind = indexName.exec(name)?.[1]
    if (kind === undefined || folder.below.size > 0) continue
    if ([...folder.files.keys()].some((other) => other.endsWith(kind))) continue
    const because = `it is an index of shards, and no file with the ending ${kind} lies beside it`
    yield { path: `${path}${name}`, because, severity: 'error', folder: path }
  }
}
