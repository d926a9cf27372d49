import { Trouble } from '../errors.ts'
import { isId } from '../mlflow/ids.ts'
import type { Tracking } from '../mlflow/types.ts'
import type { Strays } from '../needs/declarations.ts'
import type { StoredFile } from '../stores/store.ts'
import { keyFor, type Owners } from './owners.ts'

/** Folders that are asked about, one request each, and told one by one; whoever has more of them looks at these first. */
const mostFolders = 1000

/**
 * What MLflow itself keeps at the top of an experiment beside runs and models: traces in any store, and in a tracking folder
 * that is the artifact root as well, the experiment's own records (file_store.py, 3.17.2).
 */
const furniture = (kind: Tracking['kind']): ReadonlySet<string> =>
  new Set(kind === 'folder' ? ['traces', 'meta.yaml', 'tags', 'datasets'] : ['traces'])

/** The folder of a run, or of a model, which is all its own: `<run>`, `models/<model>`. */
const base = (folder: string): string => folder.replace(/\/artifacts$/, '')

/** The folder that a stray object is told under: one level, or two below `models`, as runs and models lie. */
const topOf = (path: string): string => {
  const [first = '', second, third] = path.split('/')
  if (second === undefined) return ''
  return first === 'models' && third !== undefined ? `models/${second}` : first
}

/** Gathers what belongs to nobody. `inner` are the folders of other experiments that lie below this one's location. */
export const strayTally = (owners: Owners, inner: ReadonlySet<string>, tracking: Tracking) => {
  const bases = new Set([...owners.placed.keys(), ...owners.deleted].map(base))
  const own = furniture(tracking.kind)
  const tops = new Map<string, Strays['folders'][number]>()
  let more = 0
  /** Undefined where the tracking store does not tell. */
  const isKnown = async (name: string, signal: AbortSignal): Promise<boolean | undefined> => {
    if (!isId(name) || name === 'models') return false
    try {
      return await tracking.knows(name, signal)
    } catch (error) {
      if (error instanceof Trouble) return undefined
      throw error
    }
  }
  return {
    add({ path, size }: StoredFile): void {
      const [first = ''] = path.split('/', 1)
      if (own.has(first) || keyFor(path, bases) !== undefined || keyFor(path, inner) !== undefined) return
      const folder = topOf(path)
      const before = tops.get(folder)
      if (before === undefined && tops.size >= mostFolders) more += 1
      else {
        const { objects, bytes, example } = before ?? { objects: 0, bytes: 0, example: path }
        tops.set(folder, { folder, objects: objects + 1, bytes: bytes + size, example })
      }
    },
    /** Those that the tracking store knows as runs or models after all, of another experiment or deleted, are left out. */
    async strays(signal: AbortSignal): Promise<Strays> {
      const folders: Strays['folders'][number][] = []
      let unasked = 0
      for (const each of tops.values()) {
        const known = await isKnown(each.folder.replace(/^models\//, ''), signal)
        if (known === false) folders.push(each)
        else if (known === undefined) unasked += 1
      }
      return { folders, more, unasked }
    },
  }
}
