import { defineCheck } from '../../src/check.ts'
import { strays, target } from '../../src/needs/declarations.ts'
import { bytes, count } from '../../src/words.ts'

export default defineCheck({
  id: 'artifact/stray-objects',
  title: 'Every object of the experiment belongs to a run or model',
  severity: 'warning',
  on: ['scan'],
  needs: [target, strays],
  wants: [],
  facts: { objects: 'count', stored: 'bytes' },
  explain: {
    measures:
      'With --stray: lists everything below the artifact location of an experiment once, and sets it against its runs and logged models, the deleted ones included, and what MLflow itself keeps there (traces). A folder that bears an id is asked about at the tracking store, so that runs of another experiment at the same location do not count. Nothing is read but the listing, and nothing is ever removed.',
    breaks:
      'Objects that no run names are shown by no page of MLflow and removed by no `mlflow gc`: they stay from runs whose rows were deleted in the database, from uploads to a wrong address, or from other programs, and are paid for.',
    remedy:
      'Look at the example with the tools of the store, and ask its owner. What nobody needs can be removed there; mlflow-doctor never does it.',
  },
  async *run({ target, strays }) {
    for (const { folder, objects, bytes: stored, example } of strays.folders) {
      yield {
        kind: 'finding',
        at: `${target.name}/${folder}`.replace(/\/$/, ''),
        says: `${count(objects, 'object')} of ${bytes(stored)} ${objects === 1 ? 'belongs' : 'belong'} to no run or model, such as ${example}`,
        facts: { objects, stored },
        remedy: { text: 'Ask who put it there before anything is removed; mlflow-doctor removes nothing of it.' },
      }
    }
    if (strays.more > 0) {
      yield {
        kind: 'gap',
        at: target.name,
        cannot: 'see',
        because: `${count(strays.more, 'more object')} of no run or model ${strays.more === 1 ? 'lies' : 'lie'} in folders beyond the first ${strays.folders.length}`,
        unexpected: false,
      }
    }
    if (strays.unasked > 0) {
      yield {
        kind: 'gap',
        at: target.name,
        cannot: 'prove',
        because: `the tracking store did not tell of ${count(strays.unasked, 'folder')} whether a run or model of that name exists, so nothing was said of ${strays.unasked === 1 ? 'it' : 'them'}`,
        unexpected: false,
      }
    }
  },
})
