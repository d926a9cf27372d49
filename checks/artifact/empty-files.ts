import { defineCheck } from '../../src/check.ts'
import {
  depth,
  formatNames,
  listing,
  loggedModel,
  manifest,
  modelFiles,
  orphanAge,
  target,
} from '../../src/needs/declarations.ts'
import { standing } from '../model/status.ts'
import { restore } from './remedies/restore.ts'

/** Keys of flavours that name one file which the flavour itself reads; data under `artifacts` and code may be empty. */
const mayBeEmpty = /\.(artifacts|code|extra_files|components|persist_dir)\b/

export default defineCheck({
  id: 'artifact/empty-files',
  title: 'No file is empty that cannot be',
  severity: 'error',
  on: ['scan'],
  needs: [target, listing, modelFiles, formatNames],
  wants: [depth, manifest, loggedModel, orphanAge],
  facts: { stored: 'bytes', expected: 'bytes', modelStatus: 'text' },
  explain: {
    measures:
      'Looks in the listing for files of zero bytes that the manifest or MLmodel says something about, or whose name promises a format in which no valid file is empty. Empty text files, __init__.py, _SUCCESS and the like are legal and not told.',
    breaks:
      'Servers under gunicorn store a request whose client closed after the headers as a whole file of zero bytes, and some versions a chunked one that was cut. Loading fails, or does not notice when it is a data file.',
    remedy: 'Run `mlflow-doctor repair` with --from naming a folder that holds the file, or log it again.',
  },
  async *run({ target, listing, modelFiles, formatNames, depth, manifest, loggedModel, orphanAge }) {
    if (depth?.kind === 'names') return
    const { clause, facts } = standing(loggedModel, orphanAge)
    const named = new Map<string, string>()
    for (const { folder, content } of modelFiles) {
      if ('malformed' in content) continue
      for (const { path, by, needed } of content.refers) {
        if (needed !== 'environment' && !mayBeEmpty.test(by)) named.set(`${folder}${path}`, by)
      }
    }
    for (const [path, { size }] of listing.files) {
      if (size > 0) continue
      const noted = manifest?.files.get(path)?.size
      // The manifest knows: it was empty when it was uploaded.
      if (noted === 0) continue
      const by = named.get(path)
      const format = formatNames(path)
      const why =
        noted !== undefined
          ? `the manifest says ${noted} bytes`
          : format !== undefined && format.least > 0
            ? `${format.title} has ${format.least} bytes at least`
            : by !== undefined
              ? `${by} in MLmodel names it`
              : undefined
      if (why === undefined) continue
      yield {
        kind: 'finding',
        at: `${target.name}/${path}`,
        says: `it is empty, and ${why}${clause}`,
        facts: {
          stored: 0,
          ...(noted === undefined ? (format?.least ? { expected: format.least } : {}) : { expected: noted }),
          ...facts,
        },
        remedy: restore(target.name, path, listing.files),
        wants: [{ want: 'file', target: target.name, path, ...(noted === undefined ? {} : { bytes: noted }) }],
      }
    }
  },
})
