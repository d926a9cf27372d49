import { exactBytes } from '../words.ts'
import { hasAt, u32le, u64le } from './bytes.ts'
import { fieldAt, tableAt, vectorAt } from './flatbuffer.ts'
import { broken, complete, ended, type Format, type Peek, unknown, type Verdict } from './format.ts'

const mark = 'FEA1'
/** The mark and four bytes that align what follows. */
const headBytes = 8
/** The length of the metadata and the mark. */
const endBytes = 8
const mostMetadata = 8 * 1024 ** 2

/** Where the last array ends. Field numbers are those of Feather's `feather.fbs`: CTable, Column and PrimitiveArray. */
const contentEnd = (metadata: Uint8Array): number => {
  const columns = vectorAt(metadata, fieldAt(metadata, tableAt(metadata, 0), 2), 4)
  let end = headBytes
  for (let column = 0; column < columns.length; column += 1) {
    const values = tableAt(metadata, fieldAt(metadata, tableAt(metadata, columns.at + 4 * column), 1))
    const offset = u64le(metadata, fieldAt(metadata, values, 2))
    const bytes = u64le(metadata, fieldAt(metadata, values, 5))
    if (offset + bytes > end) end = offset + bytes
  }
  return end
}

const judge = async (file: Peek): Promise<Verdict> => {
  const { head, tail, size } = file
  if (!hasAt(head, 0, mark)) return unknown('it does not begin as Feather does')
  if (!hasAt(tail, tail.length - mark.length, mark)) return broken('the mark at its end is missing')
  const length = u32le(tail, tail.length - endBytes)
  const needs = headBytes + length + endBytes
  if (needs > size) return broken(`its metadata ask for ${exactBytes(needs)}`, needs)
  if (length > mostMetadata) return ended('its metadata fit, and are too large to be looked through')
  const starts = size - endBytes - length
  const missing = contentEnd(await file.exactly(starts, length)) - starts
  if (missing <= 0) return complete('all that its metadata point at is stored')
  return broken(`its metadata point ${exactBytes(missing)} past the data that are stored`, size + missing)
}

/** The format of the year 2016; the second version is an Arrow file. */
export const feather: Format = {
  id: 'feather',
  title: 'a Feather file of version 1',
  names: [],
  least: headBytes + endBytes,
  recognises: (head) => hasAt(head, 0, mark),
  judge,
}
