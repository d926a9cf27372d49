/**
 * The memory of a command's transfers: buffers that are used again and again, all together never more than was allowed,
 * however many files go side by side.
 */

export interface Buffers {
  /** A buffer of at least `length` bytes, once there is room for it; no longer than allowed altogether. Give it back with `free`. */
  take(length: number, signal?: AbortSignal): Promise<Uint8Array>
  free(buffer: Uint8Array): void
  /** Gives the memory of all that are not lent back to the system, at once. */
  release(): void
}

interface Waiting {
  readonly length: number
  given(buffer: Uint8Array): void
}

const KiB = 1024
/** Small files share few sizes of buffers, so that one serves many of them. */
const smallest = 64 * KiB

/** The size that is allocated for `length` bytes: the next power of two for small ones, whole pages for large ones. */
const roomFor = (length: number): number => {
  let size = smallest
  while (size < length && size < 1024 * KiB) size *= 2
  return size >= length ? size : Math.ceil(length / (4 * KiB)) * 4 * KiB
}

/** Frees its memory at once, where collection would come late, if at all: what a moved buffer leaves behind is gone. Bytes. */
const freed = (buffer: Uint8Array | undefined): number => {
  const size = buffer?.length ?? 0
  if (buffer?.buffer instanceof ArrayBuffer) buffer.buffer.transfer(0)
  return size
}

/** @param mostBytes what all buffers together may take; a single one that is asked for may take all of it, never more than `length` */
export const openBuffers = (mostBytes: number): Buffers => {
  let held = 0
  const idle: Uint8Array[] = []
  const waiting: Waiting[] = []

  const attempt = (length: number): Uint8Array | undefined => {
    const at = idle.findIndex((buffer) => buffer.length >= length && buffer.length <= Math.max(2 * length, smallest))
    if (at !== -1) return idle.splice(at, 1)[0]
    const size = Math.min(roomFor(length), Math.max(mostBytes, length))
    // What is too small or too large for this one makes room.
    while (held + size > mostBytes && idle.length > 0) held -= freed(idle.pop())
    if (held > 0 && held + size > mostBytes) return undefined
    held += size
    // Outside of the pool that Node shares among small buffers, and not filled with zeros first.
    return Buffer.allocUnsafeSlow(size)
  }
  const serve = (): void => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const buffer = attempt(next.length)
      if (buffer === undefined) return
      waiting.shift()
      next.given(buffer)
    }
  }

  return {
    take(length, signal) {
      signal?.throwIfAborted()
      // Whoever waits longest is served first; a large part must not starve behind small files.
      const now = waiting.length === 0 ? attempt(length) : undefined
      if (now !== undefined) return Promise.resolve(now)
      return new Promise((resolve, reject) => {
        const entry: Waiting = {
          length,
          given(buffer) {
            signal?.removeEventListener('abort', stop)
            resolve(buffer)
          },
        }
        const stop = () => {
          const at = waiting.indexOf(entry)
          if (at !== -1) waiting.splice(at, 1)
          reject(signal?.reason)
          serve()
        }
        signal?.addEventListener('abort', stop, { once: true })
        waiting.push(entry)
      })
    },
    free(buffer) {
      idle.push(buffer)
      serve()
    },
    release() {
      for (const buffer of idle.splice(0)) held -= freed(buffer)
    },
  }
}
