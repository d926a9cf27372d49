import { Trouble } from './errors.ts'

/** Writes where the user said to: what goes wrong there is wrong usage, in one sentence. `what` is as in `cannot write WHAT`. */
export const writeNamed = async (
  what: string,
  write: () => Promise<void>,
  todo = 'Give a path in a folder that exists and may be written',
): Promise<void> => {
  try {
    await write()
  } catch (error) {
    throw new Trouble({ kind: 'usage', what: `cannot write ${what}`, why: (error as Error).message, todo })
  }
}
