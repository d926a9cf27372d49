import type { Want } from '../check.ts'
import { listing, localTree, modelFiles } from '../needs/declarations.ts'
import { count } from '../words.ts'
import type { Look } from './session.ts'

/**
 * Why a look that left out no check does not show a target to be whole, in words without a full stop; undefined when all
 * that is found is the status that is to be set. What was not looked at is no proof.
 */
export const doubtOf = async (look: Look): Promise<string | undefined> => {
  const { checks, gaps } = look.outcome
  const unknown = checks.find(({ state }) => state === 'blocked' || state === 'crashed')
  if (unknown) return `it could not be looked at: ${unknown.reason ?? unknown.title}`
  // Skipped are only checks whose question does not arise here; without these two, nothing was looked at.
  const looked = (await look.opened(listing)) !== undefined && (await look.opened(modelFiles)) !== undefined
  if (!looked || !checks.some(({ state }) => state === 'ok')) return 'its files were not looked at'
  const tree = await look.opened(localTree)
  /** An upload of a name that the model does not have makes none of its files worse. */
  const harmless = (want: Want): boolean =>
    want.want === 'model-ready' || (want.want === 'upload-settled' && tree !== undefined && !tree.files.has(want.path))
  const found = checks.flatMap(({ findings }) => findings)
  const damage = found.filter(({ wants }) => wants === undefined || wants.length === 0 || !wants.every(harmless))
  const [first] = damage
  if (first) {
    const more = damage.length > 1 ? ` (and ${count(damage.length - 1, 'more finding')})` : ''
    return `a check still finds something: ${first.at}: ${first.says}${more}`
  }
  const unseen = gaps.find(({ unexpected }) => unexpected)
  return unseen && `something could not be looked at: ${unseen.because}`
}
