import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join, resolve, win32 } from 'node:path'
import { room } from './room.ts'
import type { TempFolder } from './types.ts'

interface Candidate {
  readonly path: string
  readonly from: TempFolder['from']
}

/**
 * The folder that Python's `tempfile` picks, and so MLflow's `log_model`, with the room in it. Sizes in bytes.
 *
 * Every candidate is tried by writing four bytes and removing them, as Python does (`_get_default_tempdir` in
 * Lib/tempfile.py): a folder that is named but cannot be written to is passed over without a word, and `passedOver` says
 * so. Never throws: when no candidate can be written to, `unwritable` holds the reason of the first.
 */
export const tempFolder = async (of: {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
}): Promise<TempFolder> => {
  const passedOver: { path: string; from: TempFolder['from']; why: string }[] = []
  for (const candidate of candidates(of.env, of.platform)) {
    const why = await whyUnwritable(candidate.path)
    if (why === undefined) return { ...candidate, ...(await room(candidate.path)), passedOver }
    passedOver.push({ ...candidate, why })
  }
  const first = passedOver[0] ?? { path: tmpdir(), from: 'default' as const, why: 'no folder to try' }
  return { path: first.path, from: first.from, ...(await room(first.path)), unwritable: first.why, passedOver }
}

/** `_candidate_tempdir_list` of Lib/tempfile.py, Python 3.9 to 3.14. */
const candidates = (env: Readonly<Record<string, string | undefined>>, platform: NodeJS.Platform): Candidate[] => {
  const named = (['TMPDIR', 'TEMP', 'TMP'] as const).flatMap((from) => {
    const path = env[from]
    return path ? [{ path: resolve(path), from }] : []
  })
  const usual =
    platform === 'win32'
      ? [
          win32.join(homedir(), 'AppData\\Local\\Temp'),
          win32.join(env.SYSTEMROOT ?? 'c:\\windows', 'Temp'),
          'c:\\temp',
          'c:\\tmp',
          '\\temp',
          '\\tmp',
        ]
      : ['/tmp', '/var/tmp', '/usr/tmp']
  return [...named, ...[...usual, process.cwd()].map((path) => ({ path, from: 'default' as const }))]
}

const whyUnwritable = async (folder: string): Promise<string | undefined> => {
  const path = join(folder, `mlflow-doctor-${randomBytes(6).toString('hex')}`)
  try {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)
    try {
      await file.write('blat')
    } finally {
      await file.close()
      await unlink(path)
    }
    return undefined
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return reasons[code ?? ''] ?? message
  }
}

const reasons: Readonly<Record<string, string>> = {
  EROFS: 'read-only file system',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'no such folder',
  ENOTDIR: 'not a folder',
  ENOSPC: 'no space left',
  EDQUOT: 'the disk quota is used up',
  EIO: 'input/output error',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'a loop of symbolic links',
}
