import { defineCheck } from '../../src/check.ts'
import { outputs, target } from '../../src/needs/declarations.ts'
import { count } from '../../src/words.ts'

export default defineCheck({
  id: 'model/outputs',
  title: 'Every logged model that the run names is there',
  // Most often somebody deleted the model on purpose.
  severity: 'warning',
  on: ['scan'],
  needs: [target, outputs],
  wants: [],
  facts: { missingModel: 'text' },
  explain: {
    measures: 'Asks the tracking store for each logged model that the run names among its outputs.',
    breaks:
      'A logged model that was deleted stays among the outputs of its run: the run looks as if it had a model, and nothing can be loaded from it.',
    remedy:
      'A deleted model can be restored in the tracking database until mlflow gc has removed it; afterwards only logging it again helps.',
  },
  async *run({ target, outputs: { named, missing } }) {
    for (const modelId of missing) {
      yield {
        kind: 'finding',
        at: target.name,
        says: `it names logged model ${modelId} among its outputs (${count(named.length, 'model')} in all), which is deleted or unknown`,
        facts: { missingModel: modelId },
        remedy: { text: 'Log the model again; until mlflow gc has run, a deleted one can still be restored.' },
      }
    }
  },
})
