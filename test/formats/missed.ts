import { judged } from './judging.ts'

/** How many bytes are left by some 300 cuts of a file of `size`: all near its ends, and some in between. */
function* cutsOf(size: number): Generator<number> {
  const stride = Math.max(1, Math.floor(size / 250))
  for (let left = 0; left < size; left += left > size - 40 || left < 40 ? 1 : stride) yield left
}

/** Cuts that pass, told with how many bytes are left of how many. */
export const missed = async (bytes: Uint8Array, name: string, flagged = /^broken$/): Promise<readonly string[]> => {
  const found: string[] = []
  for (const left of cutsOf(bytes.length)) {
    const { judgement } = await judged(bytes.subarray(0, left), name)
    if (!flagged.test(judgement)) found.push(`${left} of ${bytes.length}: ${judgement}`)
  }
  return found
}
