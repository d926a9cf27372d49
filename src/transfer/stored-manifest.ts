import { Trouble } from '../errors.ts'
import { readExactly } from '../stores/read-exactly.ts'
import type { Store } from '../stores/store.ts'
import { largestManifest, type Manifest, manifestPath, parseManifest } from './manifest.ts'

/** The manifest that a store holds; `size` in bytes, as it was listed. What is wrong with it stands in it: see `Manifest`. */
export const readManifest = async (from: Store, size: number, signal?: AbortSignal): Promise<Manifest> => {
  const useless = (malformed: string): Manifest => ({ writtenAt: 0, files: new Map(), malformed })
  const unread = (why: string): Manifest => ({ ...useless(why), unread: true })
  if (size > largestManifest) return useless(`it has ${size} bytes, and no manifest is larger than ${largestManifest}`)
  let text: string
  try {
    text = Buffer.from(await readExactly(from, manifestPath, 0, size, signal)).toString('utf8')
  } catch (error) {
    // What only wants the manifest would pass without it.
    if (error instanceof Trouble) return unread(error.why)
    throw error
  }
  try {
    return parseManifest(text)
  } catch (error) {
    if (error instanceof Trouble && error.kind === 'unexpected-answer') return useless(error.why)
    throw error
  }
}
