import { Trouble } from '../errors.ts'

/**
 * Names below a store's root come from listings, MLmodel files and manifests, so they are hostile until this module has
 * seen them. One rule for every store: relative, `/`-separated, no empty part, no `.` or `..`, no control code.
 */

/** Why a path must not be used, or undefined when it may. Ends without a full stop. */
export const unsafeBecause = (path: string): string | undefined => {
  if (path === '') return 'it is empty'
  if (path.startsWith('/')) return 'it is absolute'
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'it holds a control code'
  if (!path.isWellFormed()) return 'it is not valid Unicode'
  for (const part of path.split('/')) {
    if (part === '') return 'it holds an empty folder name'
    if (part === '.' || part === '..') return `it holds "${part}"`
  }
  return undefined
}

/** The path itself. Throws `Trouble` (`unsupported`) when it could leave the root or cannot be a name. */
export const safePath = (path: string): string => {
  const why = unsafeBecause(path)
  if (why === undefined) return path
  throw new Trouble({
    kind: 'unsupported',
    what: `refused the artifact path ${JSON.stringify(path.slice(0, 200))}`,
    why,
    todo: 'Rename the artifact; nothing was read or written under this name',
  })
}

/** For prefixes, where the empty string is the root itself. */
export const safeFolder = (path: string): string => (path === '' ? '' : safePath(path))

/** `join('a/b', 'c')` is `a/b/c`; an empty side adds no slash. */
export const join = (folder: string, name: string): string =>
  folder === '' ? name : name === '' ? folder : `${folder}/${name}`

/** How the paths of a store are found in a bucket or container whose keys begin with `prefix`, which may be empty. */
export const keysBelow = (prefix: string) => ({
  /** Throws `Trouble` (`unsupported`) for a path that is not safe. */
  keyOf: (path: string): string => join(prefix, safePath(path)),
  /** With what the keys in a folder, or in the root, begin. */
  below: (folder: string): string => (join(prefix, folder) === '' ? '' : `${join(prefix, folder)}/`),
  relative: (key: string): string => (prefix === '' ? key : key.slice(prefix.length + 1)),
})

/** The folder part of a path, empty for a file at the root. */
export const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

/** The last part of a path. */
export const baseOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
