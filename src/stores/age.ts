import type { Part, UnfinishedUpload } from './store.ts'

/** Milliseconds since the epoch; what a store does not tell is undefined. */
export type Time = number | undefined

/** The times at which an upload showed life: when it was begun, and when each of its parts arrived. */
export const timesOf = (upload: UnfinishedUpload, parts: readonly Part[]): readonly Time[] => [
  upload.initiated,
  ...parts.map((part) => part.modified),
]

/** The newest time that is known; undefined when none is. */
export const lastSign = (times: readonly Time[]): Time => {
  let newest: Time
  for (const time of times) if (time !== undefined && (newest === undefined || time > newest)) newest = time
  return newest
}
