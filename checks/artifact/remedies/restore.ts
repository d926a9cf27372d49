import type { Remedy } from '../../../src/check.ts'
import { shellWord } from '../../../src/words.ts'

/** What puts a file back: from the folder that was given, if one was. */
export const restore = (target: string, dir?: string): Remedy => ({
  text: dir === undefined ? 'Point repair at a folder that holds the whole file.' : `Repair puts it back from ${dir}.`,
  commands: [`mlflow-doctor repair ${shellWord(target)} --from ${dir === undefined ? 'DIR' : shellWord(dir)}`],
})
