import { readdir } from 'node:fs/promises'
import type { Store } from '../stores/store.ts'
import { journalKey, openJournal } from './journal.ts'
import { takeLock } from './process-lock.ts'

/** A stored file that is whole. */
interface Whole {
  readonly path: string
  /** Bytes. */
  readonly size: number
}

/**
 * Ends what a process that was killed after its last part has left of files that are whole by now: its note of them, and
 * an upload of its own that was never completed. Looks at nothing where there is no such note.
 */
export const forgetWhole = async (
  store: Store,
  files: Iterable<Whole>,
  journalDir: string,
  signal?: AbortSignal,
): Promise<void> => {
  const notes = new Set(await readdir(journalDir).catch(() => []))
  if (![...notes].some((name) => name.endsWith('.jsonl'))) return
  for (const { path, size } of files) {
    const key = journalKey(store.uri, path)
    if (!notes.has(`${key}.jsonl`)) continue
    const lock = await takeLock(journalDir, key, `cannot end the upload of ${path}`)
    try {
      const journal = await openJournal(journalDir, key)
      try {
        const { left } = journal
        if (left !== undefined && left.source.size === size) {
          const plan = { sourceSize: size, partSize: left.partSize }
          const upload = await store.resumeUpload(path, left.uploadId, plan, signal)
          await upload?.abort(signal)
          await journal.erase()
        }
      } finally {
        await journal.close()
      }
    } finally {
      await lock.release()
    }
  }
}
