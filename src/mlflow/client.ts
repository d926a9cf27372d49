import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, open, readdir, realpath } from 'node:fs/promises'
import { delimiter, dirname, join, resolve } from 'node:path'
import { NotApplicable } from '../errors.ts'
import type { Environment } from './variables.ts'

/** The distributions that decide how files are uploaded, in the spelling of PyPI. */
export const distributions = [
  'mlflow',
  'mlflow-skinny',
  'boto3',
  'botocore',
  'requests',
  'urllib3',
  'azure-storage-blob',
  'google-cloud-storage',
] as const
export type Distribution = (typeof distributions)[number]

/** The MLflow that a training process started here would import. */
export interface Client {
  /** Of mlflow, else of mlflow-skinny. */
  readonly version: string
  /** Absolute path of the interpreter. */
  readonly python: string
  /** How it was found: `--python`, `VIRTUAL_ENV`, `CONDA_PREFIX` or `PATH`. */
  readonly from: string
  /** Of the interpreter, such as `3.11.7`. */
  readonly pythonVersion: string
  readonly packages: Readonly<Partial<Record<Distribution, string>>>
  /** The environment variables that this MLflow declares (mlflow/environment_variables.py); absent where that file cannot be read. */
  readonly variables?: ReadonlySet<string>
}

/** Milliseconds for an interpreter to start and print its path; on a cold network file system it takes a second or two. */
const startMs = 3000
/** Bytes read of one file; that of 3.17.2 has 55,000. */
const mostBytes = 1_000_000

/**
 * Finds the MLflow of the Python that the user would train with: `--python`, else the one of VIRTUAL_ENV, of CONDA_PREFIX,
 * and then the first of PATH, in this order the first that has an MLflow. The interpreter itself is asked for its
 * `sys.path`, because no rule on files alone knows shims (pyenv), Debian's dist-packages, .pth files and PYTHONPATH;
 * it imports nothing for that, so that MLflow's own start of several seconds is not paid, and no module of the working
 * folder can get in between.
 * @throws NotApplicable with the reason where there is none.
 */
export const findClient = async (of: {
  readonly env: Environment
  readonly cwd: string
  readonly platform: NodeJS.Platform
  /** `--python`: a path, or a name on PATH. */
  readonly python?: string | undefined
  readonly signal?: AbortSignal
}): Promise<Client> => {
  const looked: string[] = []
  for await (const { python, from } of interpreters(of)) {
    const found = await ask(python, of)
    if (found === undefined) {
      looked.push(`${python} (${from}) does not start`)
      continue
    }
    const client = await clientIn(found.path, { python, from, pythonVersion: found.version })
    if (client) return client
    looked.push(`${python} (${from}) has no MLflow`)
  }
  throw new NotApplicable(
    looked.length === 0
      ? 'no Python is found here, so what its MLflow would do is not known'
      : `no MLflow client is found: ${looked.join('; ')}`,
  )
}

type Candidate = { readonly python: string; readonly from: string }

async function* interpreters(of: {
  env: Environment
  cwd: string
  platform: NodeJS.Platform
  python?: string | undefined
}): AsyncGenerator<Candidate> {
  const windows = of.platform === 'win32'
  const folders = (of.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const onPath = async (names: readonly string[]): Promise<string | undefined> => {
    for (const name of names) {
      for (const folder of folders) {
        const file = resolve(of.cwd, folder, windows && !name.endsWith('.exe') ? `${name}.exe` : name)
        if (await runs(file)) return file
      }
    }
    return undefined
  }
  if (of.python !== undefined) {
    const named = /[\\/]/.test(of.python) ? resolve(of.cwd, of.python) : await onPath([of.python])
    yield { python: named ?? of.python, from: '--python' }
    return
  }
  const seen = new Set<string>()
  const virtual = of.env.VIRTUAL_ENV
  if (virtual) yield* fresh(join(virtual, windows ? 'Scripts\\python.exe' : 'bin/python'), 'VIRTUAL_ENV', seen)
  const conda = of.env.CONDA_PREFIX
  if (conda) yield* fresh(join(conda, windows ? 'python.exe' : 'bin/python'), 'CONDA_PREFIX', seen)
  for (const name of ['python3', 'python']) {
    const file = await onPath([name])
    if (file !== undefined) yield* fresh(file, 'PATH', seen)
  }
}

async function* fresh(python: string, from: string, seen: Set<string>): AsyncGenerator<Candidate> {
  if (!(await runs(python))) return
  // In one folder, two names of one file are one Python; in another folder the same file may be that of another environment.
  const key = join(dirname(python), await realpath(python).catch(() => python))
  if (seen.has(key)) return
  seen.add(key)
  yield { python, from }
}

const runs = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  )

/** `sys` is part of the interpreter: to import it looks into no folder. */
const script = 'import sys; print(sys.version.split()[0]); print("\\n".join(sys.path[1:]))'

const ask = (
  python: string,
  { env, cwd, signal }: { env: Environment; cwd: string; signal?: AbortSignal },
): Promise<{ version: string; path: readonly string[] } | undefined> =>
  new Promise((done) => {
    const settings = {
      cwd,
      env: { ...env, PYTHONDONTWRITEBYTECODE: '1', PYTHONIOENCODING: 'utf-8' } as NodeJS.ProcessEnv,
      timeout: startMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: mostBytes,
      windowsHide: true,
      ...(signal && { signal }),
    }
    execFile(python, ['-c', script], settings, (error, stdout) => {
      const [version = '', ...path] = stdout.split(/\r?\n/)
      if (error !== null || !/^\d+\.\d+/.test(version)) return done(undefined)
      done({ version, path: path.filter((folder) => folder !== '') })
    }).stdin?.end()
  })

/** The first folder of the path that holds a distribution wins, as in an import. */
const clientIn = async (
  path: readonly string[],
  interpreter: Pick<Client, 'python' | 'from' | 'pythonVersion'>,
): Promise<Client | undefined> => {
  const packages: Partial<Record<Distribution, string>> = {}
  let home: string | undefined
  for (const folder of path) {
    for (const name of await readdir(folder).catch(() => [])) {
      const distribution = distributionOf(name)
      if (distribution === undefined || packages[distribution] !== undefined) continue
      const version = await versionIn(join(folder, name))
      if (version === undefined) continue
      packages[distribution] = version
      if (distribution === 'mlflow' || distribution === 'mlflow-skinny') home ??= folder
    }
  }
  const version = packages.mlflow ?? packages['mlflow-skinny']
  if (version === undefined || home === undefined) return undefined
  const declared = await read(join(home, 'mlflow', 'environment_variables.py'))
  const variables = new Set(declared?.match(/\bMLFLOW_[A-Z0-9_]+\b/g))
  return { ...interpreter, version, packages, ...(variables.size > 0 && { variables }) }
}

/** Names are compared as PyPI does: case and `-_.` make no difference. */
const distributionOf = (folder: string): Distribution | undefined => {
  const name = /^(.+?)-[^-]+(?:-py[\d.]+)?\.(?:dist|egg)-info$/i.exec(folder)?.[1]
  const normal = name?.toLowerCase().replace(/[-_.]+/g, '-')
  return distributions.find((one) => one === normal)
}

const versionIn = async (folder: string): Promise<string | undefined> => {
  const text = (await read(join(folder, 'METADATA'))) ?? (await read(join(folder, 'PKG-INFO')))
  // The headers end at the first empty line; what follows is the description.
  const [headers = ''] = text?.split(/\r?\n\r?\n/) ?? []
  return /^Version:[ \t]*([0-9][0-9A-Za-z.+!_-]*)[ \t]*\r?$/m.exec(headers)?.[1]
}

const read = async (path: string): Promise<string | undefined> => {
  const file = await open(path).catch(() => undefined)
  if (file === undefined) return undefined
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(mostBytes), 0, mostBytes, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } catch {
    return undefined
  } finally {
    await file.close()
  }
}
