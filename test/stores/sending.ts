import { crc32 } from 'node:zlib'
import type { Part, Store, StoredFile } from '../../src/stores/store.ts'

/** The pieces of a file as an engine would send them; an empty file has none. */
export const pieces = (bytes: Uint8Array, partSize: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / partSize) }, (_, n) => bytes.subarray(n * partSize, (n + 1) * partSize))

/** Opens, sends every part in order and completes. */
export const sendAll = async (
  store: Store,
  path: string,
  bytes: Uint8Array,
  how: { partSize: number; ifAbsent: boolean },
): Promise<void> => {
  const upload = await store.openUpload(path, { sourceSize: bytes.length, partSize: how.partSize })
  const parts: Part[] = []
  for (const [n, piece] of pieces(bytes, how.partSize).entries()) {
    parts.push(await upload.send(n + 1, piece, crc32(piece)))
  }
  await upload.complete(parts, { size: bytes.length, crc32: crc32(bytes), ifAbsent: how.ifAbsent })
}

export const namesIn = async (files: AsyncIterable<StoredFile>): Promise<string[]> =>
  (await Array.fromAsync(files, (file) => file.path)).sort()
