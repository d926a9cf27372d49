import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isRunning, nameOfProcess, processInName, thisProcess } from '../host/process.ts'
import { prepareJournalDir } from './journal.ts'

/** The name tells whose folder it is, so that no instant of a crash leaves one without an owner. */
const ownerIn = (name: string) => processInName(/^tmp-([\w-]+)\.\w+$/.exec(name)?.[1] ?? '')

export interface TemporaryFolder {
  readonly dir: string
  remove(): Promise<void>
}

/** A folder for this process's own small files, readable by this user alone, within the state folder. Throws `denied`. */
export const temporaryFolder = async (stateDir: string): Promise<TemporaryFolder> => {
  await prepareJournalDir(stateDir)
  const dir = await mkdtemp(join(stateDir, `tmp-${nameOfProcess(await thisProcess())}.`))
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
