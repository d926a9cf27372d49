import { Trouble } from '../errors.ts'
import type { StoredFile } from '../stores/store.ts'
import { keyFor } from './owners.ts'

/** All files of one owner, by their path below its folder. */
export interface Group {
  readonly folder: string
  readonly files: ReadonlyMap<string, StoredFile>
  /** Bytes. */
  readonly bytes: number
}

/**
 * Cuts a listing into the files of each owner, in memory for one of them at a time. Rests on the promise of `Store.list` that
 * what lies in a folder comes without anything from elsewhere in between; where it is broken, nothing that was cut is true,
 * and it throws `Trouble` (`unexpected-answer`). What no owner's folder holds goes to `nobodys`.
 */
export async function* groupsOf(
  listing: AsyncIterable<StoredFile>,
  owners: { has(folder: string): boolean },
  nobodys: (file: StoredFile) => void,
): AsyncGenerator<Group> {
  const done = new Set<string>()
  let folder: string | undefined
  let files = new Map<string, StoredFile>()
  let bytes = 0
  const ended = function* (): Generator<Group> {
    if (folder === undefined) return
    done.add(folder)
    yield { folder, files, bytes }
    files = new Map()
    bytes = 0
  }
  for await (const file of listing) {
    const inside = folder !== undefined && file.path.startsWith(`${folder}/`)
    if (!inside) {
      yield* ended()
      folder = keyFor(file.path, owners)
      if (folder !== undefined && done.has(folder)) throw inPieces(folder)
    }
    if (folder === undefined) nobodys(file)
    else {
      const path = file.path.slice(folder.length + 1)
      files.set(path, { ...file, path })
      bytes += file.size
    }
  }
  yield* ended()
}

const inPieces = (folder: string): Trouble =>
  new Trouble({
    kind: 'unexpected-answer',
    what: 'cannot look at the whole experiment at once',
    why: `the store lists what lies in ${JSON.stringify(folder.slice(0, 200))} in several pieces, with other files in between`,
    todo: 'Look at its runs one by one',
  })
