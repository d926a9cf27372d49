import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { processLimits } from '../../src/host/limits.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'md-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const limits = (file: string, files: string) =>
  [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    `Max file size             ${file.padEnd(20)} unlimited            bytes     `,
    `Max open files            ${files.padEnd(20)} 1048576              files     `,
  ].join('\n')
const write = async (process: string, content: string) => {
  await mkdir(join(root, 'proc', process), { recursive: true })
  await writeFile(join(root, 'proc', process, 'limits'), content)
}
const read = () => processLimits({ root, parent: 7, platform: 'linux' })

test('open files are those of the parent, because Node raises its own (files as of /proc)', async () => {
  await write('self', limits('2048000', '1048576'))
  await write('7', limits('unlimited', '1024'))
  expect(await read()).toEqual({ fileBytes: 2_048_000, openFiles: 1024 })
})

test('no limit, and nothing that can be read (files as of /proc)', async () => {
  expect(await read()).toEqual({})
  await write('self', limits('unlimited', 'unlimited'))
  expect(await read()).toEqual({})
})

test('the shell is asked where there is no /proc', async () => {
  const { fileBytes, openFiles } = await processLimits({ platform: 'darwin' })
  expect(fileBytes === undefined || fileBytes > 0).toBe(true)
  expect(openFiles === undefined || openFiles > 0).toBe(true)
})
