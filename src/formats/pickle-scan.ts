/** What a pickle holds and what weighs in it, told from its opcodes alone. */
import { type Entry, heavy, mostNames, type Slot } from './pickle-machine.ts'
import { type PickleLimits, walkPickle } from './pickle-walk.ts'
import type { RandomRead } from './pickle-window.ts'

export interface PickleHolding {
  /** Where it hangs, from the pickled object on: `config.train_df`; of a function's captured variables their names. Tamed. */
  readonly path: string
  /** `pandas.core.frame.DataFrame`; `list`, `dict`, `bytes` and `str` for plain ones; `?` where the opcodes do not tell. */
  readonly className: string
  /** Bytes of the stream that it was written with; what is referred to from several places counts at the first. */
  readonly bytes: number
}

export interface PickleScan {
  /** `whole`: the walk came to the end of the pickle. `unknown`: it did not, and the figures are of what was walked. */
  readonly verdict: 'whole' | 'unknown'
  /** Why it did not come to the end. */
  readonly why?: string
  /** Up to where the walk came, in bytes. */
  readonly walked: number
  /** The class of the pickled object, as far as the opcodes tell. */
  readonly className: string
  /** What hangs on the pickled object by name and weighs something, heaviest first. Empty where the end was not reached. */
  readonly holdings: readonly PickleHolding[]
  /** Bytes of large strings by the class of the object that they were handed to, heaviest first. */
  readonly blobs: readonly { readonly className: string; readonly bytes: number }[]
}

/** 64 MiB of opcodes take one to three seconds to walk (measured); real pickles whose weight is in arrays need a few MiB. A million entries take some 100 MB. */
const usual: PickleLimits = { read: 64 * 1024 ** 2, entries: 1_000_000, piece: 256 * 1024 }

/** How deep names are followed in mappings. */
const deepest = 12
/** Steps over what was kept, when the names are gathered at the end. */
const mostSteps = 20_000

/** Containers of data, whose inner names (`_mgr`, `blocks`) tell a user nothing. */
const isData = (name: string): boolean => /^(numpy|pandas|polars|pyarrow|scipy|torch|xarray|dask)\b/.test(name)

/** One line, printable, of bounded length: names end up in messages. */
const tame = (name: string): string => name.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd').slice(0, 100)

/** Steps that stand for nothing that a user has named. */
const silentNames = new Set(['__globals__', '__wrapped__', '__dict__', '__closure__', '__kwdefaults__', '__defaults__'])

/** What hangs on the object, by name: where most of a value's weight has names of its own, those. */
const holdingsOf = (root: Slot): PickleHolding[] => {
  const found: PickleHolding[] = []
  let steps = 0
  /** The heavy members of a value that have names, those of the tuples and objects that it was made from included. */
  const members = ({ node, weight }: Slot, depth: number): readonly Entry[] => {
    steps += 1
    if (weight < heavy || depth > deepest || steps > mostSteps || isData(node.name)) return []
    const inner = [...(node.members ?? []), ...(node.from ?? [])].flatMap((slot) => members(slot, depth + 1))
    return [...(node.entries ?? []), ...inner].slice(0, mostNames)
  }
  const walk = (entries: readonly Entry[], above: readonly string[], depth: number): void => {
    for (const { name, slot } of entries) {
      if (found.length >= mostNames) return
      const path = silentNames.has(name) ? above : [...above, name]
      const inner = depth < deepest ? members(slot, 0) : []
      const bytes = inner.reduce((sum, entry) => sum + entry.slot.weight, 0)
      if (bytes > slot.weight / 2) walk(inner, path, depth + 1)
      else found.push({ path: tame(path.join('.')) || '?', className: tame(slot.node.name), bytes: slot.weight })
    }
  }
  walk(members(root, 0), [], 0)
  return found.sort((a, b) => b.bytes - a.bytes)
}

/** Walks the first pickle in `from`. @throws what `read` throws; a file that is no pickle, or a part of one, is `unknown`. */
export const scanPickle = async (from: RandomRead, limits: PickleLimits = usual): Promise<PickleScan> => {
  const { root, why, end, machine } = await walkPickle(from, 0, limits)
  if (root) machine.claim(root.node.name, root.loose)
  return {
    verdict: root === undefined ? 'unknown' : 'whole',
    ...(why !== undefined && { why }),
    walked: end,
    className: tame(root?.node.name ?? '?'),
    holdings: root === undefined ? [] : holdingsOf(root),
    blobs: [...machine.blobs]
      .map(([className, bytes]) => ({ className: tame(className), bytes }))
      .sort((a, b) => b.bytes - a.bytes),
  }
}
