import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { open, readFile, realpath, statfs, unlink } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join, resolve, win32 } from 'node:path'
import { hostMemory } from './memory.ts'
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

type Room = Pick<TempFolder, 'total' | 'free' | 'inMemory'> & {
  readonly freeInodes?: number
  readonly filesystem?: string
}

const room = async (folder: string): Promise<Room> => {
  const at = await statfs(folder).catch(() => undefined)
  if (at === undefined) return { total: 0, free: 0, inMemory: false }
  const filesystem = (await mountedAs(folder)) ?? magicNames[at.type]
  const inMemory = filesystem === 'tmpfs' || filesystem === 'ramfs'
  // ramfs, and tmpfs mounted with size=0, know no bound and report none (tmpfs(5)): the machine's memory is the bound.
  if (inMemory && at.blocks === 0) {
    const { total, available } = await hostMemory()
    return { total, free: available, inMemory, filesystem }
  }
  return {
    total: at.blocks * at.bsize,
    free: at.bavail * at.bsize,
    inMemory,
    // btrfs and others make inodes as they go, and report 0 of 0.
    ...(at.files > 0 && { freeInodes: at.ffree }),
    ...(filesystem !== undefined && { filesystem }),
  }
}

/** The file system of the innermost mount that holds `folder`; undefined where there is no /proc. */
const mountedAs = async (folder: string): Promise<string | undefined> => {
  const [mounts, real] = await Promise.all([
    readFile('/proc/self/mounts', 'utf8').catch(() => ''),
    realpath(folder).catch(() => folder),
  ])
  let best: { point: string; type: string } | undefined
  for (const line of mounts.split('\n')) {
    const [, escaped, type] = line.split(' ')
    if (escaped === undefined || type === undefined) continue
    const point = escaped.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    const holds = real === point || real.startsWith(point.endsWith('/') ? point : `${point}/`)
    // A later mount over the same point hides the earlier one.
    if (holds && point.length >= (best?.point.length ?? 0)) best = { point, type }
  }
  return best?.type
}

/** statfs(2), for a Linux without /proc. */
const magicNames: Readonly<Record<number, string>> = {
  16914836: 'tmpfs',
  2240043254: 'ramfs',
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  2035054128: 'overlay',
  26985: 'nfs',
}
