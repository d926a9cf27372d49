/**
 * The spools that `guard` keeps: copies of model folders whose upload was not verified, so that the bytes outlive a failed
 * `log_model`. Each is noted in the state folder, where a later `repair` looks for sources.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Spool {
  /** Names the note; letters, digits and dashes. */
  readonly id: string
  /** The folder; each folder in it is laid out as one model, with its MLmodel at the top. */
  readonly dir: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
}

const folderOf = (stateDir: string): string => join(stateDir, 'spools')
const noteOf = (stateDir: string, id: string): string => join(folderOf(stateDir), `${id}.json`)
const version = 1

const spoolIn = (id: string, text: string): Spool | undefined => {
  try {
    const { v, dir, createdAt } = JSON.parse(text) as Record<string, unknown>
    return v === version && typeof dir === 'string' && typeof createdAt === 'number'
      ? { id, dir, createdAt }
      : undefined
  } catch {
    return undefined
  }
}

/** Before the first file is kept: a killed guard leaves a spool that can be found. */
export const noteSpool = async (stateDir: string, { id, dir, createdAt }: Spool): Promise<void> => {
  await mkdir(folderOf(stateDir), { recursive: true, mode: 0o700 })
  const to = noteOf(stateDir, id)
  await writeFile(`${to}.new`, JSON.stringify({ v: version, dir, createdAt }), { mode: 0o600 })
  await rename(`${to}.new`, to)
}

/** All that are noted, oldest first; those that cannot be read are left out. */
export const notedSpools = async (stateDir: string): Promise<readonly Spool[]> => {
  const names = await readdir(folderOf(stateDir)).catch(() => [])
  const found: Spool[] = []
  for (const name of names.filter((each) => each.endsWith('.json'))) {
    const text = await readFile(join(folderOf(stateDir), name), 'utf8').catch(() => '')
    const spool = spoolIn(name.slice(0, -'.json'.length), text)
    if (spool !== undefined) found.push(spool)
  }
  return found.sort((a, b) => a.createdAt - b.createdAt)
}

export const forgetSpool = (stateDir: string, id: string): Promise<void> => rm(noteOf(stateDir, id), { force: true })
