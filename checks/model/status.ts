import { defineCheck } from '../../src/check.ts'
import { loggedModel, orphanAge, target } from '../../src/needs/declarations.ts'
import { duration, shellWord } from '../../src/words.ts'

/** As much of a logged model as tells its age; times in milliseconds since the epoch. */
interface Model {
  readonly status: string
  readonly createdAt?: number
  readonly updatedAt?: number
}

/**
 * Milliseconds since the model's last change, undefined where no time is known, and whether it is young: PENDING and
 * unchanged for less than `orphanAge`, so that its upload may be in progress. A killed client looks just the same.
 */
const pending = (
  { status, updatedAt, createdAt }: Model,
  orphanAge: number,
): { readonly age: number | undefined; readonly young: boolean } => {
  const changed = updatedAt ?? createdAt
  // Against this machine's clock: the tracking store tells no time of its own. A skew of hours only makes the wording milder.
  const age = changed === undefined ? undefined : Date.now() - changed
  return { age, young: status === 'PENDING' && (age === undefined || age < orphanAge) }
}

/** What a finding about damage on a logged model adds: a clause, or nothing, and the facts. */
export const standing = (
  model: Model | undefined,
  orphanAge: number | undefined,
): { readonly clause: string; readonly facts: { readonly modelStatus?: string } } => {
  if (model === undefined) return { clause: '', facts: {} }
  const clause =
    orphanAge !== undefined && pending(model, orphanAge).young
      ? '; the model is PENDING, so its upload may still be in progress'
      : model.status === 'READY'
        ? '; the model is READY, so MLflow serves it as if it were whole'
        : ''
  return { clause, facts: { modelStatus: model.status } }
}

export default defineCheck({
  id: 'model/status',
  title: 'The logged model is READY',
  severity: 'error',
  on: ['scan'],
  needs: [target, loggedModel, orphanAge],
  wants: [],
  facts: { modelStatus: 'text', age: 'ms' },
  explain: {
    measures: 'Reads the status of the logged model and the time of its last change from the tracking store.',
    breaks:
      'A killed client leaves its model PENDING for ever; a client that saw an error sets UPLOAD_FAILED, also when the server finished the upload seconds later. MLflow registers and loads such a model without complaint, so nobody is told that it may be partial.',
    remedy:
      'Run `mlflow-doctor repair`: it puts back what is missing, and sets READY only when every file was verified. MLflow itself sets READY without looking at a single file.',
  },
  async *run({ target, loggedModel: model, orphanAge }) {
    if (model.status === 'READY' || model.status === 'UNKNOWN') return
    const { age, young } = pending(model, orphanAge)
    yield {
      kind: 'finding',
      at: target.name,
      says: young
        ? `it is PENDING, last changed ${age === undefined ? 'at an unknown time' : `${duration(Math.max(0, age))} ago`}: its upload may be in progress, or its client was killed`
        : `it is ${model.status}${age === undefined ? '' : `, unchanged for ${duration(Math.max(0, age))}`}`,
      severity: young ? 'info' : 'error',
      facts: { modelStatus: model.status, ...(age === undefined ? {} : { age }) },
      remedy: {
        text: 'When no training process is still writing it, repair puts back what is missing and sets it READY.',
        commands: [`mlflow-doctor repair ${shellWord(target.name)} --from DIR`],
      },
      wants: [{ want: 'model-ready', target: target.name, modelId: model.modelId }],
    }
  },
})
