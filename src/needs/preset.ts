/** Needs that a broad scan has opened already when it comes to a target. */
import type { Facts, Need } from '../check.ts'
import type { Preset } from '../run.ts'
import type { Store } from '../stores/store.ts'
import { type Listing, listing, proxies, readRights, type Strays, store, storeReach, strays } from './declarations.ts'
import type { Opened } from './opener.ts'

const open = <V, F extends Facts>(need: Need<string, V, F>, opened: Opened<V, F>): [string, Opened] => [
  need.name,
  opened as Opened,
]

/**
 * Needs that say something of a whole store, and not of the one target in it. None of them may open the listing: that of a
 * whole experiment or bucket would come into memory at once.
 */
export const ofTheStore: readonly Need[] = [storeReach, proxies, readRights]

/** The store of the target, without its closing, and its files where they were listed with others. */
export const presetOf = (
  opened: Store,
  listed: Listing | undefined,
  { lent, stray }: { readonly lent: Preset; readonly stray?: Strays | undefined },
): Preset => {
  const preset = [open(store, { value: opened, facts: { storeUri: opened.uri, reached: opened.reached } })]
  if (listed) {
    const passedOver = opened.passedOver?.() ?? []
    const value = { ...listed, ...(passedOver.length > 0 && { passedOver }) }
    preset.push(open(listing, { value, facts: { objects: listed.files.size, stored: listed.bytes } }))
  }
  if (stray) {
    const strayObjects = stray.folders.reduce((sum, { objects }) => sum + objects, stray.more)
    preset.push(open(strays, { value: stray, facts: { strayFolders: stray.folders.length, strayObjects } }))
  }
  return new Map([...lent, ...preset])
}
