import type { Store, StoredFile } from '../stores/store.ts'
import { manifestPath } from '../transfer/manifest.ts'

/** Files that a section holds at least, where nothing keeps it from ending: a few MiB of memory, and few enough ends to look at. */
const usualSize = 2_000

/**
 * Names of files that say what everything beside and below them should be, so that it must be seen together. An index of
 * shards and the like names single files, which are asked for one by one where a section does not hold them.
 */
const speaking = ['MLmodel', manifestPath]

export interface Section {
  readonly files: ReadonlyMap<string, StoredFile>
  /** Bytes. */
  readonly bytes: number
  /** No other section comes before or after it. */
  readonly only: boolean
}

/** The folders, the root among them, that both files lie in. */
const shared = (one: string, other: string): string[] => {
  const folders = ['']
  for (let at = one.indexOf('/'); at >= 0; at = one.indexOf('/', at + 1)) {
    if (one.slice(0, at + 1) !== other.slice(0, at + 1)) break
    folders.push(one.slice(0, at))
  }
  return folders
}

/**
 * Cuts a listing into sections that can be looked at one by one, in memory for one of them at a time: between two files only
 * where no folder that both lie in holds a file that speaks of others, which the store is asked about once for each such folder.
 * Rests on the promise of `Store.list` that a folder comes in one piece. A folder that speaks of its files stays whole,
 * however large it is.
 */
export async function* sectionsOf(
  store: Pick<Store, 'list' | 'stat'>,
  signal: AbortSignal,
  size = usualSize,
): AsyncGenerator<Section> {
  const speaks = new Map<string, Promise<boolean>>()
  const ask = async (folder: string): Promise<boolean> => {
    for (const name of speaking) {
      if ((await store.stat(folder === '' ? name : `${folder}/${name}`, signal)) !== undefined) return true
    }
    return false
  }
  const mayEnd = async (last: string, next: string): Promise<boolean> => {
    // Of a folder that was passed over, nobody asks again; only what both lie in can still matter.
    const folders = shared(last, next)
    for (const folder of speaks.keys()) if (!folders.includes(folder)) speaks.delete(folder)
    for (const folder of folders) {
      const known = speaks.get(folder) ?? ask(folder)
      speaks.set(folder, known)
      if (await known) return false
    }
    return true
  }
  let files = new Map<string, StoredFile>()
  let bytes = 0
  let last = ''
  let first = true
  for await (const file of store.list({ signal })) {
    if (files.size >= size && (await mayEnd(last, file.path))) {
      yield { files, bytes, only: false }
      files = new Map()
      bytes = 0
      first = false
    }
    files.set(file.path, file)
    bytes += file.size
    last = file.path
  }
  yield { files, bytes, only: first }
}
