import { readdir } from 'node:fs/promises'
import type { Store } from '../stores/store.ts'
import { journalKey, openJournal } from './journal.ts'
import { manifestPath } from './manifest.ts'
import { takeLock } from './process-lock.ts'
import { sweepTemporary } from './temporary.ts'

/** A stored file that is whole. */
interface Whole {
  readonly path: string
  /** Bytes. */
  readonly size: number
}

/**
 * Ends what a process that was killed after its last part has left of files that are whole by now: its note of them, and
 * an upload of its own that was never completed. The manifest is among them at any size, since each run writes one anew.
 * Looks at nothing in the store where there is no such note.
 */
export const forgetWhole = async (
  store: Store,
  files: Iterable<Whole>,
  journalDir: string,
  signal?: AbortSignal,
): Promise<void> => {
  await sweepTemporary(journalDir)
  const names = await readdir(journalDir).catch(() => [])
  // A note, or only the lock of a process that died just after its note had ended.
  const left = new Set(names.filter((name) => /\.(jsonl|lock)$/.test(name)).map((name) => name.split('.')[0]))
  if (left.size === 0) return
  for (const { path, size } of [...files, { path: manifestPath, size: undefined }]) {
    const key = journalKey(store.uri, path)
    if (!left.has(key)) continue
    const lock = await takeLock(journalDir, key, `cannot end the upload of ${path}`)
    try {
      const journal = await openJournal(journalDir, key)
      try {
        const noted = journal.left
        if (noted !== undefined && noted.source.size === (size ?? noted.source.size)) {
          const plan = { sourceSize: noted.source.size, partSize: noted.partSize }
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
