import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hostMemory } from '../../src/host/memory.ts'
import type { HostMemory } from '../../src/host/types.ts'

const MiB = 1024 ** 2
let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'md-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const tree = async (files: Readonly<Record<string, string>>): Promise<HostMemory> => {
  const meminfo = 'MemTotal:       8388608 kB\nMemFree:  100 kB\nMemAvailable:    4194304 kB\n'
  for (const [path, content] of Object.entries({ '/proc/meminfo': meminfo, ...files })) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  return hostMemory({ root })
}

const v2 = '35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n'
const v1 = '35 24 0:30 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n'
const unlimited = '9223372036854771712\n'

test('files as of a machine without cgroups: what /proc/meminfo says', async () => {
  expect(await tree({})).toMatchObject({ total: 8192 * MiB, available: 4096 * MiB })
  expect(await tree({})).not.toHaveProperty('limit')
})

test('without MemAvailable, as off Linux, the figure is marked as rough', async () => {
  expect(await hostMemory({ root })).toMatchObject({ rough: true })
  expect(await tree({})).not.toHaveProperty('rough')
})

test('files as of version 2: the tightest of all levels, page cache counted as free', async () => {
  const found = await tree({
    '/proc/self/cgroup': '0::/user.slice/job\n',
    '/proc/self/mountinfo': v2,
    '/sys/fs/cgroup/user.slice/memory.max': `${1024 * MiB}\n`,
    '/sys/fs/cgroup/user.slice/memory.high': 'max\n',
    '/sys/fs/cgroup/user.slice/memory.current': `${900 * MiB}\n`,
    '/sys/fs/cgroup/user.slice/memory.stat': `anon 5\ninactive_file ${100 * MiB}\nactive_file ${200 * MiB}\n`,
    '/sys/fs/cgroup/user.slice/job/memory.max': `${2048 * MiB}\n`,
    '/sys/fs/cgroup/user.slice/job/memory.current': `${10 * MiB}\n`,
  })
  expect(found).toMatchObject({
    available: 424 * MiB,
    limit: 1024 * MiB,
    limitFrom: '/sys/fs/cgroup/user.slice/memory.max',
  })
})

test('files as of version 2: memory.high counts as a limit', async () => {
  const found = await tree({
    '/proc/self/cgroup': '0::/\n',
    '/proc/self/mountinfo': v2,
    '/sys/fs/cgroup/memory.max': 'max\n',
    '/sys/fs/cgroup/memory.high': `${300 * MiB}\n`,
    '/sys/fs/cgroup/memory.current': `${400 * MiB}\n`,
  })
  expect(found).toMatchObject({ available: 0, limit: 300 * MiB, limitFrom: '/sys/fs/cgroup/memory.high' })
})

test('files as of version 1: total_ figures, and the huge number means none', async () => {
  const found = await tree({
    '/proc/self/cgroup': '9:name=systemd:/x\n4:cpu,memory:/a/b\n0::/x\n',
    '/proc/self/mountinfo': v1.replace('rw,memory', 'rw,cpu,memory'),
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': unlimited,
    '/sys/fs/cgroup/memory/a/memory.limit_in_bytes': unlimited,
    '/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes': `${512 * MiB}\n`,
    '/sys/fs/cgroup/memory/a/b/memory.usage_in_bytes': `${500 * MiB}\n`,
    '/sys/fs/cgroup/memory/a/b/memory.stat': `inactive_file 1\ntotal_inactive_file ${38 * MiB}\ntotal_active_file 0\n`,
  })
  expect(found).toMatchObject({
    available: 50 * MiB,
    limit: 512 * MiB,
    limitFrom: '/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes',
  })
})

const inContainer = {
  '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${256 * MiB}\n`,
  '/sys/fs/cgroup/memory/memory.usage_in_bytes': `${56 * MiB}\n`,
}

test('files as of a version 1 container: the path counts from the root of the mount', async () => {
  const found = await tree({
    '/proc/self/cgroup': '4:memory:/docker/abc\n',
    '/proc/self/mountinfo': v1.replace(' / /sys', ' /docker/abc /sys'),
    ...inContainer,
  })
  expect(found).toMatchObject({ available: 200 * MiB, limit: 256 * MiB })
})

test('files as of a namespace that the group lies outside of: the top of the mount is all there is to see', async () => {
  const found = await tree({
    '/proc/self/cgroup': '4:memory:/../../x\n',
    '/proc/self/mountinfo': v1,
    ...inContainer,
    // Another group that happens to have the same name.
    '/sys/fs/cgroup/memory/x/memory.limit_in_bytes': `${MiB}\n`,
  })
  expect(found).toMatchObject({ available: 200 * MiB })
})

test('files as of a hybrid machine: version 1 holds the memory, version 2 none', async () => {
  const unified = '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n'
  const found = await tree({
    '/proc/self/cgroup': '4:memory:/\n0::/\n',
    '/proc/self/mountinfo': unified + v1,
    '/sys/fs/cgroup/unified/cgroup.procs': '1\n',
    ...inContainer,
  })
  expect(found).toMatchObject({ available: 200 * MiB })
})

test('a limit above the memory of the machine is none', async () => {
  const found = await tree({
    '/proc/self/cgroup': '0::/\n',
    '/proc/self/mountinfo': v2,
    '/sys/fs/cgroup/memory.max': `${99_999 * MiB}\n`,
    '/sys/fs/cgroup/memory.current': `${99_998 * MiB}\n`,
  })
  expect(found).toMatchObject({ available: 4096 * MiB })
  expect(found).not.toHaveProperty('limit')
})

const hierarchies = [
  { folder: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes' },
  { folder: '/sys/fs/cgroup', limit: 'memory.max' },
]
const writable = (folder: string): boolean => {
  try {
    accessSync(folder, constants.W_OK)
    const trial = join(folder, `md-${process.pid}-try`)
    mkdirSync(trial)
    const has = hierarchies.some(({ limit }) => existsSync(join(trial, limit)))
    rmdirSync(trial)
    return has
  } catch {
    return false
  }
}
const real = hierarchies.find(({ folder }) => writable(folder))

test('a real cgroup limits a real process', ({ skip }) => {
  if (real === undefined) return skip('needs a writable memory cgroup (root)')
  const outer = join(real.folder, `md-${process.pid}`)
  const inner = join(outer, 'inner')
  mkdirSync(outer)
  if (real.limit === 'memory.max') writeFileSync(join(outer, 'cgroup.subtree_control'), '+memory')
  mkdirSync(inner)
  try {
    writeFileSync(join(outer, real.limit), String(300 * MiB))
    const source = new URL('../../src/host/memory.ts', import.meta.url).href
    const script = `import(${JSON.stringify(source)}).then(async (m) => console.log(JSON.stringify(await m.hostMemory())))`
    const said = execFileSync(
      'sh',
      ['-c', 'echo $$ > "$1/cgroup.procs" && exec "$2" -e "$3"', 'sh', inner, process.execPath, script],
      { encoding: 'utf8' },
    )
    const found = JSON.parse(said) as HostMemory
    expect(found.limit).toBe(300 * MiB)
    expect(found.limitFrom).toBe(join(outer, real.limit))
    // Node itself takes some of it.
    expect(found.available).toBeLessThan(300 * MiB)
    expect(found.available).toBeGreaterThan(100 * MiB)
  } finally {
    rmdirSync(inner)
    rmdirSync(outer)
  }
})
