import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

/** Bytes of each file; sparse, so that only its ends take room on disk. */
const size = 2 * 1024 ** 3

/** Pieces of a file by their offset; everything between them reads as zeros. */
type Pieces = readonly (readonly [at: number, bytes: Uint8Array])[]

const tensors = 300
const shapeOf = (bytes: number): number => Math.floor(bytes / tensors / 4)

/** `docs/safetensors`: eight bytes of length, a JSON header, the tensors one after the other. */
const safetensors = (): Pieces => {
  const each = shapeOf(size - 64 * 1024) * 4
  const entries = Array.from({ length: tensors }, (_, n) => [
    `model.layers.${n}.weight`,
    { dtype: 'F32', shape: [each / 4], data_offsets: [n * each, (n + 1) * each] },
  ])
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  const end = 8 + header.length + tensors * each
  return [
    [0, Buffer.concat([length, header])],
    [end - 4, Buffer.from([1, 2, 3, 4])],
  ]
}

/** One float32 array (numpy/lib/format.py, version 1). */
const npy = (): Pieces => {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${(size - 128) / 4},), }`.padEnd(117)
  const head = Buffer.concat([Buffer.from('\x93NUMPY\x01\x00v\x00', 'latin1'), Buffer.from(`${text}\n`)])
  return [
    [0, head],
    [size - 4, Buffer.from([1, 2, 3, 4])],
  ]
}

/** Stored entries aligned as `torch.save` aligns them, a directory, and the end record with its 64-bit forerunner. */
const torch = (): Pieces => {
  const each = Math.floor(size / tensors / 64) * 64
  const pieces: [number, Uint8Array][] = []
  const directory: Buffer[] = []
  for (let n = 0; n < tensors; n += 1) {
    const name = Buffer.from(n === 0 ? 'archive/data.pkl' : `archive/data/${n - 1}`)
    const at = n * each
    const packed = each - 30 - name.length
    const sum = crc32('')
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50)
    local.writeUInt32LE(sum, 14)
    local.writeUInt32LE(packed, 18)
    local.writeUInt32LE(packed, 22)
    local.writeUInt16LE(name.length, 26)
    pieces.push([at, Buffer.concat([local, name])])
    const central = Buffer.alloc(46)
    central.writeUInt32LE(0x02014b50)
    central.writeUInt32LE(packed, 20)
    central.writeUInt32LE(packed, 24)
    central.writeUInt16LE(name.length, 28)
    central.writeUInt32LE(at, 42)
    directory.push(central, name)
  }
  const start = tensors * each
  const listed = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50)
  end.writeUInt16LE(tensors, 8)
  end.writeUInt16LE(tensors, 10)
  end.writeUInt32LE(listed.length, 12)
  end.writeUInt32LE(start, 16)
  return [...pieces, [start, Buffer.concat([listed, end])]]
}

/** A superblock of version 0 whose end-of-file address is the file's size. */
const hdf5 = (): Pieces => {
  const head = Buffer.alloc(96)
  head.set(Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'))
  head.set([0, 0, 0, 0, 0, 8, 8, 0, 4, 0, 16, 0], 8)
  head.writeBigUInt64LE(0n, 24)
  head.writeBigUInt64LE(0xffffffffffffffffn, 32)
  head.writeBigUInt64LE(BigInt(size), 40)
  head.writeBigUInt64LE(0xffffffffffffffffn, 48)
  return [
    [0, head],
    [size - 4, Buffer.from([1, 2, 3, 4])],
  ]
}

/** A database of 4 KiB pages. */
const sqlite = (): Pieces => {
  const head = Buffer.alloc(100)
  head.write('SQLite format 3\0', 'latin1')
  head.writeUInt16BE(4096, 16)
  head.set([1, 1, 0, 64, 32, 32], 18)
  head.writeUInt32BE(7, 24)
  head.writeUInt32BE(size / 4096, 28)
  head.writeUInt32BE(7, 92)
  return [
    [0, head],
    [size - 4, Buffer.from([1, 2, 3, 4])],
  ]
}

const kinds = {
  'model.safetensors': safetensors,
  'array.npy': npy,
  'model.pt': torch,
  'weights.h5': hdf5,
  'data.sqlite': sqlite,
}

/** Writes one whole file of each kind into `dir`; gives their paths. */
export const writeLargeFiles = async (dir: string): Promise<string[]> => {
  const paths: string[] = []
  for (const [name, pieces] of Object.entries(kinds)) {
    const path = join(dir, name)
    const file = await open(path, 'w')
    for (const [at, bytes] of pieces()) await file.write(bytes, 0, bytes.length, at)
    await file.close()
    paths.push(path)
  }
  return paths
}
