import { crc32 } from 'node:zlib'
import { type Patience, withRetry } from '../retry.ts'
import type { OpenUpload } from '../stores/store.ts'
import { type ChunkPlan, partAt } from './chunk-plan.ts'
import type { ProvedPart } from './find-upload.ts'
import type { Source } from './identity.ts'
import type { Journal } from './journal.ts'
import type { Sender } from './sender.ts'

export interface Sending {
  readonly source: Source
  readonly upload: OpenUpload
  readonly plan: ChunkPlan
  readonly held: ReadonlyMap<number, ProvedPart>
  readonly journal: Journal
  readonly sender: Sender
  readonly patience: Patience
  readonly signal: AbortSignal | undefined
  /** Called once a part is acknowledged and in the journal. */
  onPart(part: ProvedPart): void
}

/**
 * Sends what is not held, and hands back all parts in order. The buffers are the sender's, whatever the size of the file. The first failure that no other try can mend stops all workers.
 */
export const sendParts = async (sending: Sending): Promise<readonly ProvedPart[]> => {
  const { source, upload, plan, held, journal, sender, patience, onPart } = sending
  const failed = new AbortController()
  const signal = sending.signal === undefined ? failed.signal : AbortSignal.any([sending.signal, failed.signal])
  const parts = new Map(held)
  let next = 1

  const sendOne = async (number: number, buffer: Uint8Array): Promise<void> => {
    const { offset, length } = partAt(plan, number)
    const bytes = await source.read(buffer, offset, length)
    const crc = crc32(bytes)
    const request = () => upload.send(number, bytes, crc, signal)
    const sent = await withRetry(() => sender.send(length, signal, request), patience, signal)
    const part: ProvedPart = { ...sent, number, size: length, crc32: crc }
    // On disk before it is counted: what is told as sent survives a kill at the next instant.
    await journal.add({
      part: number,
      size: length,
      crc32: crc,
      ...(part.etag === undefined ? {} : { etag: part.etag }),
    })
    parts.set(number, part)
    onPart(part)
  }

  const work = async (): Promise<void> => {
    while (next <= plan.parts) {
      const number = next
      next += 1
      if (held.has(number)) continue
      signal.throwIfAborted()
      try {
        await sender.lend(longest, signal, (buffer) => sendOne(number, buffer))
      } catch (error) {
        failed.abort(error)
        throw error
      }
    }
  }

  const longest = Math.min(plan.partSize, Math.max(plan.size, 1))
  const workers = upload.ordered === true ? 1 : Math.min(sender.concurrency, plan.parts - held.size)
  // All of them end before a failure is told: no buffer is in use and no journal line under way any more.
  const ended = await Promise.allSettled(Array.from({ length: workers }, work))
  sending.signal?.throwIfAborted()
  if (failed.signal.aborted) throw failed.signal.reason
  for (const end of ended) if (end.status === 'rejected') throw end.reason
  return [...parts.values()].sort((a, b) => a.number - b.number).filter((part) => part.number <= plan.parts)
}
