import { Trouble } from '../errors.ts'
import type { Step } from '../report.ts'
import type { Earlier, Store } from '../stores/store.ts'
import { exactBytes } from '../words.ts'
import { proveSource, type Readable } from './prove-source.ts'
import { mayOverwrite, type Place, type Planned, type RepairOptions } from './types.ts'

const nameOf = ({ kind, id, modified }: Earlier): string => {
  const when = modified === undefined ? '' : ` of ${new Date(modified).toISOString().slice(0, 19)}Z`
  return kind === 'version' ? `version ${id}${when}` : `${id}${when}`
}

/** Bytes that are looked at of what the store holds elsewhere: it is proved by its structure, and not downloaded for it. */
const readable = (store: Store, path: string, from: Earlier, signal?: AbortSignal): Readable => ({
  size: from.size,
  async read(into, offset, length) {
    const got = await store.readEarlier?.(path, from, offset, length, signal)
    into.set(got ?? [])
    return into.subarray(0, got?.length ?? 0)
  },
})

/** What the manifest says is compared byte by byte up to this size; larger ones are judged by size and structure. */
const mostRead = 64 * 1024 ** 2

/**
 * Restores a file that has no local source from what the store still holds of it: an earlier version, or a staged file that
 * never got its name. Undefined where there is nothing of the kind, or nothing that proves itself.
 */
export const planRestore = async (
  { store, target, manifest }: Place,
  path: string,
  sizes: ReadonlySet<number>,
  options: RepairOptions,
): Promise<Planned | undefined> => {
  const common = { target: target.name, path, action: 'copy', effect: 'adds', sent: 0, reused: 0 } as const
  const { signal } = options
  if (store.earlier === undefined || (await store.stat(path, signal)) !== undefined) return undefined
  const consent = mayOverwrite(options, target, path)
  let doubted: Planned | undefined
  for (const from of await store.earlier(path, signal)) {
    if ([...sizes].some((size) => size !== from.size)) continue
    const step: Step = { ...common, bytes: from.size, source: nameOf(from), state: 'planned' }
    try {
      const noted = from.size <= mostRead ? manifest?.files.get(path) : undefined
      const proof = await proveSource(readable(store, path, from, signal), path, noted, signal)
      if (proof.is === 'refused') continue
      // A staged file may be another one's: its size alone says nothing.
      if (proof.is === 'proved')
        return { do: 'copy', from, step: { ...step, because: `the source is proved: ${proof.how}` } }
      if (consent) return { do: 'copy', from, step: { ...step, because: 'taken as --overwrite allows' } }
    } catch (error) {
      if (!(error instanceof Trouble)) throw error
      continue
    }
    const because = `${nameOf(from)} holds ${exactBytes(from.size)}, and nothing proves that they are the file. To take them: --overwrite ${path}`
    doubted ??= { do: 'copy', from, step: { ...step, state: 'declined', because } }
  }
  return doubted
}
