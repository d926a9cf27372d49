import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findClient } from '../../src/mlflow/client.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'client-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** A stand-in for an interpreter: prints a version and a path, as a Python that is asked would. */
const interpreter = async (file: string, path: readonly string[], version = '3.11.7') => {
  await mkdir(join(file, '..'), { recursive: true })
  await writeFile(file, `#!/bin/sh\nprintf '%s\\n' ${[version, ...path].map((one) => `'${one}'`).join(' ')}\n`)
  await chmod(file, 0o755)
  return file
}
const distribution = async (site: string, folder: string, version: string) => {
  await mkdir(join(site, folder), { recursive: true })
  await writeFile(
    join(site, folder, 'METADATA'),
    `Metadata-Version: 2.4\nName: x\nVersion: ${version}\n\nVersion: 9.9.9 is in the text\n`,
  )
}
const find = (env: Record<string, string>, python?: string) =>
  findClient({ env: { PATH: '/bin:/usr/bin', ...env }, cwd: dir, platform: 'linux', python })

test('the active environment comes before PATH, and its packages are told (stand-in interpreters)', async () => {
  const site = join(dir, 'site')
  await distribution(site, 'mlflow_skinny-3.14.0.dist-info', '3.14.0')
  await distribution(site, 'mlflow-3.14.0.dist-info', '3.14.0')
  await distribution(site, 'Boto3-1.44.5.dist-info', '1.44.5')
  await mkdir(join(site, 'mlflow'))
  await writeFile(join(site, 'mlflow/environment_variables.py'), 'MLFLOW_A = _E("MLFLOW_A")\n_MLFLOW_B = 1\n')
  const other = join(dir, 'other')
  await distribution(other, 'mlflow-2.0.0.dist-info', '2.0.0')
  await interpreter(join(dir, 'bin/python3'), [other])
  const python = await interpreter(join(dir, 'venv/bin/python'), ['/nonexistent', site, other])
  const env = { VIRTUAL_ENV: join(dir, 'venv'), PATH: join(dir, 'bin') }
  expect(await find({ ...env, PATH: `${env.PATH}:/bin:/usr/bin` })).toEqual({
    version: '3.14.0',
    python,
    from: 'VIRTUAL_ENV',
    pythonVersion: '3.11.7',
    packages: { mlflow: '3.14.0', 'mlflow-skinny': '3.14.0', boto3: '1.44.5' },
    variables: new Set(['MLFLOW_A']),
  })
})

test('an environment without MLflow is passed over, and mlflow-skinny is an MLflow (stand-in interpreters)', async () => {
  const site = join(dir, 'site')
  await distribution(site, 'mlflow_skinny-2.9.2.dist-info', '2.9.2')
  await interpreter(join(dir, 'conda/bin/python'), [])
  await interpreter(join(dir, 'bin/python3'), [site])
  const found = await find({ CONDA_PREFIX: join(dir, 'conda'), PATH: `${join(dir, 'bin')}:/bin:/usr/bin` })
  expect(found).toMatchObject({ version: '2.9.2', from: 'PATH' })
})

test('what is no interpreter, or hangs, is no client, and each is named (stand-in interpreters)', async () => {
  const broken = join(dir, 'broken')
  await writeFile(broken, '#!/bin/sh\nexit 1\n')
  await chmod(broken, 0o755)
  await expect(find({}, broken)).rejects.toThrow(`${broken} (--python) does not start`)
  await writeFile(broken, '#!/bin/sh\nexec sleep 60\n')
  await expect(find({}, broken)).rejects.toThrow(`${broken} (--python) does not start`)
  await expect(find({}, join(dir, 'none'))).rejects.toThrow('does not start')
  await expect(find({ PATH: dir })).rejects.toThrow('no Python is found here')
})
