import type { BlockBlobClient } from '@azure/storage-blob'
import { combineAll } from '../crc32.ts'
import { type OwnBlock, readBlockId } from './azure-block-id.ts'
import { azureCode } from './azure-trouble.ts'
import type { Part } from './store.ts'

/** A block that the store holds. */
export interface Block {
  /** As base64. */
  readonly id: string
  /** Bytes. */
  readonly size: number
  /** Undefined for another client's. */
  readonly own: OwnBlock | undefined
}

export interface Blocks {
  readonly committed: readonly Block[]
  readonly uncommitted: readonly Block[]
}

interface Listed {
  readonly name: string
  readonly size: number
}

const blocksOf = (listed: readonly Listed[] | undefined): readonly Block[] =>
  (listed ?? []).map(({ name, size }) => ({ id: name, size, own: readBlockId(name) }))

/** Of a blob that is not there, and of one that is no block blob, there are none. */
export const listBlocks = async (
  blob: BlockBlobClient,
  which: 'all' | 'committed' | 'uncommitted',
  abortSignal?: AbortSignal,
): Promise<Blocks> => {
  try {
    const found = await blob.getBlockList(which, abortSignal === undefined ? {} : { abortSignal })
    return { committed: blocksOf(found.committedBlocks), uncommitted: blocksOf(found.uncommittedBlocks) }
  } catch (error) {
    if (!['BlobNotFound', 'InvalidBlobType'].includes(azureCode(error))) throw error
    return { committed: [], uncommitted: [] }
  }
}

/** The parts of one upload of our own; a part that was staged twice with other content appears with neither. */
export const partsOf = (blocks: readonly Block[], upload: string): readonly Part[] => {
  const parts = new Map<number, Part[]>()
  for (const { id, size, own } of blocks) {
    if (own?.upload !== upload) continue
    const part = { number: own.part, size, etag: id, crc32: own.crc32 }
    parts.set(own.part, [...(parts.get(own.part) ?? []), part])
  }
  return [...parts.values()].flatMap((same) => (same.length === 1 ? same : []))
}

/** The CRC32 of a blob that consists of blocks of ours alone: each was proved by its MD5 when it was staged, and its id says what it holds. */
export const crc32OfBlocks = (blocks: readonly Block[]): number | undefined => {
  const summed = blocks.flatMap(({ own, size }) => (own === undefined ? [] : [{ crc32: own.crc32, size }]))
  return blocks.length > 0 && summed.length === blocks.length ? combineAll(summed) : undefined
}
