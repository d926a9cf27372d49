import { join } from 'node:path'
import { onFreePorts } from '../lab/ports.ts'
import { type Running, serve } from '../lab/running.ts'
import { freshDir } from '../lab/scratch.ts'
import { type MlflowVersion, mlflowPython } from '../lab/venv.ts'

export interface UploadJob {
  readonly env: Readonly<Record<string, string>>
  /** Id of the experiment. */
  readonly experiment: string
  readonly as: 'log_model' | 'log_artifact'
  /** Name to size in bytes. */
  readonly files: Readonly<Record<string, number>>
  /** `ulimit -f` of the client, in bytes. */
  readonly fileSizeLimit?: number
  /** The most that it may take. */
  readonly seconds: number
}

export interface Uploaded {
  /** What the client itself thinks of it. */
  readonly ok: boolean
  readonly seconds: number
  readonly error?: string
  /** Name to artifact URI, as far as it got. */
  readonly files: Readonly<Record<string, string>>
}

export interface Uploader extends Running {
  upload(job: UploadJob): Promise<Uploaded>
}

/** The real MLflow client, imported once, that runs each upload in a process of its own. */
export async function startUploader(version: MlflowVersion): Promise<Uploader> {
  const python = await mlflowPython(version)
  return onFreePorts(1, async (port) => {
    const dir = await freshDir('up')
    const url = `http://127.0.0.1:${port}/`
    const running = await serve({
      name: `the MLflow ${version} client`,
      command: [python, join(import.meta.dirname, 'uploader.py'), String(port)],
      env: { HOME: dir },
      dir,
      answers: async () => (await fetch(url)).ok,
    })
    return {
      ...running,
      upload: async ({ env, fileSizeLimit, ...job }) => {
        const body = JSON.stringify({
          ...job,
          // The default of 7 retries only repeats what failed; what it costs is arithmetic.
          env: { MLFLOW_HTTP_REQUEST_MAX_RETRIES: '1', TMPDIR: dir, ...env },
          payloads: dir,
          file_size_limit: fileSizeLimit ?? null,
        })
        const answer = await fetch(url, { method: 'POST', body })
        return (await answer.json()) as Uploaded
      },
    }
  })
}
