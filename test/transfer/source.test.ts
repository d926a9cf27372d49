import { spawnSync } from 'node:child_process'
import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NotApplicable } from '../../src/errors.ts'
import type { LoggedModel, Run, Target } from '../../src/mlflow/types.ts'
import { foreignBecause, openTree } from '../../src/transfer/source.ts'

const runId = 'a'.repeat(32)
const modelId = `m-${'b'.repeat(32)}`
const run: Run = {
  ...{ runId, experimentId: '1', status: 'FAILED', artifactUri: 's3://b/1', lifecycle: 'active' },
}
const model: LoggedModel = {
  ...{ modelId, experimentId: '1', name: 'm', status: 'PENDING', artifactUri: 's3://b/m', sourceRunId: runId },
}
const anywhere: Target = { name: 's3://b', kind: 'uri', artifactUri: 's3://b' }
const aRun: Target = { name: `runs:/${runId}`, kind: 'run', artifactUri: 's3://b/1', run }
const aModel: Target = { name: `models:/${modelId}`, kind: 'model', artifactUri: 's3://b/m', model }

let dir: string
beforeEach(async () => {
  const base = await mkdtemp(join(tmpdir(), 'md-s-'))
  dir = join(base, 'tree')
  await mkdir(join(dir, 'sub', 'deep'), { recursive: true })
  await writeFile(join(dir, 'a'), 'aa')
  await writeFile(join(dir, 'sub', 'deep', 'b'), '')
})
afterEach(() => rm(join(dir, '..'), { recursive: true, force: true }))

const names = async (target: Target = anywhere): Promise<string[]> =>
  [...(await openTree(dir, target)).files.keys()].sort()
const problems = async (target: Target = anywhere): Promise<Record<string, string>> =>
  Object.fromEntries((await openTree(dir, target)).problems.map(({ path, why }) => [path, why]))
const mlmodel = (where: string, ids: Record<string, string>): Promise<void> =>
  writeFile(
    join(dir, where, 'MLmodel'),
    `flavors:\n  python_function:\n    loader_module: x\n${Object.entries(ids)
      .map(([key, value]) => `${key}: ${value}\n`)
      .join('')}`,
  )

describe('a local folder as a source', () => {
  test('offers its regular files with their sizes', async () => {
    const { files } = await openTree(dir, anywhere)
    expect([...files].sort()).toEqual([
      ['a', { file: join(dir, 'a'), bytes: 2 }],
      ['sub/deep/b', { file: join(dir, 'sub', 'deep', 'b'), bytes: 0 }],
    ])
  })

  test('follows links to files within itself, and no other links', async () => {
    await writeFile(join(dir, '..', 'secret'), 'x')
    await symlink(join(dir, 'a'), join(dir, 'sub', 'inside'))
    await symlink('../../secret', join(dir, 'sub', 'outside'))
    await symlink('/etc/hostname', join(dir, 'absolute'))
    await symlink('nowhere', join(dir, 'dangling'))
    await symlink('.', join(dir, 'sub', 'loop'))
    const { files } = await openTree(dir, anywhere)
    expect(files.get('sub/inside')).toEqual({ file: join(dir, 'a'), bytes: 2 })
    expect([...files.keys()].sort()).toEqual(['a', 'sub/deep/b', 'sub/inside'])
    expect(Object.keys(await problems()).sort()).toEqual(['absolute', 'dangling', 'sub/loop', 'sub/outside'])
  })

  test('leaves out what is no file, or has no name that a store takes', async () => {
    expect(spawnSync('mkfifo', [join(dir, 'fifo')]).status).toBe(0)
    await writeFile(join(dir, 'new\nline'), '')
    expect(await names()).toEqual(['a', 'sub/deep/b'])
    expect(await problems()).toMatchObject({ fifo: expect.any(String), 'new\nline': expect.any(String) })
  })

  test('leaves out what others may write, and refuses to start from such a folder', async () => {
    await chmod(join(dir, 'a'), 0o666)
    await chmod(join(dir, 'sub'), 0o777)
    expect(await names()).toEqual([])
    expect(await problems()).toMatchObject({
      a: expect.stringMatching(/everybody/),
      sub: expect.stringMatching(/everybody/),
    })
    await chmod(dir, 0o777)
    await expect(openTree(dir, anywhere)).rejects.toMatchObject({ kind: 'denied' })
  })

  test('knows whose files are trusted: the owner, root, and a private group', () => {
    const user = { uid: 1000, gid: 1000 }
    expect(foreignBecause({ uid: 1000, gid: 1000, mode: 0o664 }, user)).toBeUndefined()
    expect(foreignBecause({ uid: 1000, gid: 50, mode: 0o664 }, user)).toMatch(/group/)
    expect(foreignBecause({ uid: 1000, gid: 50, mode: 0o644 }, user)).toBeUndefined()
    expect(foreignBecause({ uid: 0, gid: 0, mode: 0o644 }, user)).toMatch(/another user/)
    expect(foreignBecause({ uid: 1000, gid: 1000, mode: 0o600 }, { uid: 0, gid: 0 })).toBeUndefined()
    expect(foreignBecause({ uid: 1000, gid: 1000, mode: 0o602 }, { uid: 1000, gid: 1000 })).toMatch(/everybody/)
  })

  test.runIf(process.getuid?.() === 0)(
    'root may use what belongs to a user, but not what a strange group may write',
    async () => {
      await chown(join(dir, 'a'), 1234, 1234)
      expect(await names()).toEqual(['a', 'sub/deep/b'])
      await chmod(join(dir, 'a'), 0o664)
      expect(await names()).toEqual(['sub/deep/b'])
    },
  )

  test('that is not there, or is a file, is said', async () => {
    await expect(openTree(join(dir, 'none'), anywhere)).rejects.toMatchObject({ kind: 'not-found' })
    await expect(openTree(join(dir, 'a'), anywhere)).rejects.toMatchObject({ kind: 'usage' })
  })
})

describe('whether the folder belongs to the target', () => {
  test('a model needs its own id in MLmodel', async () => {
    await expect(openTree(dir, aModel)).rejects.toThrow(/no readable MLmodel/)
    await mlmodel('', { model_id: modelId, run_id: runId })
    expect(await names(aModel)).toContain('MLmodel')
    await mlmodel('', { model_id: `m-${'c'.repeat(32)}`, run_id: runId })
    await expect(openTree(dir, aModel)).rejects.toBeInstanceOf(NotApplicable)
    await mlmodel('', { run_id: runId })
    expect(await names(aModel)).toContain('MLmodel')
    await mlmodel('', { run_id: 'd'.repeat(32) })
    await expect(openTree(dir, aModel)).rejects.toBeInstanceOf(NotApplicable)
  })

  test('a run is not a model folder, and takes only models of its own', async () => {
    expect(await names(aRun)).toEqual(['a', 'sub/deep/b'])
    await mlmodel('sub', { run_id: runId })
    expect(await names(aRun)).toEqual(['a', 'sub/MLmodel', 'sub/deep/b'])
    await mlmodel('sub', { run_id: 'd'.repeat(32) })
    expect(await names(aRun)).toEqual(['a'])
    expect(await problems(aRun)).toMatchObject({ sub: expect.stringMatching(/not one of/) })
    await mlmodel('', { model_id: modelId, run_id: runId })
    await expect(openTree(dir, aRun)).rejects.toBeInstanceOf(NotApplicable)
  })
})
