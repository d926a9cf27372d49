import { crc32, createInflateRaw } from 'node:zlib'
import { hasAt, u16le } from './bytes.ts'
import { broken, complete, ended, type Format, type Peek, suspect, unknown, type Verdict } from './format.ts'
import { piecesOf, unpack } from './unpack.ts'
import { entriesOf, findEnd, localBytes, localMark, type ZipEnd, type ZipEntry } from './zip-directory.ts'

/** Bytes of a directory that is read where not all of the file is: some 200,000 entries. */
const mostDirectory = 24 * 1024 ** 2

const stored = 0
const deflated = 8

/** Where an entry's local header lies: offsets count from the archive's beginning, or, by some writers, from the file's. */
const localOf = async (file: Peek, end: ZipEnd, entry: ZipEntry): Promise<number | undefined> => {
  for (const at of new Set([end.base + entry.offset, entry.offset])) {
    if (hasAt(await file.read(at, localBytes), 0, localMark)) return at
  }
  return undefined
}

const beginsAsZip = (head: Uint8Array): boolean =>
  hasAt(head, 0, localMark) || hasAt(head, 0, `PK\x07\x08${localMark}`) || hasAt(head, 0, 'PK00PK\x03\x04')

/** The end record's arithmetic alone; undefined where nothing speaks against it. */
const misfit = (file: Peek, end: ZipEnd): Verdict | undefined => {
  if (end.split) return unknown('it is one part of an archive of several')
  if (!end.begins) {
    return end.base < 0
      ? broken(`its end record puts its directory ${-end.base} bytes before where it lies`, file.size - end.base)
      : unknown('its end record names a place for its directory where none lies')
  }
  if (end.base < 0) return broken(`${-end.base} bytes are missing before its directory`, file.size - end.base)
  if (end.end > file.size) {
    return broken(`it ends ${end.end - file.size} bytes before the end of its comment`, end.end)
  }
  // Bytes before an archive are legal, an archive before an archive is not likely: this is an entry's end, or two files in one.
  if (end.base > 0 && hasAt(file.head, 0, localMark)) {
    return suspect(`its directory leaves ${end.base} bytes at its beginning out, where an archive begins`)
  }
  return undefined
}

const judge = async (file: Peek): Promise<Verdict> => {
  const end = await findEnd(file)
  if (end === undefined) {
    const { head } = file
    const entry = Buffer.from(head.buffer, head.byteOffset, head.byteLength).includes(localMark)
    return entry ? broken('the end record of its directory is missing') : unknown('it is no zip archive')
  }
  const misfits = misfit(file, end)
  if (misfits !== undefined) return misfits
  let [first, last, largest]: (ZipEntry | undefined)[] = []
  let count = 0
  if (end.directoryBytes > mostDirectory) {
    return ended(`its end record fits; its directory of ${end.directoryBytes} bytes is not read`)
  }
  for await (const entry of entriesOf(file, end)) {
    if (entry === undefined) return broken(`its directory makes no sense after ${count} entries`)
    count += 1
    if (first === undefined || entry.offset < first.offset) first = entry
    if (last === undefined || entry.offset > last.offset) last = entry
    if (largest === undefined || entry.packed > largest.packed) largest = entry
  }
  const listed = end.wide ? count : count % 65536
  if (listed !== end.entries)
    return unknown(`its directory has ${count} entries, and its end record tells ${end.entries}`)
  const directoryStart = end.directoryEnd - end.directoryBytes
  // Where the directory's offset is right, nothing before it is missing: looking at more than what was read would only cost requests.
  const inHand = file.head.length + file.tail.length >= file.size
  for (const entry of new Set(end.base === 0 && !inHand ? [first] : [first, last, largest])) {
    if (entry === undefined) continue
    if (end.base + entry.offset > directoryStart) return unknown('an entry of its directory lies behind the directory')
    const at = await localOf(file, end, entry)
    if (at === undefined) return broken(`no entry begins at byte ${entry.offset}, where its directory has one`)
    if (at + localBytes + entry.packed > directoryStart) {
      return unknown(`the entry at byte ${entry.offset} would reach into the directory`)
    }
  }
  const trailing = file.size - end.end
  if (trailing > 0) return ended(`its directory of ${count} entries adds up; ${trailing} bytes follow the archive`)
  return complete(`its directory of ${count} entries adds up`)
}

const storedCrc = async (file: Peek, at: number, length: number): Promise<number> => {
  let crc = 0
  for await (const piece of piecesOf(file, at, length)) crc = crc32(piece, crc)
  return crc
}

/** Why an entry's content is not what was put in; undefined where it is, `unproved` where nothing tells. */
const flaw = async (file: Peek, end: ZipEnd, entry: ZipEntry): Promise<string | undefined> => {
  const at = await localOf(file, end, entry)
  if (at === undefined) return `no entry begins at byte ${entry.offset}, where its directory has one`
  // `torch.serialization.set_crc32_options(False)` leaves the checksum out.
  if (entry.crc === 0 && entry.method === stored && entry.packed > 0) return unproved
  if (entry.encrypted || (entry.method !== stored && entry.method !== deflated)) return unproved
  // Folders are marked as deflated by some writers, with nothing in them.
  if (entry.packed === 0 && entry.unpacked === 0) return entry.crc === 0 ? undefined : differs(entry)
  const local = await file.read(at, localBytes)
  const data = at + localBytes + u16le(local, 26) + u16le(local, 28)
  if (data + entry.packed > end.directoryEnd) return unproved
  if (entry.method === stored) {
    return (await storedCrc(file, data, entry.packed)) === entry.crc ? undefined : differs(entry)
  }
  const got = await unpack(createInflateRaw(), file, data, entry.packed, entry.unpacked)
  const whole = got.state === 'whole' && got.bytes === entry.unpacked && got.crc === entry.crc
  return whole ? undefined : differs(entry)
}
const unproved = 'unproved'
const differs = (entry: ZipEntry) => `the content of the entry at byte ${entry.offset} does not match its CRC-32`

const prove = async (file: Peek): Promise<Verdict> => {
  const end = await findEnd(file)
  if (end === undefined || misfit(file, end) !== undefined) return judge(file)
  let count = 0
  let open = 0
  let packed = 0
  for await (const entry of entriesOf(file, end)) {
    if (entry === undefined) return broken(`its directory makes no sense after ${count} entries`)
    packed += entry.packed
    // Entries that share their data are how a small archive is made to keep its reader busy for years.
    if (packed > file.size) return unknown('its entries lie in each other')
    const why = await flaw(file, end, entry)
    if (why === unproved) open += 1
    else if (why !== undefined) return broken(why)
    count += 1
  }
  if (open > 0) return unknown(`${open} of its ${count} entries are packed in ways that are not unpacked here`)
  return complete(`all ${count} entries match their CRC-32`)
}

/** Zip archives and what is made of them: `np.savez`, Keras 3, skops, H2O MOJO, TorchServe, TorchScript and `torch.save` since 1.6. */
export const zip: Format = {
  id: 'zip',
  title: 'a zip archive',
  names: ['.zip', '.npz', '.keras', '.skops', '.mar', '.mojo', '.ptl', '.pt2', '.jar', '.whl', '.egg'],
  least: 22,
  recognises: (head) => beginsAsZip(head) || hasAt(head, 0, 'PK\x05\x06'),
  judge,
  prove,
}
