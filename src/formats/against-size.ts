import { broken, complete, ended, unknown, type Verdict } from './format.ts'

/**
 * The verdict where a file tells up to which byte it is in use. Files may be longer: writers pad, tools append.
 * `reach` is the sentence's beginning, "its tensors reach to"; `slack` bytes more are the format's own padding.
 */
export const againstSize = (size: number, needs: number, reach: string, slack = 0): Verdict => {
  if (!Number.isSafeInteger(needs)) return unknown(`${reach} a place that no file has`)
  if (size < needs) return broken(`${reach} byte ${needs}, and ${size} bytes are stored`, needs)
  if (size <= needs + slack) return complete(`${reach} byte ${needs}, and ${size} bytes are stored`)
  return ended(`${reach} byte ${needs}, and ${size - needs} bytes more are stored, which readers may pass over`)
}
