import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { folderStore } from '../../src/stores/folder.ts'
import { storeContract } from './contract.ts'

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'contract-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

storeContract('a folder', {
  open: () => folderStore(`${dir}/not/there/yet`, 'test'),
  resumes: true,
  lists: true,
  proves: true,
})
