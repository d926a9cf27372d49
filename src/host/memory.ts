import { readFile } from 'node:fs/promises'
import { cpus, freemem, totalmem } from 'node:os'
import { join, posix } from 'node:path'
import type { HostMemory } from './types.ts'

/**
 * What a new process on this machine can take, in bytes: the smallest over the machine (`MemAvailable`) and over every
 * cgroup above this process, version 1, version 2 or both. `root` is where /proc and the cgroup mounts are looked for.
 * Never throws; a file that cannot be read sets no limit. Outside Linux the pages that lie free are all that
 * Node tells (`os.freemem`), which is `rough`.
 */
export const hostMemory = async ({ root = '/' }: { readonly root?: string } = {}): Promise<HostMemory> => {
  const info = keyed(await text(join(root, 'proc/meminfo')))
  const inKiB = (key: string): number | undefined => {
    const value = info.get(`${key}:`)
    return value === undefined ? undefined : value * 1024
  }
  const total = inKiB('MemTotal') ?? totalmem()
  const known = inKiB('MemAvailable')
  let available = known ?? freemem()
  let limit: { bytes: number; file: string } | undefined
  for await (const group of groupsAbove(root)) {
    // Version 1 spells "none" as a huge number; a limit above the machine's memory limits nothing.
    if (group.limit >= total) continue
    available = Math.min(available, Math.max(0, group.limit - group.used))
    if (limit === undefined || group.limit < limit.bytes) limit = { bytes: group.limit, file: group.file }
  }
  const processors = cpus().length
  return {
    total,
    available,
    processors,
    ...(known === undefined && { rough: true }),
    ...(limit && { limit: limit.bytes, limitFrom: limit.file }),
  }
}

interface Group {
  readonly limit: number
  /** What cannot be given back: usage without the page cache, which the kernel drops before it kills. */
  readonly used: number
  readonly file: string
}

/** The limit files of each version and the keys of `memory.stat` that count page cache, children included (cgroup-v1/memory.rst, cgroup-v2.rst). */
const versions = {
  cgroup: {
    limits: ['memory.limit_in_bytes'],
    usage: 'memory.usage_in_bytes',
    cache: ['total_inactive_file', 'total_active_file'],
  },
  cgroup2: {
    // Over memory.high a process is throttled until it hardly moves; for an upload that is as good as a limit.
    limits: ['memory.max', 'memory.high'],
    usage: 'memory.current',
    cache: ['inactive_file', 'active_file'],
  },
} as const

async function* groupsAbove(root: string): AsyncGenerator<Group> {
  const own = ownGroups(await text(join(root, 'proc/self/cgroup')))
  for (const mount of memoryMounts(await text(join(root, 'proc/self/mountinfo')))) {
    const path = own[mount.version]
    if (path === undefined) continue
    const { limits, usage, cache } = versions[mount.version]
    for (const below of withParents(belowMount(path, mount.root))) {
      const folder = join(root, mount.point, below)
      const found: { bytes: number; file: string }[] = []
      for (const name of limits) {
        const bytes = Number.parseInt(await text(join(folder, name)), 10)
        if (Number.isFinite(bytes)) found.push({ bytes, file: posix.join(mount.point, below, name) })
      }
      if (found.length === 0) continue
      const used = Number.parseInt(await text(join(folder, usage)), 10) || 0
      const stat = keyed(await text(join(folder, 'memory.stat')))
      const droppable = cache.reduce((sum, key) => sum + (stat.get(key) ?? 0), 0)
      for (const { bytes, file } of found) yield { limit: bytes, used: Math.max(0, used - droppable), file }
    }
  }
}

type Version = keyof typeof versions

/** /proc/self/cgroup: `4:memory:/a/b` for version 1, `0::/a/b` for version 2. */
const ownGroups = (content: string): Partial<Record<Version, string>> => {
  const own: Partial<Record<Version, string>> = {}
  for (const line of content.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) continue
    if (controllers === '') own.cgroup2 = path
    else if (controllers.split(',').includes('memory')) own.cgroup = path
  }
  return own
}

/** /proc/self/mountinfo: where the hierarchies lie, and which of their groups is the mount's root (proc_pid_mountinfo(5)). */
const memoryMounts = (content: string): { version: Version; root: string; point: string }[] =>
  content.split('\n').flatMap((line): { version: Version; root: string; point: string }[] => {
    const [before, after] = line.split(' - ')
    const [, , , root, point] = before?.split(' ') ?? []
    const [type, , options] = after?.split(' ') ?? []
    if (root === undefined || point === undefined) return []
    if (type === 'cgroup2') return [{ version: type, root, point }]
    return type === 'cgroup' && options?.split(',').includes('memory') ? [{ version: type, root, point }] : []
  })

/**
 * The group's path below its mount. In a container the two may be told from different roots: a mount of `/docker/x`
 * holds the group `/docker/x` as its top, and a path that leaves the namespace (`/../..`) is shown from its top as well.
 */
const belowMount = (path: string, mountRoot: string): string => {
  if (path.startsWith('/..') || mountRoot.startsWith('/..')) return '/'
  if (mountRoot === '/') return path
  return path.startsWith(`${mountRoot}/`) ? path.slice(mountRoot.length) : '/'
}

const withParents = (path: string): string[] => {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..')
  return Array.from({ length: parts.length + 1 }, (_, up) => `/${parts.slice(0, parts.length - up).join('/')}`)
}

const text = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')

/** `key number` lines, as in /proc/meminfo and memory.stat. */
const keyed = (content: string): Map<string, number> =>
  new Map(
    content.split('\n').flatMap((line): [string, number][] => {
      const [key, value] = line.split(/\s+/)
      return key !== undefined && value !== undefined && /^\d+$/.test(value) ? [[key, Number(value)]] : []
    }),
  )
