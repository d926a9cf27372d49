import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isRunning, processIdIn, thisProcess } from '../host/process.ts'
import { prepareJournalDir } from './journal.ts'

/** The name tells whose folder it is, so that no instant of a crash leaves one without an owner. */
const ownerIn = (name: string) => {
  try {
    const [, owner = ''] = /^tmp-([\w-]+)\.\w+$/.exec(name) ?? []
    return processIdIn(JSON.parse(Buffer.from(owner, 'base64url').toString('utf8')))
  } catch {
    return undefined
  }
}

export interface TemporaryFolder {
  readonly dir: string
  remove(): Promise<void>
}

/** A folder for this process's own small files, readable by this user alone, within the state folder. Throws `denied`. */
export const temporaryFolder = async (stateDir: string): Promise<TemporaryFolder> => {
  await prepareJournalDir(stateDir)
  const owner = Buffer.from(JSON.stringify(await thisProcess())).toString('base64url')
  const dir = await mkdtemp(join(stateDir, `tmp-${owner}.`))
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) }
}

/** Removes what killed processes of this machine have left of theirs. */
export const sweepTemporary = async (stateDir: string): Promise<void> => {
  for (const name of await readdir(stateDir).catch(() => [])) {
    const owner = ownerIn(name)
    if (owner === undefined || (await isRunning(owner)) !== false) continue
    await rm(join(stateDir, name), { recursive: true, force: true }).catch(() => undefined)
  }
}
