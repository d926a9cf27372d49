import { Trouble } from '../errors.ts'
import { statusTrouble } from '../mlflow/http-trouble.ts'
import type { TrackingServer } from '../mlflow/server.ts'

/** One name in a folder as the server lists it. Hostile: it may be no name at all. */
export interface ProxiedEntry {
  readonly name: string
  readonly folder: boolean
  /** Bytes; undefined for a folder, and for a file whose size was left out. */
  readonly size: number | undefined
}

const strange = (what: string, why: string): Trouble =>
  new Trouble({ kind: 'unexpected-answer', what: `cannot ${what}`, why, todo: 'Look into the log of the server' })

/** A size in doubt must never pass for a small one: what is short may be replaced. Protobuf writes an int64 as a string. */
const sizeIn = (told: unknown, what: string, name: string): number | undefined => {
  if (told === undefined || told === null) return undefined
  const size = typeof told === 'string' && /^\d+$/.test(told) ? Number(told) : told
  if (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0) return size
  throw strange(what, `the server gives no usable size for ${JSON.stringify(name.slice(0, 200))}`)
}

/**
 * One folder of a server's artifacts, by its path from the server's own root. Empty for a folder that is not there.
 * Throws `Trouble`; `unexpected-answer` for an error in the guise of a listing, and for names or sizes that are none.
 */
export const listProxied = async (
  server: TrackingServer,
  folder: string,
  signal?: AbortSignal,
): Promise<ProxiedEntry[]> => {
  const what = `list mlflow-artifacts:/${folder}`
  const answer: unknown = await server.call('GET', '/api/2.0/mlflow-artifacts/artifacts', {
    query: { path: folder === '' ? undefined : folder },
    what,
    ...(signal && { signal }),
  })
  if (typeof answer !== 'object' || answer === null) throw strange(what, 'the server answered with no listing')
  if ('error_code' in answer) {
    const code = /^[A-Z_]{1,60}$/.exec(String(answer.error_code))?.[0] ?? 'an error'
    throw strange(what, `the server answered ${code} as if it were a listing`)
  }
  if (!('files' in answer)) {
    // An empty message is written as {}.
    if (Object.keys(answer).length === 0) return []
    throw strange(what, 'the answer of the server has no files in it')
  }
  if (!Array.isArray(answer.files)) throw strange(what, 'the answer of the server is no list of files')
  return answer.files.map((each: unknown) => {
    if (typeof each !== 'object' || each === null || !('path' in each) || typeof each.path !== 'string') {
      throw strange(what, 'the server lists something without a name')
    }
    const name = each.path
    const isFolder = 'is_dir' in each && each.is_dir === true
    const told = 'file_size' in each && !isFolder ? each.file_size : undefined
    return { name, folder: isFolder, size: sizeIn(told, what, name) }
  })
}

/**
 * Bytes of a listed file. MLflow leaves the size of an empty file out (entities/file_info.py, to_proto, 3.17.2), and so do
 * servers that know none; the first byte of the file tells the two apart. `at` is the address of the file on the server.
 */
export const sizeOf = async (
  server: TrackingServer,
  { name, size }: ProxiedEntry,
  at: () => string,
  signal?: AbortSignal,
): Promise<number> => {
  if (size !== undefined) return size
  const what = `find out the size of ${JSON.stringify(name.slice(0, 200))}`
  const { response, bytes } = await server.bytes('GET', at(), 1, {
    headers: { accept: '*/*' },
    what,
    ...(signal && { signal }),
  })
  if (!response.ok) throw statusTrouble(`cannot ${what}`, new URL(server.uri).host, response.status, '')
  if (bytes.length === 0) return 0
  throw strange(what, 'the server lists it without a size, though it is not empty')
}
