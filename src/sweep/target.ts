/** One address with any number of files below it, looked at section by section. */
import type { Look, Session } from '../commands/session.ts'
import { NotApplicable, Trouble } from '../errors.ts'
import type { Target } from '../mlflow/types.ts'
import { store as storeNeed } from '../needs/declarations.ts'
import { presetOf } from '../needs/preset.ts'
import { storeBelow } from '../stores/below.ts'
import type { Store } from '../stores/store.ts'
import type { Sweep } from './experiment.ts'
import { type Section, sectionsOf } from './sections.ts'
import { type SharedStore, sharedStore } from './shared-store.ts'

type Looking = Pick<Sweep, 'session' | 'signal' | 'meter'>

/** `size` is for tests: how many files a section has at least. */
export const lookInSections = async (target: Target, looking: Looking, size?: number): Promise<void> => {
  const { session, signal, meter } = looking
  const whole = await session.look(target, { only: () => false })
  try {
    const store = await whole.open(storeNeed)
    meter.begin(target.name)
    await lookAtSections(target, looking, sharedStore(store), sectionsOf(store, signal, size))
  } catch (error) {
    if (!(error instanceof Trouble || error instanceof NotApplicable)) throw error
    // What keeps the checks from looking is theirs to tell.
    await keeping(session, await session.look(target), {})
  } finally {
    await whole.close()
  }
}

const keeping = async (session: Session, look: Look, as: Parameters<Session['keep']>[1]): Promise<void> => {
  await session.keep(look, as)
  await look.close()
}

const lookAtSections = async (
  target: Target,
  { session, signal, meter }: Looking,
  shared: SharedStore,
  sections: AsyncGenerator<Section>,
): Promise<void> => {
  // All of them are told with the first section.
  const uploads = storeBelow(shared.store, '', shared)
  const others: Store = storeBelow(shared.store, '', { async *unfinishedBelow() {} })
  let before = 0
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
    if (next.done) return
    const { files, bytes, only } = next.value
    // Whether an address that holds nothing is a mistyped one is for the listing itself to find out.
    const listed = files.size === 0 ? undefined : { files, bytes, ...(!only && { partial: true }) }
    const look = await session.look(target, { preset: presetOf(before === 0 ? uploads : others, listed) })
    await keeping(session, look, only ? {} : { section: before === 0 ? 'first' : 'later' })
    meter.looked(files.size, bytes)
    before += 1
  }
}
