import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'

/** 1 MiB keeps the reads sequential and the memory small. */
const step = 1024 * 1024

/** CRC32 of `length` bytes from `offset`, read in small steps; stops early where the file ends. Throws the system's own errors. */
export const rangeCrc32 = async (
  handle: FileHandle,
  offset: number,
  length: number,
  signal?: AbortSignal,
): Promise<{ crc32: number; size: number }> => {
  const buffer = Buffer.allocUnsafe(Math.min(step, length))
  let sum = 0
  let size = 0
  while (size < length) {
    signal?.throwIfAborted()
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, length - size), offset + size)
    if (bytesRead === 0) break
    sum = crc32(buffer.subarray(0, bytesRead), sum)
    size += bytesRead
  }
  return { crc32: sum, size }
}

export const wholeCrc32 = async (handle: FileHandle, size: number, signal?: AbortSignal): Promise<number> =>
  (await rangeCrc32(handle, 0, size, signal)).crc32
