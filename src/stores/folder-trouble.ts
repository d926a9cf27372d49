import { Trouble, type TroubleKind } from '../errors.ts'

/** Error codes of the operating system, in words, with what to do. */
const known: Readonly<Record<string, readonly [TroubleKind, string, string]>> = {
  ENOSPC: ['full', 'no space is left on the device', 'Free space on the disk that holds the artifacts'],
  EDQUOT: ['full', 'the disk quota is used up', 'Free space or have the quota raised'],
  EFBIG: ['too-large', 'the file system does not take files of this size', 'Use a file system without this limit'],
  EACCES: ['denied', 'permission denied', 'Run as a user who may do this, or change the permissions of the folder'],
  EPERM: [
    'denied',
    'operation not permitted',
    'Run as a user who may do this, or change the permissions of the folder',
  ],
  EROFS: ['denied', 'the file system is read-only', 'Mount it writable'],
  ELOOP: ['denied', 'a symbolic link lies on the way', 'Replace the link by a real folder or file'],
  ENOENT: ['not-found', 'no such file or folder', 'Check the path'],
  ENOTDIR: ['conflict', 'a file stands where a folder is needed', 'Remove or rename that file'],
  EISDIR: ['conflict', 'a folder stands where a file is needed', 'Remove or rename that folder'],
  EEXIST: ['conflict', 'a file of that name appeared meanwhile', 'Look at that file before sending again'],
  ENAMETOOLONG: ['unsupported', 'the name is too long for this file system', 'Shorten the name'],
  EMFILE: ['unavailable', 'too many files are open', 'Raise the limit of open files (ulimit -n)'],
  ENFILE: ['unavailable', 'too many files are open on this machine', 'Try again when it is less busy'],
  ESTALE: ['unavailable', 'the network file system lost the file handle', 'Try again'],
  EIO: ['unavailable', 'the disk reported an input/output error', 'Check the disk and the system log'],
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

export const hasCode = (error: unknown, ...codes: readonly string[]): boolean => codes.includes(codeOf(error) ?? '')

/** A `Trouble` for what a file operation threw; errors that are not the operating system's are handed back as they are. */
export const folderTrouble = (what: string, error: unknown): unknown => {
  const code = codeOf(error)
  if (error instanceof Trouble || code === undefined || !code.startsWith('E') || code.startsWith('ERR_')) return error
  const [kind, why, todo] = known[code] ?? ['unavailable', `the operating system answered ${code}`, 'Try again']
  return new Trouble({ kind, what, why, todo, cause: error })
}
