import { Trouble } from '../errors.ts'
import type { Store } from '../stores/store.ts'
import { count } from '../words.ts'
import { scratch } from './digest.ts'
import type { Source } from './identity.ts'
import { compareByReading, type Verdict } from './proof.ts'

/**
 * How a stored file is proved where the store keeps no checksum of it: not at all, by pieces that are read back, or by
 * reading back all of it.
 */
export const verifications = ['checksum', 'sample', 'full'] as const
export type Verification = (typeof verifications)[number]

const KiB = 1024
const sampleBytes = 64 * KiB
/** Pieces that are read back of one file, spread evenly; with the first and the last byte among them: 4 MiB at most. */
const samples = 64

const offsetsIn = (size: number): number[] => {
  const last = Math.max(0, size - sampleBytes)
  const many = Math.min(samples, Math.ceil(size / sampleBytes))
  return many <= 1 ? [0] : Array.from({ length: many }, (_, n) => Math.round((last * n) / (many - 1)))
}

const bySamples = async (store: Store, path: string, source: Source, signal?: AbortSignal): Promise<Verdict> => {
  const buffer = scratch()
  const offsets = offsetsIn(source.size)
  for (const at of offsets) {
    const length = Math.min(sampleBytes, source.size - at)
    const stored = await store.read(path, at, length, signal)
    const local = await source.read(buffer, at, length)
    if (Buffer.compare(stored, local) !== 0) {
      return { is: 'different', why: `its bytes from ${at} on differ from the local file` }
    }
  }
  return { is: 'equal', how: `${count(offsets.length, 'sample')} read back` }
}

/** What reading back proves of a file of which the store's checksum proves nothing, for the reason `why`. */
export const readBack = async (
  how: Verification,
  {
    store,
    path,
    source,
    why,
  }: { readonly store: Store; readonly path: string; readonly source: Source; readonly why: string },
  signal?: AbortSignal,
): Promise<Verdict> => {
  if (how === 'checksum') return { is: 'unknown', why }
  try {
    return how === 'full'
      ? await compareByReading(store, path, source, source.size, signal)
      : await bySamples(store, path, source, signal)
  } catch (error) {
    if (!(error instanceof Trouble) || error.kind !== 'unsupported') throw error
    return {
      is: 'unknown',
      why: 'this route offers no checksum and no way to read a part back: only the size is known to agree',
    }
  }
}
