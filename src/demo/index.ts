/**
 * `mlflow-doctor demo`: the main job on a throw-away store, a sqlite file and a folder. One whole model and several damaged ones
 * are scanned, repaired and scanned again, by the same command line that a user types. Exits 0 when all is repaired.
 */
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { demo as print } from '../reporters/demo.ts'
import { damages, writeModel } from './models.ts'
import { type LoggedModelRow, writeTrackingStore } from './tracking-store.ts'

const hex = () => randomBytes(16).toString('hex')

interface Planted extends LoggedModelRow {
  readonly story: string
  /** The folder that the training process still holds. */
  readonly local: string
}

const plant = async (dir: string): Promise<Planted[]> => {
  const planted: Planted[] = []
  for (const { name, story, status, harm } of damages) {
    const modelId = `m-${hex()}`
    const runId = hex()
    const local = join(dir, 'local', name)
    const artifacts = join(dir, 'artifacts', '1', 'models', modelId, 'artifacts')
    await writeModel(local, modelId, runId)
    await mkdir(artifacts, { recursive: true })
    await cp(local, artifacts, { recursive: true })
    await harm(artifacts)
    // Two days old: nothing here can be taken for an upload in progress.
    planted.push({ modelId, name, status, artifacts, runId, changed: Date.now() - 2 * 86_400_000, story, local })
  }
  writeTrackingStore(join(dir, 'mlflow.db'), join(dir, 'artifacts', '1'), planted)
  return planted
}

const hashes = async (dir: string): Promise<Record<string, string>> => {
  const found: Record<string, string> = {}
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.startsWith('.')) continue
    const file = join(entry.parentPath, entry.name)
    found[relative(dir, file)] = createHash('sha256')
      .update(await readFile(file))
      .digest('hex')
  }
  return found
}

/** `bin` is the file that Node runs for a command line of this tool. */
export const demonstrate = async (bin: string): Promise<number> => {
  const dir = await mkdtemp(join(tmpdir(), 'mlflow-doctor-demo-'))
  const planted = await plant(dir)
  const env = {
    ...process.env,
    MLFLOW_TRACKING_URI: `sqlite:///${join(dir, 'mlflow.db')}`,
    XDG_STATE_HOME: join(dir, 'state'),
  }
  const doctor = (...args: string[]): number => {
    print.command(args)
    const { status } = spawnSync(process.execPath, [bin, ...args], { stdio: ['ignore', 'inherit', 'inherit'], env })
    return status ?? 1
  }
  print.title('A throw-away MLflow store with one whole model and four damaged ones')
  for (const { name, modelId, status, story } of planted)
    print.item(`${name} (models:/${modelId}, ${status}): ${story}`)

  print.title('Before training: would a file of 20 GiB get through?')
  doctor('check', '--experiment', 'demo', '--size', '20GiB')

  print.title('After a failure: what is damaged?')
  const before = doctor('scan', '--experiment', 'demo')

  print.title('Repair each model from the folder that the training process left')
  for (const { modelId, local, name } of planted) {
    if (name !== 'whole') doctor('repair', `models:/${modelId}`, '--from', local, '--yes')
  }

  print.title('And again: is all repaired?')
  const after = doctor('scan', '--experiment', 'demo')

  let equal = true
  for (const { artifacts, local } of planted) {
    const [stored, original] = [await hashes(artifacts), await hashes(local)]
    // Beside them lies the manifest that a repair writes.
    equal &&= Object.entries(original).every(([path, hash]) => stored[path] === hash)
  }
  print.title('Result')
  print.item(`the first scan found the damage: ${before === 1 ? 'yes' : `no (exit code ${before})`}`)
  print.item(`the last scan is clean: ${after === 0 ? 'yes' : `no (exit code ${after})`}`)
  print.item(`every stored file is byte-equal to its original (SHA-256): ${equal ? 'yes' : 'no'}`)
  print.item(`the files stay in ${dir}; delete that folder when you have looked`)
  return before === 1 && after === 0 && equal ? 0 : 1
}
