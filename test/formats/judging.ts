import { type Format, type Judgement, judgements, type RangeSource } from '../../src/formats/format.ts'
import { type Judged, judge } from '../../src/formats/index.ts'

const over = (bytes: Uint8Array): RangeSource => ({
  size: bytes.length,
  read: async (offset, length) => bytes.subarray(offset, offset + length),
})

/** Judges bytes, or text in UTF-8, as a file of that name. */
export const judged = (
  content: Uint8Array | string,
  name: string,
  options: { readonly prove?: boolean; readonly among?: readonly Format[] } = {},
): Promise<Judged> => judge(over(typeof content === 'string' ? Buffer.from(content) : content), name, options)

/** How often each judgement falls over the cuts of a file that leave `lengths` bytes; all of them unless told. */
export const cuts = async (
  content: Uint8Array | string,
  name: string,
  lengths?: Iterable<number>,
): Promise<Record<Judgement, number[]>> => {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  const found = Object.fromEntries(judgements.map((judgement) => [judgement, [] as number[]]))
  for (const length of lengths ?? Array.from(bytes.keys())) {
    const { judgement } = await judged(bytes.subarray(0, length), name)
    found[judgement]?.push(length)
  }
  return found as Record<Judgement, number[]>
}
