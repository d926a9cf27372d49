import { readFile, realpath, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hostMemory } from './memory.ts'
import type { Room } from './types.ts'

/** The room in a folder, for this user; no room at all where it cannot be asked for. */
export const room = async (folder: string): Promise<Room> => {
  const at = await statfs(folder).catch(() => undefined)
  if (at === undefined) return { total: 0, free: 0, inMemory: false }
  const device = (await stat(folder).catch(() => undefined))?.dev
  const filesystem = (await mountedAs(folder)) ?? magicNames[at.type]
  const inMemory = filesystem === 'tmpfs' || filesystem === 'ramfs'
  const where = { inMemory, ...(filesystem !== undefined && { filesystem }), ...(device !== undefined && { device }) }
  // ramfs, and tmpfs mounted with size=0, know no bound and report none (tmpfs(5)): the machine's memory is the bound.
  if (inMemory && at.blocks === 0) {
    const { total, available } = await hostMemory()
    return { ...where, total, free: available }
  }
  return {
    ...where,
    total: at.blocks * at.bsize,
    free: at.bavail * at.bsize,
    // btrfs and others make inodes as they go, and report 0 of 0.
    ...(at.files > 0 && { freeInodes: at.ffree }),
  }
}

/** The innermost folder on the way to `folder` that exists: where what is made below it will take its room. */
export const existing = async (folder: string): Promise<string> => {
  const parent = dirname(folder)
  if (parent === folder) return folder
  const is = await stat(folder).catch(() => undefined)
  return is?.isDirectory() ? folder : existing(parent)
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
