import { defineCheck } from '../../src/check.ts'
import {
  folderParts,
  listing,
  localTree,
  loggedModel,
  manifest,
  modelFiles,
  orphanAge,
  structures,
  target,
} from '../../src/needs/declarations.ts'
import { bytes } from '../../src/words.ts'
import { standing } from '../model/status.ts'
import { restore } from './remedies/restore.ts'

const because = {
  loading: 'loading the model fails without it',
  environment: 'serving and reproducing the environment need it, though loading does not notice',
  example: 'the input example is read from it',
} as const

/** What `artifacts={…}` named: load_model hands out the path and opens nothing (measured with MLflow 3.17.2). */
const isData = (by: string): boolean => by.startsWith('flavors.python_function.artifacts.')
const unnoticed = 'loading does not notice, and the model fails when it opens the file'

/** Every folder that holds a file, at whatever depth. */
const foldersOf = (paths: Iterable<string>): ReadonlySet<string> => {
  const folders = new Set<string>()
  for (const path of paths) {
    for (
      let at = path.lastIndexOf('/');
      at > 0 && !folders.has(path.slice(0, at));
      at = path.lastIndexOf('/', at - 1)
    ) {
      folders.add(path.slice(0, at))
    }
  }
  return folders
}

export default defineCheck({
  id: 'artifact/missing-files',
  title: 'Every file that MLmodel, an index, the manifest or the local folder names is stored',
  severity: 'error',
  on: ['scan'],
  needs: [target, listing, modelFiles],
  wants: [localTree, manifest, structures, folderParts, loggedModel, orphanAge],
  facts: { expected: 'bytes', modelStatus: 'text' },
  explain: {
    measures:
      'Lists the artifact root and compares it with what each MLmodel refers to (the keys of every flavour), with the shards that an index or their own numbers name, with the pieces of formats that are folders (SavedModel, Spark, Orbax, Core ML), with the external data of ONNX and the like, with the manifest of an earlier upload or repair, and with the folder given by --from or --against, file by file. Nothing is downloaded but MLmodel, manifest and index.',
    breaks:
      'MLflow sends the files of a model one after the other; when one fails, those before it stay, usually MLmodel among them, and nothing marks the model as partial. download_artifacts succeeds all the same.',
    remedy:
      'Run `mlflow-doctor repair` with --from naming the folder that still holds the files, such as the temp folder of the killed training process.',
  },
  async *run({ target, listing, modelFiles, localTree, manifest, structures, folderParts, loggedModel, orphanAge }) {
    // A whole run may have no artifacts; a path in it that was typed and leads nowhere is most likely mistyped.
    const inRun = target.kind === 'run' && /^runs:\/[^/]+\//.test(target.name)
    if ((target.kind === 'uri' || inRun) && listing.files.size === 0 && (localTree?.files.size ?? 0) === 0) {
      yield {
        kind: 'gap',
        at: target.name,
        cannot: 'prove',
        because: inRun
          ? 'nothing is stored at this path of the run, and the run has no logged model of this name'
          : 'nothing is stored here and nothing says what should be',
        unexpected: inRun && target.version === undefined,
        about: 'sizes',
      }
    }
    const { clause, facts } = standing(loggedModel, orphanAge)
    // Only where something is named that is no file: most often nothing is.
    let folders: ReadonlySet<string> | undefined
    const isFolder = (path: string) => {
      folders ??= foldersOf(listing.files.keys())
      return folders.has(path)
    }
    const { passedOver = [] } = listing
    // What may lie behind something that was passed over is not known to be missing; that it was is told of every look.
    const isUnseen = (path: string) => passedOver.some((at) => at.path === '' || `${path}/`.startsWith(`${at.path}/`))
    const isFile = (path: string) => listing.files.has(path) || isUnseen(path)
    const isStored = (path: string) => isFile(path) || isFolder(path)
    const said = new Set<string>()
    const missing = (path: string, says: string, severity: 'error' | 'warning') => {
      said.add(path)
      const size = localTree?.files.get(path)?.bytes ?? manifest?.files.get(path)?.size
      return {
        kind: 'finding',
        at: `${target.name}/${path}`,
        says: `${says}${clause}`,
        severity,
        facts: { ...(size === undefined ? {} : { expected: size }), ...facts },
        remedy: restore(target.name, path, listing.files, localTree?.files.has(path) ? localTree.dir : undefined),
        wants: [{ want: 'file', target: target.name, path, ...(size === undefined ? {} : { bytes: size }) }],
      } as const
    }
    if (target.kind === 'model' && !isFile('MLmodel')) {
      yield missing('MLmodel', 'MLmodel is not stored, so MLflow cannot load anything from here', 'error')
    }
    for (const { folder, content } of modelFiles) {
      if ('malformed' in content) {
        yield {
          kind: 'finding',
          at: `${target.name}/${folder}MLmodel`,
          says: `MLmodel cannot be read: ${content.malformed}`,
          facts: {},
          remedy: { text: 'Restore MLmodel from the folder that the model was saved to.' },
          wants: [{ want: 'file', target: target.name, path: `${folder}MLmodel` }],
        }
        continue
      }
      for (const { path, by, why } of content.refused) {
        yield {
          kind: 'finding',
          at: `${target.name}/${folder}MLmodel`,
          says: `${by} names "${path}", which is not followed: ${why}`,
          facts: {},
          remedy: { text: 'Log the model again, with paths inside its own folder.' },
        }
      }
      for (const { path, by, needed, through } of content.refers) {
        const full = `${folder}${path}`
        if (said.has(full) || isStored(full)) continue
        yield missing(
          full,
          `${through === undefined ? `${by} in MLmodel names it` : `${through}, which MLmodel names, reads it`}, but it is not stored; ${isData(by) ? unnoticed : because[needed]}`,
          needed === 'loading' ? 'error' : 'warning',
        )
      }
    }
    for (const { from, path } of structures?.refers ?? []) {
      if (said.has(path) || isStored(path)) continue
      yield missing(path, `${from} reads from it, but it is not stored`, 'error')
    }
    for (const { path, because, severity } of folderParts ?? []) {
      if (said.has(path) || isUnseen(path)) continue
      const found = missing(path, because, severity)
      // Some are known by their beginning only, such as a stage of Spark ML, which no repair can be asked for.
      yield listing.files.has(path) || /[^/_]$/.test(path) ? found : { ...found, wants: [] }
    }
    for (const [path, { size }] of manifest?.files ?? []) {
      if (said.has(path) || isFile(path)) continue
      yield missing(path, `the manifest of an earlier upload names it (${bytes(size)}), but it is not stored`, 'error')
    }
    for (const [path, { bytes: size }] of localTree?.files ?? []) {
      if (said.has(path) || isFile(path)) continue
      yield missing(path, `${localTree?.dir} holds it (${bytes(size)}), the store does not`, 'error')
    }
  },
})
