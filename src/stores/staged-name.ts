import { randomBytes } from 'node:crypto'
import { baseOf, folderOf, join } from './path.ts'

/** MLflow 3.17 stages each file of a folder store under this prefix beside its final name, and hides such names (store/artifact/local_artifact_repo.py). */
const mlflowPrefix = '.artifact.uploading.'
const ownPrefix = `${mlflowPrefix}mlflow-doctor-`

/** The longest file name of the common file systems, in bytes (NAME_MAX on Linux and macOS). */
const longestName = 255

export const isStaged = (name: string): boolean => name.startsWith(mlflowPrefix)

/** A new staging name for a final path: carries the final name where that fits, so that a later run can tell whose it is. */
export const newStagedName = (path: string): string => {
  const short = `${ownPrefix}${randomBytes(6).toString('hex')}`
  const full = `${short}-${baseOf(path)}`
  return Buffer.byteLength(full) <= longestName ? full : short
}

/** The final path of a staged file, where its name tells it; MLflow's own names do not. */
export const finalPath = (staged: string): string | undefined => {
  const match = /^[0-9a-f]{12}-(.+)$/su.exec(baseOf(staged).slice(ownPrefix.length))
  if (!baseOf(staged).startsWith(ownPrefix) || match?.[1] === undefined) return undefined
  return join(folderOf(staged), match[1])
}
