import { Trouble } from '../errors.ts'
import type { Step } from '../report.ts'
import { lastSign, type Time, timesOf } from '../stores/age.ts'
import type { UnfinishedUpload } from '../stores/store.ts'
import { duration } from '../words.ts'
import type { Place, Planned, RepairOptions } from './types.ts'

const find = async (
  place: Place,
  path: string,
  id: string,
  signal?: AbortSignal,
): Promise<UnfinishedUpload | undefined> => {
  for await (const found of place.store.unfinished({ path, ...(signal === undefined ? {} : { signal }) })) {
    if (found.id === id) return found
  }
  return undefined
}

/**
 * Why an upload is not to be aborted now, or undefined when it may. By the store's clock alone; a time that is not known,
 * or lies in the future, counts as young.
 */
export const tooYoung = (now: number | undefined, times: readonly Time[], ageMs: number): string | undefined => {
  if (now === undefined) return 'the store does not tell its time, so its age is not known'
  const sign = lastSign(times)
  if (sign === undefined) return 'the store does not tell when it was begun, so it counts as young'
  const age = now - sign
  if (age < 0) return 'its time lies in the future, so it counts as young'
  if (age >= ageMs) return undefined
  return `its last sign of life is ${duration(age)} old, and ${duration(ageMs)} are asked for (--older-than)`
}

/** An abandoned upload that a check wants settled. Undefined when it is gone, or when the upload of the same file takes it up. */
export const planAbort = async (
  place: Place,
  wanted: { readonly path: string; readonly uploadId: string },
  takenUp: boolean,
  options: RepairOptions,
): Promise<Planned | undefined> => {
  const { store, target } = place
  const { path, uploadId } = wanted
  const common = { target: target.name, path, action: 'abort-upload', effect: 'deletes' } as const
  const step: Step = { ...common, route: store.route, bytes: 0, sent: 0, reused: 0, state: 'planned' }
  const ending = (state: 'declined' | 'failed', because: string, bytes = 0): Planned => ({
    ...{ do: 'abort', uploadId },
    step: { ...step, bytes, state, because },
  })
  if (!options.abortOrphans) {
    return takenUp ? undefined : ending('declined', 'its parts would be lost; --abort-orphans consents to that')
  }
  if (target.kind !== 'run' && target.kind !== 'model') {
    return ending('declined', 'no tracking server confirmed that this key belongs to a run or a model')
  }
  try {
    const found = await find(place, path, uploadId, options.signal)
    if (found === undefined) return undefined
    const parts = await store.partsOf(found, options.signal)
    const bytes = parts.reduce((sum, part) => sum + part.size, 0)
    const young = tooYoung(await store.now(options.signal), timesOf(found, parts), options.orphanAgeMs)
    return young === undefined ? { do: 'abort', uploadId, step: { ...step, bytes } } : ending('declined', young, bytes)
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    return ending('failed', `${error.why}. ${error.todo}`)
  }
}
