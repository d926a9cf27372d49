import { defineCheck } from '../../src/check.ts'
import { listing, store, target } from '../../src/needs/declarations.ts'
import { exactBytes } from '../../src/words.ts'
import { isStaged } from './data/staged.ts'

export default defineCheck({
  id: 'artifact/staged-leftovers',
  title: 'No staged file was copied here as if it were an artifact',
  severity: 'warning',
  on: ['scan'],
  needs: [target, store, listing],
  wants: [],
  facts: { stored: 'bytes' },
  explain: {
    measures:
      'Looks in the listing of an object store for names of the form .artifact.uploading.*, under which MLflow writes each file of a folder store before it gives it its own name. In a folder that is looked at directly, such files are unfinished uploads, and artifact/unfinished-uploads tells of them.',
    breaks:
      'A killed writer leaves its staged file in the folder, where MLflow hides it. Copied to an object store with the rest, it is hidden no longer: it is listed, paid for and downloaded with every load, and it stands for a file that is most likely missing or short.',
    remedy:
      'Look whether a file beside it is missing or short, restore that one, and then remove the staged one with the tools of the store.',
  },
  async *run({ target, store, listing }) {
    if (store.kind === 'folder') return
    for (const { path, size } of listing.files.values()) {
      if (!isStaged(path)) continue
      yield {
        kind: 'finding',
        at: `${target.name}/${path}`,
        says: `a writer that was killed left it in a folder store, from which it was copied here; MLflow lists its ${exactBytes(size)} as an artifact`,
        facts: { stored: size },
        remedy: {
          text: 'Look whether a file beside it is missing or short, restore that one, and then remove this one with the tools of the store.',
        },
      }
    }
  },
})
