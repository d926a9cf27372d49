import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { notedSpools } from '../guard/spools.ts'

/** A folder that nobody named, and that may hold the files of a target. */
export interface FoundFolder {
  readonly dir: string
  /** For people: "the spool of a guarded run". */
  readonly origin: string
}

/** Folders of a temp folder that are looked into; a machine with more of them is not one on which this finds anything soon. */
const mostTemp = 5000

const isFolder = (path: string): Promise<boolean> =>
  lstat(path).then(
    (is) => is.isDirectory(),
    () => false,
  )

const isModel = (dir: string): Promise<boolean> =>
  lstat(join(dir, 'MLmodel')).then(
    (is) => is.isFile(),
    () => false,
  )

const namesIn = async (dir: string): Promise<string[]> => (await readdir(dir).catch(() => [])).slice(0, mostTemp)

/** `tmp*` + `model` is how MLflow names the folder that it writes a model to before it sends it (utils/file_utils.py, models/model.py). */
async function* inTemp(temp: string): AsyncIterable<string> {
  for (const name of await namesIn(temp)) {
    if (name.startsWith('tmp')) yield join(temp, name, 'model')
  }
}

const lookFor = async (stateDir: string, temp: string): Promise<readonly FoundFolder[]> => {
  const found: FoundFolder[] = []
  for (const { dir } of await notedSpools(stateDir)) {
    for (const name of await namesIn(dir)) {
      const folder = join(dir, name)
      if ((await isFolder(folder)) && (await isModel(folder))) found.push({ dir: folder, origin: 'kept by guard' })
    }
  }
  for await (const folder of inTemp(temp)) {
    if ((await isFolder(folder)) && (await isModel(folder)))
      found.push({ dir: folder, origin: 'left in the temp folder by a client that died' })
  }
  return found
}

/**
 * Where the bytes of a failed upload may still lie, best first: what `guard` kept, then the model folders that killed
 * clients left in the temp folder. Looked for at the first call, once for all targets of a command. Whose they are is for
 * the caller to prove.
 */
export const foundFolders = (
  stateDir: string,
  temp: () => Promise<string>,
): (() => Promise<readonly FoundFolder[]>) => {
  let looked: Promise<readonly FoundFolder[]> | undefined
  return () => {
    looked ??= temp().then((folder) => lookFor(stateDir, folder))
    return looked
  }
}
