import { exactBytes } from '../words.ts'
import { hasAt, u32le, u64le } from './bytes.ts'
import { fieldAt, tableAt, vectorAt } from './flatbuffer.ts'
import { broken, complete, ended, type Format, type Peek, unknown, type Verdict } from './format.ts'

const mark = 'ARROW1'
/** The mark and two bytes that align what follows. */
const headBytes = 8
/** The footer's length and the mark. */
const endBytes = 10
/** `struct Block` of File.fbs: offset, length of the metadata, padding, length of the body. */
const blockBytes = 24
/** `table Footer`: dictionaries and record batches, which are vectors of blocks. */
const blockFields = [2, 3]
/** The largest single read: blocks of 350,000 batches. */
const mostFooter = 8 * 1024 ** 2

/** Where the last message ends that the footer points at; RangeError where it is none. */
const contentEnd = (footer: Uint8Array): number => {
  const root = tableAt(footer, 0)
  // A footer has a schema, always.
  if (Number.isNaN(fieldAt(footer, root, 1))) throw new RangeError('its footer has no schema')
  let end = headBytes
  for (const field of blockFields) {
    const { at, length } = vectorAt(footer, fieldAt(footer, root, field), blockBytes)
    for (let block = at; block < at + length * blockBytes; block += blockBytes) {
      end = Math.max(end, u64le(footer, block) + u32le(footer, block + 8) + u64le(footer, block + 16))
    }
  }
  return end
}

/** Judges a footer of `length` bytes that ends, with its mark, at `end`. */
const judgeFooter = async (file: Peek, length: number, end: number): Promise<Verdict> => {
  if (length > mostFooter) return ended('its footer fits, and is too large to be looked through')
  const starts = end - endBytes - length
  const missing = contentEnd(await file.exactly(starts, length)) - starts
  if (missing <= 0) return complete('all that its footer points at is stored')
  return broken(`its footer points ${exactBytes(missing)} past the data that are stored`, file.size + missing)
}

const judge = async (file: Peek): Promise<Verdict> => {
  const { head, tail, size } = file
  if (!hasAt(head, 0, mark)) return unknown('it does not begin as an Arrow file does')
  const found = Buffer.from(tail.buffer, tail.byteOffset, tail.length).lastIndexOf(mark, undefined, 'latin1')
  const end = size - tail.length + found + mark.length
  const length = u32le(tail, found - 4)
  const needs = headBytes + length + endBytes
  if (end < size) {
    // Bytes may follow a whole file; the mark of the beginning has no footer before it.
    if (found < 4 || needs > end) return broken('the mark at its end is missing')
    const verdict = await judgeFooter(file, length, end)
    return verdict.judgement === 'complete' ? unknown(`${exactBytes(size - end)} follow its end`) : verdict
  }
  if (needs > size) return broken(`its footer asks for ${exactBytes(needs)}`, needs)
  return judgeFooter(file, length, size)
}

/** Feather of version 2 is the same. */
export const arrow: Format = {
  id: 'arrow',
  title: 'an Arrow file',
  names: ['.arrow', '.feather', '.ipc'],
  least: headBytes + endBytes,
  recognises: (head) => hasAt(head, 0, mark),
  judge,
}
