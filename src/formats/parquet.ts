import { exactBytes } from '../words.ts'
import { hasAt, u32le } from './bytes.ts'
import { broken, complete, ended, type Format, type Peek, unknown, type Verdict } from './format.ts'
import { type ChunkRange, walkFooter } from './parquet-footer.ts'
import { provePages } from './parquet-pages.ts'

const plainMark = 'PAR1'
const sealedMark = 'PARE'
const markBytes = 4
/** The footer's length and the mark. */
const endBytes = 8
/** The largest single read; footers of thousands of columns have a few MiB. */
const mostFooter = 8 * 1024 ** 2

/** Judges a footer of `length` bytes that ends, with its mark, at `end`. */
const judgeFooter = async (file: Peek, length: number, end: number): Promise<Verdict> => {
  if (length > mostFooter) return ended('its footer fits, and is too large to be looked through')
  const starts = end - endBytes - length
  const { contentEnd, valid } = walkFooter(await file.exactly(starts, length))
  if (!valid) return unknown('its footer tells no schema')
  // What `FileMetaData.write_metadata_file` copies out of another file: a footer that describes that one.
  if (contentEnd > starts && starts === markBytes) return unknown('it holds the footer of another file, and no data')
  if (contentEnd > starts) {
    const missing = contentEnd - starts
    return broken(`its footer points ${exactBytes(missing)} past the data that are stored`, file.size + missing)
  }
  return complete('all that its footer points at is stored')
}

/** The end of the last mark in the tail, where a footer of the length that it tells fits before it. */
const earlierEnd = ({ tail, size }: Peek): number | undefined => {
  const at = Buffer.from(tail.buffer, tail.byteOffset, tail.length).lastIndexOf(plainMark, undefined, 'latin1')
  const end = size - tail.length + at + markBytes
  const needs = u32le(tail, at - markBytes) + endBytes + markBytes
  return at >= endBytes && needs <= end ? end : undefined
}

const judge = async (file: Peek): Promise<Verdict> => {
  const { head, tail, size } = file
  const sealed = hasAt(head, 0, sealedMark)
  if (!sealed && !hasAt(head, 0, plainMark)) return unknown('it does not begin as parquet does')
  if (!hasAt(tail, tail.length - markBytes, sealed ? sealedMark : plainMark)) {
    const end = sealed ? undefined : earlierEnd(file)
    if (end === undefined) return broken('the mark at its end is missing')
    const verdict = await judgeFooter(file, u32le(tail, tail.length - (size - end) - endBytes), end)
    return verdict.judgement === 'complete' ? unknown(`${exactBytes(size - end)} follow its end`) : verdict
  }
  const length = u32le(tail, tail.length - endBytes)
  const needs = markBytes + length + endBytes
  if (needs > size) return broken(`its footer asks for ${exactBytes(needs)}`, needs)
  if (sealed) return ended('both its marks are there, and what lies between them is encrypted')
  return judgeFooter(file, length, size)
}

const prove = async (file: Peek): Promise<Verdict> => {
  const verdict = await judge(file)
  const length = u32le(file.tail, file.tail.length - endBytes)
  if (verdict.judgement !== 'complete') return verdict
  const chunks: ChunkRange[] = []
  walkFooter(await file.exactly(file.size - endBytes - length, length), (chunk) => chunks.push(chunk))
  return provePages(file, chunks)
}

export const parquet: Format = {
  id: 'parquet',
  title: 'a parquet file',
  names: ['.parquet', '.pq', '.parq'],
  // Two marks and the length of the footer.
  least: 12,
  recognises: (head) => hasAt(head, 0, plainMark) || hasAt(head, 0, sealedMark),
  judge,
  prove,
}
