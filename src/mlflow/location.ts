import { isAbsolute, resolve } from 'node:path'

/** How MLflow reads an artifact location that is a path or a URI (utils/uri.py and utils/file_utils.py, 3.17.2). */

const schemePattern = /^([A-Za-z][A-Za-z0-9+.-]+):/

/** The scheme in lower case; empty for a path, also for one with a Windows drive letter. */
export const schemeOf = (location: string): string => schemePattern.exec(location)?.[1]?.toLowerCase() ?? ''

export const isLocal = (location: string): boolean => ['', 'file'].includes(schemeOf(location))

/** Percent-decoded; as it is where the escapes are malformed. */
export const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The absolute path of a local location. `file:` URIs and bare paths are both percent-decoded, and a relative one starts at `cwd`: MLflow does the same (`local_file_uri_to_path`). */
export const localPath = (location: string, cwd: string): string => {
  const path = /^file:/i.test(location)
    ? location.replace(/^file:(?:\/\/[^/]*)?/i, '').replace(/[?#].*$/, '')
    : location
  const plain = decoded(path)
  return isAbsolute(plain) ? plain : resolve(cwd, plain)
}

/** The location without user, password, query and fragment, which may hold signatures. In `wasbs://container@account` and `r2://bucket@host` what stands before the @ stays. */
export const withoutSecrets = (location: string): string => {
  const scheme = schemeOf(location)
  if (scheme === '' || scheme === 'file') return location
  const bare = location.replace(/[?#].*$/s, '')
  return ['wasb', 'wasbs', 'abfs', 'abfss', 'r2', 'b2'].includes(scheme)
    ? bare.replace(/^([^:]+:\/\/[^/:@]*):[^/@]*@/, '$1@')
    : bare.replace(/^([^:]+:\/\/)[^/]*@/, '$1')
}

/** Adds a path below a location; a query stays at the end, as `append_to_uri_path` keeps it. */
export const below = (location: string, path: string): string => {
  const at = schemeOf(location) === '' ? -1 : location.search(/[?#]/)
  const head = at < 0 ? location : location.slice(0, at)
  const tail = at < 0 ? '' : location.slice(at)
  return `${head.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}${tail}`
}
