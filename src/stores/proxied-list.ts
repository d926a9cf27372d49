import type { TrackingServer } from '../mlflow/server.ts'

/** One name in a folder as the server lists it. Hostile: it may be no name at all. */
export interface ProxiedEntry {
  readonly name: string
  readonly folder: boolean
  /** Bytes. */
  readonly size: number
}

/** One folder of a server's artifacts, by its path from the server's own root. Empty for a folder that is not there. Throws `Trouble`. */
export const listProxied = async (
  server: TrackingServer,
  folder: string,
  signal?: AbortSignal,
): Promise<ProxiedEntry[]> => {
  const answer: unknown = await server.call('GET', '/api/2.0/mlflow-artifacts/artifacts', {
    query: { path: folder === '' ? undefined : folder },
    what: `list mlflow-artifacts:/${folder}`,
    ...(signal && { signal }),
  })
  const files = typeof answer === 'object' && answer !== null && 'files' in answer ? answer.files : []
  if (!Array.isArray(files)) return []
  return files.flatMap((each: unknown) => {
    if (typeof each !== 'object' || each === null || !('path' in each) || typeof each.path !== 'string') return []
    const size = 'file_size' in each ? Number(each.file_size) : 0
    const isFolder = 'is_dir' in each && each.is_dir === true
    return [{ name: each.path, folder: isFolder, size: Number.isSafeInteger(size) ? size : 0 }]
  })
}
