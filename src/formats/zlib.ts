import { createInflate } from 'node:zlib'
import { u16be } from './bytes.ts'
import { broken, complete, ended, type Format, type Peek, unknown, type Verdict } from './format.ts'
import { headBytes } from './peek.ts'
import { unpack } from './unpack.ts'

/** RFC 1950, section 2.2: deflate with a window of 32 KiB, no preset dictionary, a multiple of 31. */
const begins = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x78 && ((bytes[1] ?? 0) & 0x20) === 0 && u16be(bytes, 0) % 31 === 0

/** Two bytes are little to go by; what joblib packs begins as pickles do. */
const isPickle = (first: Uint8Array): boolean => first[0] === 0x80 && (first[1] ?? 0) >= 2 && (first[1] ?? 9) <= 5

/** Names that joblib gives to what it packs. */
const promises = /\.(z|zlib|joblib|pkl|pickle)$/i

/** Unpacks it and compares its Adler-32, which `node:zlib` does. */
const prove = async (file: Peek, name: string): Promise<Verdict> => {
  if (!begins(file.head)) return unknown('it does not begin as zlib data does')
  const got = await unpack(createInflate(), file, 0, file.size)
  if (got.state === 'whole') {
    const rest = file.size - got.consumed
    return rest === 0
      ? complete('it unpacks to its end, and its checksum matches')
      : ended(`it unpacks to its end and its checksum matches; ${rest} bytes follow`)
  }
  const cut = got.state === 'cut'
  if (!isPickle(got.first) && !(cut && promises.test(name)))
    return unknown('it begins as zlib data does, and may be something else')
  return broken(cut ? 'its packed data has no end' : 'its packed data cannot be unpacked')
}

/** What joblib writes for `compress=`, and for the ending `.z`. */
export const zlib: Format = {
  id: 'zlib',
  title: 'zlib data',
  names: ['.z', '.zlib'],
  least: 8,
  recognises: begins,
  judge: async (file, name) => {
    // What was read as a whole anyway costs nothing more to unpack.
    if (file.size <= 2 * headBytes) return prove(file, name)
    return unknown('only unpacking all of it tells')
  },
  prove,
}
