import { randomBytes } from 'node:crypto'

/**
 * The ids of the blocks that this tool stages. Azure keeps nothing of a staged block but its id and size, so the id itself
 * says which upload and part it belongs to, when the upload was begun, and what the block holds. All ids of one blob must
 * have the same length (learn.microsoft.com/rest/api/storageservices/put-block), hence a short form that can be padded.
 */

export interface OwnBlock {
  /** Twelve hex digits. */
  readonly upload: string
  /** From 1 on. */
  readonly part: number
  readonly crc32: number
  /** Milliseconds since the epoch, to the minute. */
  readonly begun: number
}

/** No text begins so: the ids of other clients are digits and letters. */
const mark = 0xd7
/** Bytes of an id without padding: mark, upload, part, CRC32. */
export const shortestId = 13
/** Bytes of an id where nothing dictates another length; as base64 it has no padding. */
export const usualId = 24
/** Minutes are counted from here, and fit into three bytes until 2051. */
const epoch = Date.UTC(2020)
const minute = 60_000

/** A new upload: three random bytes, and the minute in which it is begun. */
export const newUpload = (now: number): string => {
  const bytes = Buffer.alloc(6)
  randomBytes(3).copy(bytes)
  bytes.writeUIntBE(Math.min(Math.max(0, Math.floor((now - epoch) / minute)), 0xff_ff_ff), 3, 3)
  return bytes.toString('hex')
}

export const begunAt = (upload: string): number => epoch + Number.parseInt(upload.slice(6), 16) * minute

export const isOwnUpload = (text: string): boolean => /^[0-9a-f]{12}$/.test(text)

/** @param length bytes that the ids of this blob have */
export const blockId = ({ upload, part, crc32 }: Omit<OwnBlock, 'begun'>, length: number): string => {
  const bytes = Buffer.alloc(length)
  bytes[0] = mark
  bytes.write(upload, 1, 'hex')
  bytes.writeUInt16BE(part, 7)
  bytes.writeUInt32BE(crc32, 9)
  return bytes.toString('base64')
}

/** Undefined for a block of another client. */
export const readBlockId = (id: string): OwnBlock | undefined => {
  const bytes = Buffer.from(id, 'base64')
  if (bytes.length < shortestId || bytes[0] !== mark || bytes.subarray(shortestId).some((byte) => byte !== 0)) return
  const upload = bytes.toString('hex', 1, 7)
  return { upload, part: bytes.readUInt16BE(7), crc32: bytes.readUInt32BE(9), begun: begunAt(upload) }
}

/** Bytes of an id before it was encoded. */
export const idLength = (id: string): number => Buffer.from(id, 'base64').length
