import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { unlessMissing } from '../errors.ts'
import { parseModelFile } from '../mlflow/mlmodel.ts'
import type { TargetSpec, Tracking } from '../mlflow/types.ts'
import { markTag } from './mark.ts'

/** What a command logged: the runs that carry its mark, with the models that they logged, and whatever its kept folders say they are. */
export const loggedBy = async (
  mark: string,
  folders: readonly string[],
  tracking: Tracking,
  signal: AbortSignal,
): Promise<readonly TargetSpec[]> => {
  const runs = new Set<string>()
  for await (const { runId } of tracking.tagged?.(markTag, mark, signal) ?? []) runs.add(runId)
  const specs: TargetSpec[] = [...runs].map((runId) => ({ kind: 'run', runId }))
  const seen = new Set<string>()
  for (const folder of folders) {
    const spec = await specOf(folder)
    // A run yields the models that it logged.
    if (spec === undefined || ('runId' in spec && spec.path === undefined)) continue
    const key = JSON.stringify(spec)
    if (seen.has(key)) continue
    seen.add(key)
    if (spec.kind !== 'model') {
      specs.push(spec)
      continue
    }
    const model = await tracking.model(spec.modelId, signal).catch(unlessMissing)
    const listed = model?.sourceRunId !== undefined && runs.has(model.sourceRunId)
    if (model !== undefined && !listed) specs.push(spec)
  }
  return specs
}

/** The logged model, or the folder of a run's artifacts (MLflow 2), that a model folder says it is. */
const specOf = async (folder: string): Promise<TargetSpec | undefined> => {
  try {
    const { modelId, runId, artifactPath } = parseModelFile(await readFile(join(folder, 'MLmodel'), 'utf8'))
    if (modelId !== undefined) return { kind: 'model', modelId }
    return runId === undefined || artifactPath === undefined ? undefined : { kind: 'run', runId, path: artifactPath }
  } catch {
    // Cut short, or removed meanwhile: it says nothing.
    return undefined
  }
}
