import type { Remedy } from '../../../src/check.ts'
import { shellWord } from '../../../src/words.ts'

/**
 * The target that a repair by the folder of one model has to name: below a store URI or in a run, where the model begins that
 * `path` lies in. Named by the whole address, repair would copy the model's files to the top of it.
 */
export const modelOf = (target: string, path: string, stored: ReadonlyMap<string, unknown>): string => {
  if (target.startsWith('models:/')) return target
  const parts = path.split('/')
  for (let depth = parts.length - 1; depth > 0; depth--) {
    const folder = parts.slice(0, depth).join('/')
    if (stored.has(`${folder}/MLmodel`)) return `${target}/${folder}`
  }
  return target
}

/** What puts a file back: from the folder that was given, if one was; that folder answers to the whole target. */
export const restore = (target: string, path: string, stored: ReadonlyMap<string, unknown>, dir?: string): Remedy =>
  dir === undefined
    ? {
        text: 'Point repair at a folder that holds the whole file, such as the one that the model was saved to; where there is none, log it again.',
        commands: [`mlflow-doctor repair ${shellWord(modelOf(target, path, stored))} --from DIR`],
      }
    : {
        text: `Repair puts it back from ${dir}.`,
        commands: [`mlflow-doctor repair ${shellWord(target)} --from ${shellWord(dir)}`],
      }
