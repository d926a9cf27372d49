import type { ModelVersion, Tracking } from './types.ts'

type Source = { readonly runId: string } | { readonly modelId: string }

/** The registered versions behind runs and models, asked for one by one as long as these are few, then read all at once. */
export interface Registry {
  /**
   * The versions that were registered from `source`. With `all` false, READY ones of logged models may be left out: whether
   * the model's files are whole is told of the model itself.
   */
  of(source: Source, all: boolean, signal?: AbortSignal): Promise<readonly ModelVersion[]>
}

/** One request each; beyond, a thousand versions a page cost less. */
const fewSources = 20
/** Versions kept in memory, some 300 bytes each; with more, each source goes on being asked for. */
const mostKept = 50_000

const keyOf = (source: Source): string => ('runId' in source ? `runs:/${source.runId}` : `models:/${source.modelId}`)

/** By its source. Undefined for a version of neither a run nor a logged model, and for what is READY and told elsewhere. */
const placeOf = ({ source, runId, status }: ModelVersion): string | undefined => {
  if (/^models:\/m-/.test(source)) return status === 'READY' ? undefined : source
  return runId === undefined ? undefined : `runs:/${runId}`
}

export const registryOf = (tracking: Tracking): Registry => {
  let asked = 0
  let reading: Promise<ReadonlyMap<string, readonly ModelVersion[]> | undefined> | undefined
  const readAll = async (signal?: AbortSignal) => {
    const found = new Map<string, ModelVersion[]>()
    let kept = 0
    for await (const version of tracking.versions(signal)) {
      const place = placeOf(version)
      if (place === undefined) continue
      kept += 1
      if (kept > mostKept) return undefined
      found.set(place, [...(found.get(place) ?? []), version])
    }
    return found
  }
  return {
    async of(source, all, signal) {
      asked += 1
      if (!all && asked > fewSources) {
        reading ??= readAll(signal)
        const index = await reading.catch((error: unknown) => {
          // What was cut short may work the next time.
          reading = undefined
          throw error
        })
        if (index !== undefined) return index.get(keyOf(source)) ?? []
      }
      const found = await Array.fromAsync(tracking.versionsOf(source, signal))
      // A version of a logged model names the run as well.
      return 'runId' in source ? found.filter((version) => !/^models:\/m-/.test(version.source)) : found
    },
  }
}
