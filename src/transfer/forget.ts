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
  const names = await readdir(journalDir).catch(() => [])
  // A note, or only the lock of a process that died just after its note had ended.
  const left = new Set(names.filter((name) => /\.(jsonl|lock)$/.test(name)).map((name) => name.split('.')[0]))
  if (left.size === 0) return
  for (const { path, size } of files) {
    const key = journalKey(store.uri, path)
    if (!left.has(key)) continue
    const lock = await takeLock(journalDir, key, `cannot end the upload of ${path}`)
    try {
      const journal = await openJournal(journalDir, key)
      try {
        const noted = journal.left
        if (noted !== undefined && noted.source.size === size) {
          const plan = { sourceSize: size, partSize: noted.partSize }
          const upload = await store.resumeUpload(path, noted.uploadId, plan, signal)
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
