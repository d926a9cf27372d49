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

/** Ends that are tried for one section before it grows on: each may cost a request or two for every folder on the way. */
const mostTries = 3
/** Answers that are kept; those of the folders that lie around a listing's end are asked for again and again. */
const mostAnswers = 1000

/** Asks the store whether a folder holds a file that says what everything below it should be; each folder once. */
const speakers = (store: Pick<Store, 'stat'>, signal: AbortSignal) => {
  const answers = new Map<string, Promise<boolean>>()
  const ask = async (folder: string): Promise<boolean> => {
    for (const name of speaking) {
      if ((await store.stat(folder === '' ? name : `${folder}/${name}`, signal)) !== undefined) return true
    }
    return false
  }
  return (folder: string): Promise<boolean> => {
    if (answers.size > mostAnswers) answers.clear()
    const answer = answers.get(folder) ?? ask(folder)
    answers.set(folder, answer)
    return answer
  }
}

/** Places where a section may end, at `from` at the earliest: those with the fewest folders around them first, one for each set of folders. */
const endsOf = (files: readonly StoredFile[], from: number): { at: number; folders: string[] }[] => {
  const ends = new Map<string, { at: number; folders: string[] }>()
  for (let at = from; at < files.length; at += 1) {
    const folders = shared(files[at - 1]?.path ?? '', files[at]?.path ?? '')
    const innermost = folders.at(-1) ?? ''
    if (!ends.has(innermost)) ends.set(innermost, { at, folders })
  }
  return [...ends.values()].sort((a, b) => a.folders.length - b.folders.length || a.at - b.at)
}

const sectionOf = (files: readonly StoredFile[], only: boolean): Section => {
  let bytes = 0
  const byPath = new Map<string, StoredFile>()
  for (const file of files) {
    byPath.set(file.path, file)
    bytes += file.size
  }
  return { files: byPath, bytes, only }
}

/**
 * Cuts a listing into sections of `size` to twice as many files that can be looked at one by one, in memory for one of them at
 * a time: between two files only where no folder that both lie in holds a file that speaks of others, which the store is asked
 * about once for each such folder; where few folders lie around both, to ask little. Rests on the promise of `Store.list` that
 * a folder comes in one piece. A folder that speaks of its files stays whole, however large it is.
 */
export async function* sectionsOf(
  store: Pick<Store, 'list' | 'stat'>,
  signal: AbortSignal,
  size = usualSize,
): AsyncGenerator<Section> {
  const speaks = speakers(store, signal)
  const mayEnd = async (folders: readonly string[]): Promise<boolean> => {
    for (const folder of folders) if (await speaks(folder)) return false
    return true
  }
  let held: StoredFile[] = []
  let tried = size
  let first = true
  for await (const file of store.list({ signal })) {
    held.push(file)
    if (held.length < tried + size) continue
    for (const { at, folders } of endsOf(held, tried).slice(0, mostTries)) {
      if (!(await mayEnd(folders))) continue
      yield sectionOf(held.slice(0, at), false)
      held = held.slice(at)
      first = false
      break
    }
    tried = Math.max(size, held.length)
  }
  yield sectionOf(held, first)
}
