/** Needs that a broad scan has opened already when it comes to a target. */
import type { Facts, Need } from '../check.ts'
import type { Preset } from '../run.ts'
import type { Store } from '../stores/store.ts'
import { type Listing, listing, type Strays, store, strays } from './declarations.ts'
import type { Opened } from './opener.ts'

const open = <V, F extends Facts>(need: Need<string, V, F>, opened: Opened<V, F>): [string, Opened] => [
  need.name,
  opened as Opened,
]

/** The store of the target, without its closing, and its files where they were listed with others. */
export const presetOf = (opened: Store, listed: Listing | undefined, stray?: Strays): Preset => {
  const preset = [open(store, { value: opened, facts: { storeUri: opened.uri, reached: opened.reached } })]
  if (listed) {
    preset.push(open(listing, { value: listed, facts: { objects: listed.files.size, stored: listed.bytes } }))
  }
  if (stray) {
    const strayObjects = stray.folders.reduce((sum, { objects }) => sum + objects, stray.more)
    preset.push(open(strays, { value: stray, facts: { strayFolders: stray.folders.length, strayObjects } }))
  }
  return new Map(preset)
}
