/** The folder given by `--from` or `--against`, as the commands see it. */
import { NotApplicable, Trouble } from '../errors.ts'
import { type LocalTree, localTree } from '../needs/declarations.ts'
import type { Look } from './session.ts'

export type Local = { readonly tree: LocalTree } | { readonly none: string }

/** The folder's files where it belongs to this target, else why it does not. @throws Trouble `usage` when the folder itself cannot be used */
export const localOf = async (look: Look): Promise<Local> => {
  try {
    return { tree: await look.open(localTree) }
  } catch (error) {
    if (error instanceof NotApplicable) return { none: error.message }
    if (!(error instanceof Trouble) || !isOfTheFolder(error)) throw error
    const { what, why, todo } = error
    throw new Trouble({ kind: 'usage', what, why, todo, cause: error })
  }
}

/** Opening the folder asks for the target, too, whose troubles are not the folder's. */
const isOfTheFolder = ({ kind }: Trouble): boolean => ['not-found', 'denied', 'usage'].includes(kind)

/** The folder was given, and belongs to nothing that was looked at. */
export const foreignFolder = (option: string, dir: string, reason: string): Trouble =>
  new Trouble({
    kind: 'usage',
    what: `cannot use ${option} ${dir}`,
    why: reason,
    todo: `Give ${option} the folder of this model, or name the target that it belongs to`,
  })
