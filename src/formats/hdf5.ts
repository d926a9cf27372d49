import { againstSize } from './against-size.ts'
import { hasAt, isZero, u16le, u32le, u64le } from './bytes.ts'
import { type Format, type Peek, suspect, unknown, type Verdict } from './format.ts'

const mark = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]
/** The superblock stands at 0, or behind a user block, at 512 and its doublings ("HDF5 File Format Specification 3.0", II.A). */
const firstUserBlock = 512
/** Larger user blocks than 1 MiB are not looked for. */
const lastUserBlock = 1024 ** 2

const inHead = (head: Uint8Array): number | undefined => {
  if (hasAt(head, 0, mark)) return 0
  for (let at = firstUserBlock; at < head.length; at *= 2) if (hasAt(head, at, mark)) return at
  return undefined
}

const findSuperblock = async (file: Peek): Promise<number | undefined> => {
  const near = inHead(file.head)
  if (near !== undefined) return near
  for (let at = file.head.length; at <= lastUserBlock && at < file.size; at *= 2) {
    if (hasAt(await file.read(at, mark.length), 0, mark)) return at
  }
  return undefined
}

/** An address of 2, 4 or 8 bytes; undefined when all its bits are set, which means none. */
const addressAt = (bytes: Uint8Array, at: number, width: number): number | undefined => {
  if (bytes.subarray(at, at + width).every((byte) => byte === 0xff)) return undefined
  return width === 2 ? u16le(bytes, at) : width === 4 ? u32le(bytes, at) : u64le(bytes, at)
}

/** Of the smallest superblock in use, version 2 with addresses of 8 bytes. */
const superblockBytes = 48
/** Drivers that spread a file over several say so by this name's beginning ("NCSAfami", "NCSAmult"). */
const driverName = /NCSA(?:fami|mult)/
/** Enough of the superblock's extension for the message that names a driver. */
const extensionBytes = 512

const judge = async (file: Peek): Promise<Verdict> => {
  const start = await findSuperblock(file)
  if (start === undefined) {
    // A user block that was never written to, cut before what it stands in front of.
    if (isZero(file.head)) return suspect('it begins with zeros alone, without the mark of HDF5 behind them')
    return unknown('the mark of HDF5 is at none of its places')
  }
  const version = (await file.exactly(start, 9))[8] ?? 0
  if (version > 3) return unknown(`its superblock is of version ${version}`)
  const old = version < 2
  const width = (await file.exactly(start + (old ? 13 : 9), 1))[0] ?? 0
  if (width !== 2 && width !== 4 && width !== 8) return unknown(`its addresses have ${width} bytes`)
  const base = version === 0 ? 24 : version === 1 ? 28 : 12
  const block = await file.exactly(start, base + 4 * width)
  const [own, extra, end, last] = [0, 1, 2, 3].map((nth) => addressAt(block, base + nth * width, width))
  if (own === undefined || end === undefined) return unknown('it does not tell where it ends')
  if (old && last !== undefined) return unknown('a driver of its own keeps it, maybe in several files')
  if (version === 3 && ((block[11] ?? 0) & 1) === 1) return unknown('it was stored while it was open for writing')
  // The library takes addresses from where it found the superblock, whatever base is written there (H5Fsuper.c, H5F__super_read).
  const needs = end + start - own
  if (!old && extra !== undefined) {
    const extension = await file.read(start + extra, extensionBytes)
    if (driverName.test(Buffer.from(extension).toString('latin1'))) {
      return unknown('a driver of its own keeps it, maybe in several files')
    }
  }
  return againstSize(file.size, needs, 'its superblock puts its end at')
}

/** Keras's `.h5`, AnnData's `.h5ad`, PyTables. The library itself refuses a file that is shorter than its superblock says. */
export const hdf5: Format = {
  id: 'hdf5',
  title: 'an HDF5 file',
  names: ['.h5', '.hdf5', '.h5ad', '.he5'],
  least: superblockBytes,
  // A user block that nothing was written to; up to 1 MiB of zeros.
  zerosFirst: true,
  // Arrays may be aligned to pages; where one lies is told in eight bytes, near the file's beginning where it holds few.
  async beginsAt(file, from) {
    const address = Buffer.alloc(8)
    address.writeBigUInt64LE(BigInt(from - ((await findSuperblock(file)) ?? 0)))
    return Buffer.from(file.head).includes(address)
  },
  recognises: (head) => inHead(head) !== undefined,
  judge,
}
