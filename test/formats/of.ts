import { type Judged, judge } from '../../src/formats/index.ts'

export const bytesOf = (...parts: readonly (string | Uint8Array | readonly number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))))

/** Bytes that do not pack, the same each time (xorshift32). */
export const noise = (length: number): Uint8Array => {
  let state = 2463534242
  return Uint8Array.from({ length }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state & 255
  })
}

export const judged = (bytes: Uint8Array, name: string, prove = false): Promise<Judged> =>
  judge({ size: bytes.length, read: async (at, length) => bytes.subarray(at, at + length) }, name, { prove })

/** The judgements of all that is left of a file when it is cut, by how many bytes are left; of at most some 300 cuts. */
const cutsOf = async (bytes: Uint8Array, name: string): Promise<Map<number, string>> => {
  const found = new Map<number, string>()
  const stride = Math.max(1, Math.floor(bytes.length / 250))
  for (let left = 0; left < bytes.length; left += left > bytes.length - 40 || left < 40 ? 1 : stride) {
    found.set(left, (await judged(bytes.subarray(0, left), name)).judgement)
  }
  return found
}

/** Cuts that pass, told with how many bytes are left of how many. */
export const missed = async (bytes: Uint8Array, name: string, flagged = /^broken$/): Promise<readonly string[]> =>
  [...(await cutsOf(bytes, name))]
    .filter(([, judgement]) => !flagged.test(judgement))
    .map(([left, judgement]) => `${left} of ${bytes.length}: ${judgement}`)
