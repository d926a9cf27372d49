import { defineCheck } from '../../src/check.ts'
import { listing, localTree, loggedModel, modelFiles, orphanAge, target } from '../../src/needs/declarations.ts'
import { bytes, shellWord } from '../../src/words.ts'
import { mayYetCome } from '../model/status.ts'

const because = {
  loading: 'loading the model fails without it',
  environment: 'serving and reproducing the environment need it, though loading does not notice',
  example: 'the input example is read from it',
} as const

/** What `artifacts={…}` named: load_model hands out the path and opens nothing (measured with MLflow 3.17.2). */
const isData = (by: string): boolean => by.startsWith('flavors.python_function.artifacts.')
const unnoticed = 'loading does not notice, and the model fails when it opens the file'

export default defineCheck({
  id: 'artifact/missing-files',
  title: 'Every file that MLmodel or the local folder names is stored',
  severity: 'error',
  on: ['scan'],
  needs: [target, listing, modelFiles],
  wants: [localTree, loggedModel, orphanAge],
  facts: { expected: 'bytes' },
  explain: {
    measures:
      'Lists the artifact root and compares it with what each MLmodel refers to (the keys of every flavour), and with the folder given by --from or --against, file by file. Nothing is downloaded but MLmodel.',
    breaks:
      'MLflow sends the files of a model one after the other; when one fails, those before it stay, usually MLmodel among them, and nothing marks the model as partial. download_artifacts succeeds all the same.',
    remedy:
      'Run `mlflow-doctor repair` with --from naming the folder that still holds the files, such as the temp folder of the killed training process.',
  },
  async *run({ target, listing, modelFiles, localTree, loggedModel, orphanAge }) {
    if (target.kind === 'uri' && listing.files.size === 0 && (localTree?.files.size ?? 0) === 0) {
      yield {
        kind: 'gap',
        at: target.name,
        cannot: 'prove',
        because: 'nothing is stored here and nothing says what should be',
        unexpected: false,
        about: 'sizes',
      }
    }
    const perhaps = mayYetCome(loggedModel, orphanAge)
    const isStored = (path: string) => {
      if (listing.files.has(path)) return true
      const folder = path.endsWith('/') ? path : `${path}/`
      for (const name of listing.files.keys()) if (name.startsWith(folder)) return true
      return false
    }
    const said = new Set<string>()
    const remedyFor = (path: string) => ({
      text: localTree?.files.has(path)
        ? `${localTree.dir} still holds it; repair puts it back.`
        : 'Point repair at a folder that still holds it.',
      commands: [
        `mlflow-doctor repair ${shellWord(target.name)} --from ${localTree ? shellWord(localTree.dir) : 'DIR'}`,
      ],
    })
    const missing = (path: string, says: string, severity: 'error' | 'warning') => {
      said.add(path)
      const local = localTree?.files.get(path)
      return {
        kind: 'finding',
        at: `${target.name}/${path}`,
        says: `${says}${perhaps}`,
        severity,
        facts: local ? { expected: local.bytes } : {},
        remedy: remedyFor(path),
        wants: [{ want: 'file', target: target.name, path, ...(local ? { bytes: local.bytes } : {}) }],
      } as const
    }
    if (target.kind === 'model' && !listing.files.has('MLmodel')) {
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
          says: `${by} names "${path}", which ${why}; it is not followed`,
          facts: {},
          remedy: { text: 'Log the model again, with paths inside its own folder.' },
        }
      }
      for (const { path, by, needed } of content.refers) {
        const full = `${folder}${path}`
        if (said.has(full) || isStored(full)) continue
        yield missing(
          full,
          `${by} in MLmodel names it, but it is not stored; ${isData(by) ? unnoticed : because[needed]}`,
          needed === 'loading' ? 'error' : 'warning',
        )
      }
    }
    for (const [path, { bytes: size }] of localTree?.files ?? []) {
      if (said.has(path) || listing.files.has(path)) continue
      yield missing(path, `${localTree?.dir} holds it (${bytes(size)}), the store does not`, 'error')
    }
  },
})
