import { hasAt, u16be } from './bytes.ts'
import { Cursor } from './cursor.ts'
import { CutShort, ended, type Format, type Peek, suspect, unknown, type Verdict } from './format.ts'

const start = [0xff, 0xd8, 0xff] as const
const startOfScan = 0xda
const endOfImage = 0xd9

/** Markers without a length (ITU-T T.81, table B.1): TEM, RST0 to RST7, SOI. */
const standsAlone = (marker: number): boolean => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)

/**
 * What follows 0xFF within and between scans: a stuffed zero, fill bytes, restarts and the tables of a further scan. Random
 * bytes or another format behind the picture soon hold something else.
 */
const inScans: ReadonlySet<number> = new Set([
  0x00, 0xff, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xc4, 0xcc, 0xda, 0xdb, 0xdc, 0xdd, 0xfe,
])

/** Real pictures have some dozen segments, or some hundred where a colour profile is split. */
const mostMarks = 100_000

/** Hops over the segments to the first scan; its offset, or that of the end of an image without one. Thumbnails lie within segments. */
const firstScan = async (file: Peek): Promise<number | undefined> => {
  const cursor = new Cursor(file)
  for (let at = 2, marks = 0; ; marks += 1) {
    if (marks === mostMarks) return undefined
    cursor.goTo(at)
    await cursor.buffer(4)
    const mark = cursor.take(2)
    const marker = mark[1] as number
    if (mark[0] !== 0xff) return undefined
    if (marker === startOfScan || marker === endOfImage) return at
    if (marker === 0xff) at += 1
    else if (standsAlone(marker)) at += 2
    else {
      const length = u16be(cursor.take(2), 0)
      if (length < 2) return undefined
      at += 2 + length
      if (at > file.size) throw new CutShort(at)
    }
  }
}

const judge = async (file: Peek): Promise<Verdict> => {
  const { head, tail, size } = file
  if (!hasAt(head, 0, start)) return unknown('it does not begin as a JPEG image does')
  const scan = await firstScan(file)
  if (scan === undefined) return unknown('its segments do not follow one another')
  const from = Math.max(0, scan - (size - tail.length))
  // No scan holds 0xFF 0xD9: 0xFF is followed by a zero in there.
  let foreign = false
  for (let i = from; i < tail.length - 1; i += 1) {
    if (tail[i] !== 0xff) continue
    const next = tail[i + 1] as number
    if (next === endOfImage) return ended('the mark of its end is there')
    foreign ||= !inScans.has(next)
  }
  // Cameras and editors put films, depth maps and thumbnails behind the picture.
  return foreign ? unknown('what it ends with belongs to no scan') : suspect('it ends within its picture')
}

export const jpeg: Format = {
  id: 'jpeg',
  title: 'a JPEG image',
  names: ['.jpg', '.jpeg'],
  // The marks of start and end, between which tables may be all.
  least: 4,
  recognises: (head) => hasAt(head, 0, start),
  judge,
}
