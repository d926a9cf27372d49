import { ownFolder } from '../transfer/manifest.ts'
import type { ModelFile } from './mlmodel.ts'

/**
 * Written beside the model after MLflow has summed up the folder, hence not in `model_size_bytes` (measured with MLflow
 * 3.17.2: utils/file_utils.get_total_file_size runs just before MLmodel is saved).
 */
const uncounted = new Set(['MLmodel', 'conda.yaml', 'python_env.yaml', 'requirements.txt'])

/** Whether `model_size_bytes` counts a file; `path` is relative to the folder of the MLmodel. */
export const isCounted = (path: string, { codeUncounted }: Pick<ModelFile, 'codeUncounted'>): boolean =>
  !uncounted.has(path) && !path.startsWith(ownFolder) && !(codeUncounted && path.startsWith('code/'))
