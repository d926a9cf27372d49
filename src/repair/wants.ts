import type { Want } from '../check.ts'

/** Everything that is wanted of one target, each thing once. */
export interface Wanted {
  /** By path: the sizes in bytes that the checks expect, most often one or none. */
  readonly files: ReadonlyMap<string, ReadonlySet<number>>
  /** By path and id. */
  readonly uploads: readonly { readonly path: string; readonly uploadId: string }[]
  readonly models: readonly string[]
}

/** Merges what several checks want of one target: two that miss the same file want it once. */
export const mergeWants = (wants: Iterable<Want>, target: string): Wanted => {
  const files = new Map<string, Set<number>>()
  const uploads = new Map<string, { path: string; uploadId: string }>()
  const models = new Set<string>()
  for (const want of wants) {
    if (want.target !== target) continue
    if (want.want === 'model-ready') models.add(want.modelId)
    else if (want.want === 'upload-settled') uploads.set(JSON.stringify([want.path, want.uploadId]), want)
    else {
      const sizes = files.get(want.path) ?? new Set()
      if (want.bytes !== undefined) sizes.add(want.bytes)
      files.set(want.path, sizes)
    }
  }
  return { files, uploads: [...uploads.values()], models: [...models] }
}
