/** What a listing alone tells of folders that belong together: shards, saved models, Spark's and CoreML's folders, checkpoints. No read. */
import { loneIndex } from './folders/lone-index.ts'
import { mlpackage } from './folders/mlpackage.ts'
import { orbax } from './folders/orbax.ts'
import { parentOf } from './folders/parent-of.ts'
import { savedModelFolder } from './folders/saved-model.ts'
import { shards } from './folders/shards.ts'
import { sparkParts } from './folders/spark-parts.ts'
import { sparkStages } from './folders/spark-stages.ts'

export interface Sized {
  /** Bytes. */
  readonly size: number
}

/** The folders of a listing. Their paths end in `/`; that of the root is empty. */
export interface Tree {
  /** Each folder that holds something at any depth: the names of its own files, and of the folders right below it. */
  readonly folders: ReadonlyMap<string, Folder>
}

export interface Folder {
  readonly files: ReadonlyMap<string, Sized>
  /** Names without a slash. */
  readonly below: ReadonlySet<string>
}

export interface FolderFinding {
  /** The file that is missing, or whose size is wrong; the first one of several. */
  readonly path: string
  /** A clause in figures. */
  readonly because: string
  readonly severity: 'error' | 'warning'
  /** The folder whose files do not fit together; ends in `/` unless it is the root, which is empty. */
  readonly folder: string
}

/** Looks at one folder of the tree; it must cost no more than the folder's own entries. */
export type FolderRule = (path: string, folder: Folder, tree: Tree) => Iterable<FolderFinding>

const rules: readonly FolderRule[] = [shards, loneIndex, savedModelFolder, sparkParts, sparkStages, orbax, mlpackage]

interface Growing {
  readonly files: Map<string, Sized>
  readonly below: Set<string>
}

const treeOf = (files: ReadonlyMap<string, Sized>): Tree => {
  const folders = new Map<string, Growing>()
  const folderAt = (path: string): Growing => {
    const known = folders.get(path)
    if (known !== undefined) return known
    const folder: Growing = { files: new Map(), below: new Set() }
    folders.set(path, folder)
    // New folders are told to what they lie in, once each.
    for (let child = path, parent = parentOf(child); parent !== undefined; child = parent, parent = parentOf(child)) {
      const present = folders.get(parent)
      const holder = present ?? { files: new Map(), below: new Set() }
      holder.below.add(child.slice(parent.length, -1))
      if (present !== undefined) break
      folders.set(parent, holder)
    }
    return folder
  }
  for (const [path, file] of files) {
    const slash = path.lastIndexOf('/') + 1
    // A key that ends in a slash stands for a folder, not for a file.
    if (slash < path.length) folderAt(path.slice(0, slash)).files.set(path.slice(slash), file)
  }
  return { folders }
}

/** Looks through a listing; paths are relative to the artifact root. In order of the folders. */
export const folderFindings = (files: ReadonlyMap<string, Sized>): readonly FolderFinding[] => {
  const tree = treeOf(files)
  const found: FolderFinding[] = []
  for (const [path, folder] of tree.folders) for (const rule of rules) found.push(...rule(path, folder, tree))
  return found
}
