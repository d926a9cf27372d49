/** One address with any number of files below it, looked at section by section. */
import { createHash } from 'node:crypto'
import { NotApplicable, Trouble } from '../errors.ts'
import type { Target } from '../mlflow/types.ts'
import { store as storeNeed } from '../needs/declarations.ts'
import { presetOf } from '../needs/preset.ts'
import { storeBelow } from '../stores/below.ts'
import type { Store } from '../stores/store.ts'
import { type Section, sectionsOf } from './sections.ts'
import { type SharedStore, sharedStore } from './shared-store.ts'
import { tellLeftOut } from './since.ts'
import type { Looking } from './sweep.ts'

/** `size` is for tests: how many files a section has at least. */
export const lookInSections = async (target: Target, looking: Looking, size?: number): Promise<void> => {
  const { session, signal, meter, state, keep } = looking
  if (state.has(target.name)) return
  const whole = await session.look(target, { only: () => false })
  try {
    const store = await whole.open(storeNeed)
    meter.begin(target.name)
    await lookAtSections(target, looking, sharedStore(store), sectionsOf(store, signal, size))
  } catch (error) {
    if (!(error instanceof Trouble || error instanceof NotApplicable)) throw error
    // What keeps the checks from looking is theirs to tell.
    await keep(await session.look(target), {}, target.name)
  } finally {
    await whole.close()
  }
  if (!signal.aborted) await state.wholeDone(target.name, () => session.results)
}

/** Names a section by what it holds, so that it is known again as long as nothing in it comes or goes. */
const nameOf = ({ files, bytes }: Section): string => {
  const digest = createHash('sha256')
  for (const path of files.keys()) digest.update(`${path}\n`)
  return `${digest.digest('hex').slice(0, 32)} ${bytes}`
}

const lookAtSections = async (
  target: Target,
  { session, signal, meter, state, since, keep }: Looking,
  shared: SharedStore,
  sections: AsyncGenerator<Section>,
): Promise<void> => {
  // All of them are told with the first section.
  const uploads = storeBelow(shared.store, '', shared)
  const others: Store = storeBelow(shared.store, '', { async *unfinishedBelow() {} })
  let before = 0
  let leftOut = 0
  while (!signal.aborted) {
    const next = await sections.next().catch((error: unknown) => {
      if (!(error instanceof Trouble) || before === 0) throw error
      return error
    })
    if (next instanceof Trouble) {
      const because = `only the first ${before} sections of it were looked at: ${next.what}: ${next.why}`
      session.gap({ at: target.name, cannot: 'see', because, unexpected: true })
      return
    }
    if (next.done) break
    const { files, bytes, only } = next.value
    const name = nameOf(next.value)
    if (state.has(name)) {
      before += 1
      continue
    }
    if (since && files.size > 0 && !since.changedFiles(files)) {
      leftOut += files.size
      continue
    }
    // Whether an address that holds nothing is a mistyped one is for the listing itself to find out.
    const listed = files.size === 0 ? undefined : { files, bytes, ...(!only && { partial: true }) }
    const look = await session.look(target, { preset: presetOf(before === 0 ? uploads : others, listed) })
    await keep(look, only ? {} : { section: before === 0 ? 'first' : 'later' }, name)
    meter.looked(files.size, bytes)
    before += 1
  }
  if (since && !signal.aborted) tellLeftOut(session, since, target.name, 'no file near it', leftOut)
}
