import { spawnSync } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { folderStore } from '../../src/stores/folder.ts'
import { transferFile } from '../../src/transfer/engine.ts'
import { scratch } from '../lab/index.ts'
import { moments, type Orders, send } from './sending.ts'

const MiB = 1024 ** 2
const content = randomBytes(40 * MiB + 321)

describe('the engine against a folder store, killed', () => {
  let dir: string
  beforeAll(async () => {
    dir = await scratch()
    await writeFile(join(dir, 'source'), content)
  })

  const orders = (to: string, more: Partial<Orders> = {}): Orders => ({
    source: join(dir, 'source'),
    to: join(dir, to),
    path: 'model/data.bin',
    journalDir: join(dir, `${to}-state`),
    memoryBytes: 8 * MiB,
    concurrency: 2,
    partSize: MiB,
    ...more,
  })
  const arrived = async (to: string): Promise<void> => {
    expect((await readFile(join(dir, to, 'model', 'data.bin'))).equals(content)).toBe(true)
    expect(await readdir(join(dir, to, 'model'))).toEqual(['data.bin'])
    expect((await readdir(join(dir, `${to}-state`))).filter((name) => name.endsWith('.jsonl'))).toEqual([])
  }

  test.each(moments)('%s, goes on and leaves nothing behind', async (dieAt) => {
    const to = dieAt.replaceAll(' ', '-')
    await mkdir(join(dir, to))
    expect(await send(orders(to, { dieAt }))).toMatchObject({ killed: true })
    const end = await send(orders(to))
    expect(end, end.stderr).toMatchObject({ done: { verified: true } })
    await arrived(to)
  })

  test('ten times at random instants, ends byte-equal and never sends what was acknowledged', async () => {
    let kills = 0
    for (let file = 0; kills < 10; file += 1) {
      const to = `random-${file}`
      await mkdir(join(dir, to))
      for (let finished = false, acknowledged = 0; !finished; ) {
        const after = randomInt(0, 120)
        let sent = 0
        const end = await send(orders(to), {}, (event, kill) => {
          if (event.event === 'started' && kills < 10) setTimeout(kill, after)
          if (event.event !== 'progress') return
          if (event.sent === 0) expect(event.reused).toBeGreaterThanOrEqual(acknowledged)
          sent = Number(event.sent) + Number(event.reused)
        })
        acknowledged = Math.max(acknowledged, sent)
        finished = !end.killed
        if (end.killed) kills += 1
        else expect(end, end.stderr).toMatchObject({ done: { verified: true } })
      }
      await arrived(to)
      await rm(join(dir, to), { recursive: true })
    }
  })
})

describe('a disk that is full', () => {
  test('in the middle stops the transfer with the reason, and with room again it goes on', async ({ skip }) => {
    const dir = await scratch()
    const disk = join(dir, 'disk')
    await mkdir(disk)
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk])
    if (mounted.status !== 0) skip('a small disk can be mounted by root alone')
    try {
      const small = content.subarray(0, 5 * MiB)
      await writeFile(join(dir, 'source'), small)
      const folder = await folderStore(disk, 'test')
      const job = {
        ...{ source: join(dir, 'source'), path: 'data.bin', journalDir: join(dir, 'state') },
        store: { ...folder, limits: { ...folder.limits, alignment: MiB } },
        ...{ adopt: true, settleMs: 0, memoryBytes: MiB, concurrency: 1, ifAbsent: true },
      }
      await writeFile(join(disk, 'filler'), randomBytes(4 * MiB))
      await expect(transferFile(job)).rejects.toMatchObject({ kind: 'full' })
      expect(await readdir(disk)).toEqual(['filler'])
      await rm(join(disk, 'filler'))

      const filling = transferFile({
        ...job,
        onProgress: ({ sent }) => {
          if (sent === 2 * MiB) spawnSync('dd', ['if=/dev/zero', `of=${join(disk, 'filler')}`, 'bs=1M'])
        },
      })
      await expect(filling).rejects.toMatchObject({
        kind: 'full',
        todo: expect.stringMatching(/of 5 MiB are in the store/),
      })
      expect(await readdir(disk)).not.toContain('data.bin')
      await rm(join(disk, 'filler'))
      const result = await transferFile(job)
      expect(result).toMatchObject({ from: 'journal', verified: true, reused: expect.any(Number) })
      expect(result.reused).toBeGreaterThanOrEqual(2 * MiB)
      expect((await readFile(join(disk, 'data.bin'))).equals(small)).toBe(true)
      await folder.close()
    } finally {
      spawnSync('umount', [disk])
    }
  })
})
