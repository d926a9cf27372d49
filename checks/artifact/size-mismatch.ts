import { defineCheck } from '../../src/check.ts'
import { isCounted } from '../../src/mlflow/model-size.ts'
import {
  depth,
  listing,
  localTree,
  loggedModel,
  manifest,
  modelFiles,
  orphanAge,
  structures,
  target,
} from '../../src/needs/declarations.ts'
import { bytes, exactBytes, shellWord } from '../../src/words.ts'
import { standing } from '../model/status.ts'
import { isStaged } from './data/staged.ts'
import { modelOf, restore } from './remedies/restore.ts'
import { isLater } from './told/later.ts'

export default defineCheck({
  id: 'artifact/size-mismatch',
  title: 'The stored bytes add up to what was logged',
  severity: 'error',
  on: ['scan'],
  answers: ['sizes'],
  needs: [target, listing, modelFiles],
  wants: [depth, localTree, manifest, structures, loggedModel, orphanAge],
  facts: { expected: 'bytes', stored: 'bytes', short: 'bytes', modelStatus: 'text' },
  explain: {
    measures:
      'Adds up the sizes in the listing and compares them with model_size_bytes in MLmodel (MLmodel, conda.yaml, python_env.yaml and requirements.txt are not in that figure, nor is code/ for a plain pyfunc model), and each file with the folder given by --from or --against.',
    breaks:
      'A truncated file under artifacts/ loads without any error and gives wrong results later; servers under gunicorn store a request that was cut in the middle as if it were whole.',
    remedy: 'Run `mlflow-doctor repair` with --from naming a folder that holds the files at full size.',
  },
  async *run({ target, listing, modelFiles, depth, localTree, manifest, structures, loggedModel, orphanAge }) {
    if (depth?.kind === 'names') {
      yield {
        kind: 'gap',
        at: target.name,
        cannot: 'see',
        because: '--depth names compares no sizes',
        unexpected: false,
        about: 'sizes',
      }
      return
    }
    const { clause, facts } = standing(loggedModel, orphanAge)
    for (const [path, { bytes: expected }] of localTree?.files ?? []) {
      const stored = listing.files.get(path)?.size
      if (stored === undefined || stored === expected) continue
      yield {
        kind: 'finding',
        at: `${target.name}/${path}`,
        says: `${exactBytes(stored)} are stored, ${localTree?.dir} holds ${exactBytes(expected)}${stored < expected ? clause : ''}`,
        facts: { expected, stored, short: Math.max(0, expected - stored), ...facts },
        remedy: {
          text:
            stored < expected
              ? 'Repair replaces it, after showing that what is stored is the beginning of the local file.'
              : 'What is stored is longer than the local file, so repair leaves it alone; compare the two by hand.',
          ...(stored < expected
            ? {
                commands: [
                  `mlflow-doctor repair ${shellWord(target.name)} --from ${shellWord(localTree?.dir ?? 'DIR')}`,
                ],
              }
            : {}),
        },
        ...(stored < expected ? { wants: [{ want: 'file', target: target.name, path, bytes: expected }] } : {}),
      }
    }
    if (manifest?.malformed !== undefined && manifest.unread !== true) {
      yield {
        kind: 'finding',
        at: `${target.name}/.mlflow-doctor/manifest.json`,
        says: `the manifest of an earlier upload cannot be used: ${manifest.malformed}`,
        severity: 'warning',
        facts: {},
        remedy: { text: 'The next repair or upload of this target writes it anew.' },
      }
    }
    for (const [path, { size: expected }] of manifest?.files ?? []) {
      const { size: stored, modified } = listing.files.get(path) ?? {}
      if (stored === undefined || stored === expected || localTree?.files.has(path)) continue
      const later = isLater(modified, manifest)
      yield {
        kind: 'finding',
        at: `${target.name}/${path}`,
        says: `${exactBytes(stored)} are stored, the manifest of an earlier upload says ${exactBytes(expected)}${later ? '; it was written after the manifest' : ''}${clause}`,
        severity: later ? 'warning' : 'error',
        facts: { expected, stored, short: Math.max(0, expected - stored), ...facts },
        remedy: restore(target.name, path, listing.files),
        wants: [{ want: 'file', target: target.name, path, bytes: expected }],
      }
    }
    for (const { path, why } of localTree?.problems ?? []) {
      yield {
        kind: 'gap',
        at: `${target.name}/${path}`,
        cannot: 'prove',
        because: `${localTree?.dir}/${path} was not compared: ${why}`,
        // The folder was given to be compared with, so what it holds and cannot be used is not to be passed over.
        unexpected: true,
        about: 'sizes',
      }
    }
    const sized = modelFiles.filter(({ content }) => 'modelSize' in content && content.modelSize !== undefined)
    if (sized.length === 0 && !localTree && (!manifest || manifest.malformed !== undefined) && listing.files.size > 0) {
      yield {
        kind: 'gap',
        at: target.name,
        cannot: 'prove',
        because: 'neither an MLmodel with model_size_bytes nor a local folder says how large its files should be',
        unexpected: false,
        about: 'sizes',
      }
    }
    for (const { folder, content } of modelFiles) {
      if ('malformed' in content || content.modelSize === undefined) continue
      let stored = 0
      const counted = new Set<string>()
      for (const [path, { size }] of listing.files) {
        if (!path.startsWith(folder)) continue
        const inside = path.slice(folder.length)
        // What a writer left stands beside the file that it was to become, and must not make up for it.
        if (isStaged(inside) || !isCounted(inside, content)) continue
        stored += size
        counted.add(path)
      }
      const expected = content.modelSize
      // More than was counted is legal: files may have been added to the folder afterwards.
      if (stored >= expected) continue
      // The rest may lie where nobody could look, which is told of every look.
      if (
        listing.passedOver?.some(({ path }) => path.startsWith(folder) || folder.startsWith(`${path}/`) || path === '')
      )
        continue
      const all = content.refers.every(({ path }) => listing.files.has(`${folder}${path}`))
      const open = all ? (structures?.unproved ?? []).filter((path) => counted.has(path)) : []
      // Where all files are there that MLmodel names, and all but one are whole, that one is the short one.
      const short = open.length === 1 ? open[0] : undefined
      const at = short ?? folder.replace(/\/$/, '')
      yield {
        kind: 'finding',
        at: `${target.name}${at === '' ? '' : '/'}${at}`,
        says: `${short === undefined ? '' : 'of the whole model, '}${stored} of ${expected} bytes are stored, ${bytes(expected - stored)} are missing${short === undefined ? '' : ', and every other file that counts is whole as its format tells, so this one is short'}${clause}`,
        facts: { expected, stored, short: expected - stored, ...facts },
        remedy: {
          text: 'Compare with the folder that the model was saved to; repair puts back what is missing or short. Where there is none, log the model again.',
          commands: [
            localTree
              ? `mlflow-doctor repair ${shellWord(target.name)} --from ${shellWord(localTree.dir)}`
              : `mlflow-doctor repair ${shellWord(modelOf(target.name, `${folder}MLmodel`, listing.files))} --from DIR`,
          ],
        },
      }
    }
  },
})
