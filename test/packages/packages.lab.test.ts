import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { BlobServiceClient } from '@azure/storage-blob'
import { Storage } from '@google-cloud/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Report } from '../../src/report.ts'
import { findProgram } from '../lab/apt.ts'
import { s3Sdk, shared, startAzurite, startGcs } from '../lab/index.ts'
import { nodeOf } from '../lab/node.ts'
import { mlflowPython } from '../lab/venv.ts'
import { type Built, build } from './built.ts'

/** What people install, from folders in which nothing is, with nothing of this project within reach. */
let dir: string
let built: Built
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-packages-'))
  built = await build(dir)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const empty = (name: string) => mkdtemp(join(dir, `${name}-`))

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const run = (command: string, args: readonly string[], cwd: string, env: Record<string, string>): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(command, [...args], { cwd, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr })
    })
  })

/** Programs of the system, and of all others only these. */
const pathOf = (...folders: string[]) => [...folders, '/usr/bin', '/bin'].join(':')
/** No package can come from anywhere. */
const offline = {
  npm_config_registry: 'http://127.0.0.1:9',
  npm_config_offline: 'true',
  npm_config_update_notifier: 'false',
}

/** Where npm and the Node that it needs lie, without a folder in which more than that may be found. */
const npmBeside = async (node: string): Promise<string> => {
  const bin = await empty('bin')
  for (const name of ['npm', 'npx']) {
    const found = findProgram(name)
    if (found !== undefined) await symlink(found, join(bin, name))
  }
  await symlink(join(node, 'node'), join(bin, 'node'))
  return bin
}

describe.each(['22.19.0', '24.11.1'])('the npm package under Node %s', (version) => {
  let bin: string
  let home: string
  let env: Record<string, string>
  beforeAll(async () => {
    bin = await npmBeside(await nodeOf(version))
    home = await empty('home')
    env = { PATH: pathOf(bin), HOME: home, npm_config_cache: join(home, 'npm'), ...offline }
  })

  test('installs from its tarball without a registry, and answers', async () => {
    const cwd = await empty('project')
    await writeFile(join(cwd, 'package.json'), '{"name":"x","type":"module","private":true}')
    const installed = await run('npm', ['install', '--no-audit', '--no-fund', built.tarball], cwd, env)
    expect(installed.code, installed.stderr).toBe(0)
    expect((await run('node', ['--version'], cwd, env)).stdout.trim()).toBe(`v${version}`)
    const doctor = join(cwd, 'node_modules/.bin/mlflow-doctor')
    const own = JSON.parse(await readFile(join(built.npm, 'package.json'), 'utf8'))
    expect((await run(doctor, ['--version'], cwd, env)).stdout).toBe(`${own.version}\n`)
    for (const format of ['pretty', 'html', 'junit', 'sarif', 'markdown', 'github', 'short', 'json']) {
      const ran = await run(doctor, ['scan', cwd, '--only', 'artifact/empty-files', '--format', format], cwd, env)
      expect(ran.code, ran.stderr).toBe(0)
      expect(ran.stdout.length).toBeGreaterThan(50)
    }
    const demo = await run(doctor, ['demo'], cwd, { ...env, TMPDIR: cwd })
    expect(demo.code, demo.stdout + demo.stderr).toBe(0)
    // The public API, as a program of the user's imports it.
    await writeFile(
      join(cwd, 'mine.js'),
      `import { check, defineCheck, needs, scan, version } from 'mlflow-doctor'
const report = await scan({ targets: ['./'] , only: ['artifact/empty-files'] })
console.log(JSON.stringify([version, report.exitCode, typeof defineCheck, needs.listing.name, (await check({ size: 'x' })).exitCode]))`,
    )
    const program = await run('node', ['mine.js'], cwd, env)
    expect(JSON.parse(program.stdout)).toEqual([own.version, 0, 'function', 'listing', 2])
  })

  test('npx runs it from the tarball, offline, in one command', async () => {
    const cwd = await empty('npx')
    const ran = await run('npx', ['--yes', '--package', built.tarball, 'mlflow-doctor', 'demo'], cwd, {
      ...env,
      TMPDIR: cwd,
    })
    expect(ran.code, ran.stdout + ran.stderr).toBe(0)
    expect(ran.stdout).toContain('the last scan is clean: yes')
  })
})

test('an older Node is told in one sentence', async () => {
  const cwd = await empty('old')
  const env = { PATH: pathOf(await nodeOf('20.20.2')), HOME: cwd }
  const ran = await run('node', [join(built.npm, 'lib/bin.js'), 'check'], cwd, env)
  expect(ran.code).toBe(2)
  expect(ran.stderr).toMatch(/^mlflow-doctor needs Node 22\.19 or newer, and this is Node 20\.20\.2: .*\n$/)
})

test('types are complete by themselves: a strict program compiles against them, and a slip does not', async () => {
  const cwd = await empty('types')
  const modules = join(cwd, 'node_modules')
  await mkdir(join(modules, '@types'), { recursive: true })
  const root = join(import.meta.dirname, '../../node_modules')
  await symlink(built.npm, join(modules, 'mlflow-doctor'))
  for (const name of ['@types/node', 'undici-types']) await symlink(join(root, name), join(modules, name))
  await writeFile(join(cwd, 'package.json'), '{"type":"module"}')
  await writeFile(
    join(cwd, 'a.ts'),
    `import { check, defineCheck, needs, repair, type Report, scan } from 'mlflow-doctor'
export const mine = defineCheck({
  id: 'model/naming', title: 't', severity: 'warning', on: ['scan'], needs: [needs.target, needs.listing], wants: [], facts: { files: 'count' },
  explain: { measures: '', breaks: '', remedy: '' },
  async *run({ target, listing }) {
    yield { kind: 'finding', at: target.name, says: String(listing.files.size), facts: { files: 1 }, remedy: { text: '' } }
  },
})
const report: Report = await check({ size: '1GiB', failOn: 'warning' }, { onProgress: (says) => says.length })
// @ts-expect-error no such option
await scan({ targest: [] })
// @ts-expect-error no such severity
await repair({ targets: ['x'], failOn: 'never' })
export const code: 0 | 1 | 2 | 3 | 130 = report.exitCode
`,
  )
  const flags = [
    '--noEmit',
    '--strict',
    '--exactOptionalPropertyTypes',
    '--module',
    'nodenext',
    '--target',
    'es2024',
    '--types',
    'node',
  ]
  const tsc = await run(process.execPath, [join(root, 'typescript/bin/tsc'), ...flags, 'a.ts'], cwd, { PATH: pathOf() })
  expect(tsc.stdout + tsc.stderr).toBe('')
  expect(tsc.code).toBe(0)
})

test('publint finds nothing', async () => {
  const { publint } = await import('publint')
  const { messages } = await publint({ pkgDir: built.npm, strict: true, pack: 'npm' })
  expect(messages).toEqual([])
})

test('the package says what it holds: schemas, licences of all that is bundled, and no dependency', async () => {
  const own = JSON.parse(await readFile(join(built.npm, 'package.json'), 'utf8'))
  expect(own.dependencies).toBeUndefined()
  expect(own.scripts).toBeUndefined()
  const licences = await readFile(join(built.npm, 'THIRD-PARTY-LICENCES.md'), 'utf8')
  for (const name of [
    'yargs',
    'chalk',
    'ora',
    'undici',
    'node-fetch',
    '@aws-sdk/client-s3',
    '@azure/storage-blob',
    '@google-cloud/storage',
  ]) {
    expect(licences).toMatch(new RegExp(`^- ${name} \\d`, 'm'))
  }
  expect(JSON.parse(await readFile(join(built.npm, 'schema/report.json'), 'utf8')).title).toBe('mlflow-doctor report')
  expect(JSON.parse(await readFile(join(built.npm, 'schema/configuration.json'), 'utf8')).title).toBe(
    'mlflow-doctor configuration',
  )
})

describe('the bundle reaches every store', () => {
  const upload = async (target: string, env: Record<string, string>): Promise<Report> => {
    const cwd = await empty('store')
    await mkdir(join(cwd, 'files'))
    await writeFile(join(cwd, 'files/data.bin'), Buffer.alloc(6_000_000, 'data'))
    const args = [join(built.npm, 'lib/bin.js'), 'upload', './files', target, '--yes', '--json']
    const ran = await run(process.execPath, args, cwd, {
      PATH: pathOf(),
      HOME: cwd,
      AWS_EC2_METADATA_DISABLED: 'true',
      ...env,
    })
    return JSON.parse(ran.stdout)
  }
  const verified = (report: Report) => {
    expect(report.trouble).toBeUndefined()
    expect(report.steps?.map(({ path, state }) => [path, state])).toContainEqual(['data.bin', 'verified'])
  }

  test('S3', async () => {
    const { seaweed } = shared()
    await s3Sdk(seaweed).send(new CreateBucketCommand({ Bucket: 'packages' }))
    verified(await upload('s3://packages/x', seaweed.env))
  })

  test('Azure', async () => {
    const azurite = await startAzurite()
    try {
      await BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient('packages').create()
      verified(
        await upload('wasbs://packages@devstoreaccount1.blob.core.windows.net/x', {
          AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString,
        }),
      )
    } finally {
      await azurite.stop()
    }
  })

  test('Google', async () => {
    const emulator = await startGcs()
    try {
      await new Storage({ apiEndpoint: emulator.url, projectId: 'lab' }).bucket('packages').create()
      verified(await upload('gs://packages/x', { STORAGE_EMULATOR_HOST: emulator.url }))
    } finally {
      await emulator.stop()
    }
  })

  test('a tracking server', async () => {
    const cwd = await empty('server')
    const args = [join(built.npm, 'lib/bin.js'), 'check', '--size', '1MiB', '--json']
    const ran = await run(process.execPath, args, cwd, {
      PATH: pathOf(),
      HOME: cwd,
      MLFLOW_TRACKING_URI: shared().mlflowFolder.url,
    })
    expect(JSON.parse(ran.stdout).forecast).toMatchObject([{ verdict: 'passes' }])
  })
})

describe('the Python package, with no Node on the machine', () => {
  /** Folders in which no `node` is. */
  let path: string
  let venv: string
  beforeAll(async () => {
    const bin = await empty('bin')
    for (const name of ['sh', 'env', 'uname', 'dirname', 'readlink']) {
      const found = findProgram(name)
      if (found !== undefined) await symlink(found, join(bin, name))
    }
    path = bin
    venv = join(dir, 'venv')
    const python = findProgram('python3')
    if (python === undefined) throw new Error('there is no python3')
    expect((await run(python, ['-m', 'venv', venv], dir, { PATH: process.env.PATH ?? '' })).code).toBe(0)
  })
  const inVenv = (line: string, cwd: string, env: Record<string, string> = {}) =>
    run(findProgram('sh') ?? 'sh', ['-c', line], cwd, {
      PATH: `${join(venv, 'bin')}:${path}`,
      HOME: cwd,
      PIP_DISABLE_PIP_VERSION_CHECK: '1',
      ...env,
    })

  test('a newcomer gets from nothing to a report in one command', async () => {
    const cwd = await empty('pip')
    expect((await inVenv('command -v node', cwd)).code).not.toBe(0)
    const ran = await inVenv(`pip install --quiet ${built.wheel} && mlflow-doctor demo`, cwd, { TMPDIR: cwd })
    expect(ran.code, ran.stdout + ran.stderr).toBe(0)
    expect(ran.stdout).toContain('the last scan is clean: yes')
  })

  test('the command, `python -m` and the function are the same tool, and its exit code is theirs', async () => {
    const cwd = await empty('python')
    await mkdir(join(cwd, 'short'))
    await writeFile(join(cwd, 'short/MLmodel'), 'flavors: {}\nmodel_size_bytes: 5000\n')
    await writeFile(join(cwd, 'short/weights.bin'), 'short')
    const [command, module] = await Promise.all([
      inVenv('mlflow-doctor scan ./short --json', cwd),
      inVenv('python -m mlflow_doctor scan ./short --json', cwd),
    ])
    expect([command.code, module.code]).toEqual([1, 1])
    expect(JSON.parse(module.stdout).counts).toEqual(JSON.parse(command.stdout).counts)
    await writeFile(
      join(cwd, 'called.py'),
      'import json, mlflow_doctor\nr = mlflow_doctor.report("scan", "./short")\nprint(json.dumps([mlflow_doctor.__version__, r["exitCode"], r["tool"]["version"]]))\n',
    )
    const [version, code, of] = JSON.parse((await inVenv('python called.py', cwd)).stdout)
    expect(code).toBe(1)
    expect(version).toBe(of)
  })

  test('it looks at the MLflow of the environment that it is installed in, activated or not', async () => {
    const cwd = await empty('client')
    // The lab's MLflow, where the wheel finds it as its own environment's.
    const packages = await run(await mlflowPython(), ['-c', 'import site; print(site.getsitepackages()[0])'], cwd, {
      PATH: pathOf(),
    })
    await writeFile(
      join(cwd, 'link.py'),
      `import site, pathlib\npathlib.Path(site.getsitepackages()[0], 'lab.pth').write_text(${JSON.stringify(packages.stdout)})\n`,
    )
    expect((await inVenv('python link.py', cwd)).code).toBe(0)
    const ran = await run(
      join(venv, 'bin/mlflow-doctor'),
      ['check', '--only', 'client/version', '--tracking-uri', shared().mlflowFolder.url, '--json'],
      cwd,
      { PATH: path, HOME: cwd },
    )
    const report: Report = JSON.parse(ran.stdout)
    expect(JSON.stringify(report.checks), ran.stderr).toContain('3.17.2')
    expect(JSON.stringify(report.checks)).toContain(join(venv, 'bin/python'))
  })

  test('both packages hold the same files, and the comparison sees a difference', async () => {
    const compare = join(import.meta.dirname, '../../packaging/compare.ts')
    const same = await run(process.execPath, [compare, built.tarball, built.wheel], dir, {
      PATH: process.env.PATH ?? '',
    })
    expect(same).toMatchObject({ code: 0, stdout: 'both packages hold the same files\n' })
    const other = await empty('other')
    await run('tar', ['-xzf', built.tarball, '-C', other], dir, { PATH: pathOf() })
    await writeFile(join(other, 'package/lib/bin.js'), 'changed')
    await rm(join(other, 'package/LICENSE'))
    await run('tar', ['-czf', join(other, 'changed.tgz'), '-C', other, 'package'], dir, { PATH: pathOf() })
    const ran = await run(process.execPath, [compare, join(other, 'changed.tgz'), built.wheel], dir, {
      PATH: process.env.PATH ?? '',
    })
    expect(ran).toMatchObject({ code: 1, stdout: 'only in the wheel: LICENSE\ndiffers: lib/bin.js\n' })
  })
})
