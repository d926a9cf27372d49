import { againstSize } from './against-size.ts'
import { hasAt, u16be, u32be } from './bytes.ts'
import { type Format, suspect, unknown } from './format.ts'

const mark = 'SQLite format 3\0'
const headerBytes = 100
/** A page size of 65,536 does not fit into its two bytes (https://www.sqlite.org/fileformat.html, 1.3.2). */
const largestPage = 65_536
/** Of the write and read version: the newest pages may be in a `-wal` file beside it. */
const writeAhead = 2

/** Counts pages in its header; the count holds only while the change counter equals "version valid for" (1.3.7). */
export const sqlite: Format = {
  id: 'sqlite',
  title: 'an SQLite database',
  names: ['.sqlite', '.sqlite3', '.db'],
  // A database that nothing was ever written to has no bytes.
  least: 0,
  recognises: (head) => hasAt(head, 0, mark),
  async judge(file) {
    const first = await file.read(0, mark.length)
    if (!mark.startsWith(Buffer.from(first).toString('latin1'))) return unknown('the mark of SQLite is not there')
    const header = await file.exactly(0, headerBytes)
    const stored = u16be(header, 16)
    const page = stored === 1 ? largestPage : stored
    if (page < 512 || (page & (page - 1)) !== 0) return unknown(`it tells a page size of ${page}, which none has`)
    const pages = u32be(header, 28)
    if (pages === 0 || u32be(header, 24) !== u32be(header, 92)) {
      return unknown('it was last written by a version that keeps no count of pages')
    }
    const verdict = againstSize(file.size, pages * page, 'its pages reach to')
    const wal = header[18] === writeAhead || header[19] === writeAhead
    return verdict.judgement === 'broken' && wal
      ? suspect(`${verdict.because}, unless the rest is in a write-ahead log beside it`)
      : verdict
  },
  // With `PRAGMA secure_delete` pages that are free hold zeros; the header counts them (1.3.13).
  async beginsAt(file, from) {
    const header = await file.exactly(0, headerBytes)
    const stored = u16be(header, 16)
    return u32be(header, 36) * (stored === 1 ? largestPage : stored) >= file.size - from
  },
}
