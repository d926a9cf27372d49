import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onFreePorts } from './ports.ts'
import { type Running, serve } from './running.ts'
import { freshDir } from './scratch.ts'
import { type MlflowVersion, mlflowPython } from './venv.ts'

export interface MlflowServer extends Running {
  readonly url: string
  /** Holds `mlflow.db`, `artifacts/` (the default destination) and `tmp/` (the server's TMPDIR). */
  readonly dir: string
  readonly version: string
  /** Where it keeps what clients send through it. */
  readonly destination: string
}

export interface MlflowOptions {
  readonly version?: MlflowVersion
  /** MLflow's own default unless told: gunicorn up to 3.2, which have nothing else, uvicorn from 3.11 on. */
  readonly engine?: 'uvicorn' | 'gunicorn'
  /** A folder or `s3://…`; unless told, `artifacts/` in its own folder. */
  readonly artifactsDestination?: string
  /** Such as `s3://bucket/x`: experiments then live there unproxied. Proxying stays on unless `args` say otherwise. */
  readonly defaultArtifactRoot?: string
  /** 1 unless told. */
  readonly workers?: number
  readonly env?: Record<string, string>
  readonly args?: readonly string[]
  /** gunicorn's own options; `--timeout 30` is its default. */
  readonly gunicornOpts?: string
  /** With the basic-auth app; the administrator is `LOGIN`. */
  readonly auth?: boolean
}

/** Who may do everything on a server with `auth`. MLflow 3.17 refuses `password1234`, the default of older ones. */
export const LOGIN = { username: 'admin', password: 'lab-password-1234' } as const

/** A tracking server of its own, with a fresh database. */
export async function startMlflow(options: MlflowOptions = {}): Promise<MlflowServer> {
  const version = options.version ?? '3.17.2'
  const engine = options.engine ?? (hasUvicorn(version) ? 'uvicorn' : 'gunicorn')
  if (engine === 'uvicorn' && !hasUvicorn(version)) throw new Error(`MLflow ${version} has no uvicorn`)
  const python = await mlflowPython(version)
  return onFreePorts(1, async (port) => {
    const dir = await freshDir('mlflow')
    await mkdir(join(dir, 'tmp'))
    const destination = options.artifactsDestination ?? join(dir, 'artifacts')
    const url = `http://127.0.0.1:${port}`
    if (options.auth) await writeFile(join(dir, 'auth.ini'), authConfiguration(dir))
    const root = options.defaultArtifactRoot
    const gunicornOpts = options.gunicornOpts ?? (hasUvicorn(version) ? '--timeout 30' : undefined)
    const flags = [
      ['--host', '127.0.0.1'],
      ['--port', String(port)],
      ['--workers', String(options.workers ?? 1)],
      ['--backend-store-uri', `sqlite:///${join(dir, 'mlflow.db')}`],
      ['--artifacts-destination', destination],
      root === undefined ? [] : ['--default-artifact-root', root],
      engine === 'gunicorn' && gunicornOpts !== undefined ? ['--gunicorn-opts', gunicornOpts] : [],
      options.auth ? ['--app-name', 'basic-auth'] : [],
    ].flat()
    const running = await serve({
      name: `MLflow ${version} (${engine})`,
      command: [python, '-m', 'mlflow', 'server', ...flags, ...(options.args ?? [])],
      env: {
        TMPDIR: join(dir, 'tmp'),
        // Seven consumer processes of 230 MB each that no artifact passes through.
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
        ...(options.auth
          ? { MLFLOW_FLASK_SERVER_SECRET_KEY: 'lab', MLFLOW_AUTH_CONFIG_PATH: join(dir, 'auth.ini') }
          : {}),
        ...options.env,
      },
      dir,
      answers: () => answersSearch(url, options.auth ?? false, options.args ?? []),
    })
    return { ...running, url, dir, version, destination }
  })
}

function authConfiguration(dir: string): string {
  return `[mlflow]
default_permission = READ
database_uri = sqlite:///${join(dir, 'auth.db')}
admin_username = ${LOGIN.username}
admin_password = ${LOGIN.password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
`
}

function hasUvicorn(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 3 || (major === 3 && minor > 2)
}

async function answersSearch(url: string, auth: boolean, args: readonly string[]): Promise<boolean> {
  const at = args.indexOf('--static-prefix')
  const prefix = at === -1 ? '' : (args[at + 1] ?? '')
  const login = `Basic ${Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString('base64')}`
  const response = await fetch(`${url}${prefix}/api/2.0/mlflow/experiments/search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(auth ? { authorization: login } : {}) },
    body: JSON.stringify({ max_results: 1 }),
  })
  await response.arrayBuffer()
  return response.ok
}
