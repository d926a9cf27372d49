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
        text:
          target.startsWith('models:/') || modelOf(target, path, stored) !== target
            ? 'Point repair at a copy of the model’s folder, its MLmodel included, in which this file is whole; where there is none, log the model again.'
            : 'Point repair at a folder that holds this file whole, at the same path; where there is none, log it again.',
        commands: [`mlflow-doctor repair ${shellWord(modelOf(target, path, stored))} --from DIR`],
      }
    : {
        text: `Repair puts it back from ${dir}.`,
        commands: [`mlflow-doctor repair ${shellWord(target)} --from ${shellWord(dir)}`],
      }
