import { defineCheck } from '../../src/check.ts'
import { artifactRoot, target } from '../../src/needs/declarations.ts'

export default defineCheck({
  id: 'model/artifact-root',
  title: 'What the run or model says was stored has a place that is there',
  severity: 'error',
  on: ['scan'],
  needs: [target, artifactRoot],
  wants: [],
  facts: { location: 'text' },
  explain: {
    measures:
      'Looks whether the bucket or folder of the artifact root is there, and whether anything lies in each folder to which MLflow 2 noted that a model was logged (the tag mlflow.log-model.history).',
    breaks:
      'The tracking store knows nothing of what happens to buckets and folders: a run whose artifacts were removed, or moved to another machine, looks as before until something is loaded from it.',
    remedy: 'Restore the folder or bucket from a backup, or put the model back with `mlflow-doctor repair`.',
  },
  async *run({ target, artifactRoot: { uri, lifecycle, gone, unseen, emptyModels } }) {
    if (lifecycle === 'deleted') {
      yield {
        kind: 'active',
        at: target.name,
        says: 'the run is deleted: it is judged all the same, and mlflow gc would remove it with its artifacts',
        facts: { lifecycle },
      }
    }
    if (unseen !== undefined) {
      yield {
        kind: 'gap',
        at: target.name,
        cannot: 'see',
        because: `${uri} cannot be seen: ${unseen}`,
        unexpected: false,
        about: 'structure',
      }
    }
    if (gone !== undefined) {
      yield {
        kind: 'finding',
        at: target.name,
        says: `its artifact root ${uri} is gone: ${gone}`,
        facts: { location: uri },
        remedy: { text: 'Restore it from a backup, or correct the address that the tracking store has for it.' },
        // What says this once need not say it again.
        stops: ['listing', 'modelFiles', 'unfinishedUploads', 'structures', 'contents', 'manifest'],
      }
    }
    for (const folder of emptyModels) {
      yield {
        kind: 'finding',
        at: `${target.name}/${folder}`,
        says: 'the run notes that a model was logged to this folder, and nothing is stored in it',
        facts: { location: uri },
        remedy: { text: 'Point repair at a folder that holds the model, or log it again.' },
      }
    }
  },
})
