import { Trouble } from '../errors.ts'
import type { UploadLimits } from '../stores/store.ts'
import { bytes, exactBytes } from '../words.ts'

const MiB = 1024 * 1024

/** 16 MiB by 4 gave the best bytes per CPU second against a local S3 server; 8 MiB cost no more and halve the memory. */
const comfortablePart = 16 * MiB

/** How one file is cut: all parts but the last are `partSize` bytes. An empty file has no parts. */
export interface ChunkPlan {
  readonly size: number
  readonly partSize: number
  readonly parts: number
  /** Buffers of `partSize` that fit into the memory given. */
  readonly concurrency: number
}

export interface Budget {
  /** Bytes that all buffers together may take. */
  readonly memoryBytes: number
  /** Parts in flight, at most. */
  readonly concurrency: number
  /** Bytes; longer parts are known not to get through. What a store's limits ask for goes before. */
  readonly mostPart?: number
}

const up = (n: number, to: number): number => Math.ceil(n / to) * to
const down = (n: number, to: number): number => Math.floor(n / to) * to

const tooLarge = (size: number, why: string): Trouble =>
  new Trouble({
    kind: 'too-large',
    what: `cannot send a file of ${bytes(size)} by this route`,
    why,
    todo: 'Split the file, or use a route without that limit',
  })

/** The plan with a part size that is given, as by an upload that was begun before. Throws `too-large` or `usage`. */
export const planWith = (size: number, partSize: number, limits: UploadLimits, budget: Budget): ChunkPlan => {
  const parts = Math.ceil(size / partSize)
  if (size > limits.maxObject) throw tooLarge(size, `the store takes files of at most ${exactBytes(limits.maxObject)}`)
  if (parts > limits.maxParts) {
    throw tooLarge(
      size,
      `with parts of ${bytes(partSize)} it needs ${parts} of them, and ${limits.maxParts} are allowed`,
    )
  }
  if (parts > 1 && (partSize < limits.minPart || partSize > limits.maxPart)) {
    const allowed = `${bytes(limits.minPart)} to ${bytes(limits.maxPart)}`
    throw tooLarge(size, `it would need parts of ${exactBytes(partSize)}, and the store takes ${allowed}`)
  }
  const buffer = Math.min(partSize, Math.max(size, 1))
  const fitting = Math.floor(budget.memoryBytes / buffer)
  if (fitting < 1) {
    throw new Trouble({
      kind: 'usage',
      what: `cannot send a file of ${bytes(size)} with ${bytes(budget.memoryBytes)} of memory`,
      why: `it needs parts of ${exactBytes(partSize)}, and one of them must fit`,
      todo: `Allow more memory: --memory ${Math.ceil(buffer / MiB)}MiB`,
    })
  }
  return { size, partSize, parts, concurrency: Math.max(1, Math.min(budget.concurrency, fitting, parts)) }
}

/** Cuts a file of `size` bytes within the store's limits, preferring parts that keep all workers busy in the memory given. */
export const planChunks = (size: number, limits: UploadLimits, budget: Budget): ChunkPlan => {
  if (limits.alignment !== undefined) return planWith(size, limits.alignment, limits, budget)
  const share = down(budget.memoryBytes / Math.max(1, budget.concurrency), MiB)
  const wanted = Math.max(Math.min(comfortablePart, share, budget.mostPart ?? share), limits.minPart, 1)
  const needed = size / limits.maxParts
  // Whole MiB keep parts on page borders, but never beyond what the store takes.
  const partSize = needed <= wanted ? Math.min(wanted, limits.maxPart) : Math.min(up(needed, MiB), limits.maxPart)
  return planWith(size, partSize, limits, budget)
}

/** Where part `number` (from 1 on) lies in the file, in bytes. */
export const partAt = (plan: ChunkPlan, number: number): { readonly offset: number; readonly length: number } => {
  const offset = (number - 1) * plan.partSize
  return { offset, length: Math.max(0, Math.min(plan.partSize, plan.size - offset)) }
}

/**
 * The part size of an upload that someone else began, from the parts that it holds: that of the largest, provided all
 * have it but the last one that is there. Undefined when the sizes fit no such cut of a file of `size` bytes.
 */
export const inferPartSize = (
  size: number,
  parts: readonly { readonly number: number; readonly size: number }[],
): number | undefined => {
  const partSize = Math.max(0, ...parts.map((part) => part.size))
  if (partSize === 0) return undefined
  const last = Math.max(...parts.map((part) => part.number))
  if (last > Math.ceil(size / partSize)) return undefined
  return parts.every((part) => part.number === last || part.size === partSize) ? partSize : undefined
}
