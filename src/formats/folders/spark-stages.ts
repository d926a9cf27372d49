import type { FolderFinding, FolderRule, Tree } from '../folders.ts'

/** `0_StringIndexer_5f0d2c3b9a41`: the place in the pipeline and the stage's own id (`SharedReadWrite.getStagePath`). */
const stageName = /^(\d+)_\w+$/

const hasMetadata = (path: string, tree: Tree): boolean =>
  [...(tree.folders.get(`${path}metadata/`)?.files.keys() ?? [])].some((name) => name.startsWith('part-'))

/** A pipeline of Spark ML: numbered folders of stages, each of which describes itself in `metadata/`, as the pipeline does. */
export const sparkStages: FolderRule = function* (path, folder, tree): Generator<FolderFinding> {
  const below = tree.folders.get(`${path}stages/`)?.below
  if (!folder.below.has('stages') || below === undefined) return
  const stages = new Map<number, string>()
  for (const name of below) {
    const number = stageName.exec(name)?.[1]
    if (number === undefined) return
    stages.set(Number(number), `${path}stages/${name}/`)
  }
  const described = [...stages.values()].filter((stage) => hasMetadata(stage, tree))
  if (described.length === 0) return
  if (!hasMetadata(path, tree)) {
    const because = 'the stages of a pipeline are stored without what describes it'
    yield { path: `${path}metadata/part-00000`, because, severity: 'error', folder: path }
  }
  for (const stage of stages.values()) {
    if (hasMetadata(stage, tree)) continue
    const because = 'a stage of the pipeline is stored without what describes it'
    yield { path: `${stage}metadata/part-00000`, because, severity: 'error', folder: path }
  }
  for (let number = 0, seen = 0; seen < stages.size; number += 1) {
    if (stages.has(number)) seen += 1
    else {
      const because = `stage ${number} of the pipeline is missing, though later ones are stored`
      yield { path: `${path}stages/${number}_`, because, severity: 'error', folder: path }
      return
    }
  }
}
