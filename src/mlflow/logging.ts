import { modelOf, objectIn } from './answers.ts'
import type { Http } from './http.ts'
import { checkedId } from './ids.ts'
import type { LoggedModel } from './types.ts'

/** Beginning a logged model, as MLflow's own client does it (`Model.log`, models/model.py of 3.17.2). */
export interface ModelLogging {
  /** A PENDING model without files. Not repeated after a lost answer: `begun` finds what was made. @throws Trouble `unsupported` on servers older than 3.0 */
  begin(of: NewModel, signal?: AbortSignal): Promise<LoggedModel>
  /** The model of that experiment that carries this mark. */
  begun(of: Pick<NewModel, 'experimentId' | 'mark'>, signal?: AbortSignal): Promise<LoggedModel | undefined>
  /** Names the model among the outputs of its run. Refused for one that is named there already. */
  link(modelId: string, runId: string, signal?: AbortSignal): Promise<void>
}

export interface NewModel {
  readonly experimentId: string
  readonly name: string
  readonly runId?: string
  /** Kept as a tag, so that the same upload, begun again, goes on with the same model. Letters and digits. */
  readonly mark: string
}

const api = '/api/2.0/mlflow'
const tag = 'mlflow_doctor.upload'

export const modelLogging = (http: Pick<Http, 'json'>): ModelLogging => ({
  async begin({ experimentId, name, runId, mark }, signal) {
    const json = {
      experiment_id: checkedId('experiment id', experimentId),
      name,
      ...(runId === undefined ? {} : { source_run_id: checkedId('run id', runId) }),
      tags: [{ key: tag, value: mark }],
    }
    const what = `begin a logged model in experiment ${experimentId}`
    const answer = await http.json('POST', `${api}/logged-models`, { json, what, ...(signal && { signal }) })
    return modelOf(objectIn(objectIn(answer, 'model'), 'info'))
  },
  async begun({ experimentId, mark }, signal) {
    const json = {
      experiment_ids: [checkedId('experiment id', experimentId)],
      filter: `tags.${tag} = '${mark}'`,
      max_results: 1,
    }
    const what = `look for a logged model in experiment ${experimentId}`
    const answer = await http.json('POST', `${api}/logged-models/search`, { json, what, ...(signal && { signal }) })
    const found = objectIn(answer, 'models')
    return Array.isArray(found) && found.length > 0 ? modelOf(objectIn(found[0], 'info')) : undefined
  },
  async link(modelId, runId, signal) {
    const json = { run_id: checkedId('run id', runId), models: [{ model_id: checkedId('model id', modelId), step: 0 }] }
    const what = `name ${modelId} among the outputs of run ${runId}`
    await http.json('POST', `${api}/runs/outputs`, { json, what, ...(signal && { signal }) })
  },
})
