import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { shared } from '../lab/index.ts'
import { runAction } from './action.ts'
import { packed } from './built.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')

let dir: string
let tarball: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'md-deploy-'))
  tarball = (await packed(dir)).tarball
  await mkdir(join(dir, 'short'))
  await writeFile(join(dir, 'short/MLmodel'), 'flavors: {}\nmodel_size_bytes: 5000\n')
  await writeFile(join(dir, 'short/weights.bin'), 'short')
})
afterAll(() => rm(dir, { recursive: true, force: true }))

describe('the GitHub Action', () => {
  const action = (name: string, inputs: Record<string, string>) =>
    runAction(join(root, 'action.yml'), {
      inputs: { package: tarball, ...inputs },
      env: {
        PATH: process.env.PATH ?? '',
        HOME: dir,
        MLFLOW_TRACKING_URI: shared().mlflowFolder.url,
        npm_config_registry: 'http://127.0.0.1:9',
      },
      cwd: dir,
      temp: join(dir, `runner temp ${name}`),
    })

  test('installs, forecasts, and hands on every report', async () => {
    const ran = await action('well', { args: '--size\n1MiB' })
    expect(ran.code, ran.printed).toBe(0)
    expect(ran.outputs['exit-code']).toBe('0')
    const { report, html, sarif, junit } = ran.outputs
    expect(JSON.parse(await readFile(report ?? '', 'utf8')).forecast).toMatchObject([
      { bytes: 2 ** 20, verdict: 'passes' },
    ])
    expect(await readFile(html ?? '', 'utf8')).toMatch(/^<!doctype html>/)
    expect(JSON.parse(await readFile(sarif ?? '', 'utf8')).version).toBe('2.1.0')
    expect(await readFile(junit ?? '', 'utf8')).toContain('<testsuites>')
    expect(ran.summary).toMatch(/^### mlflow-doctor check/)
  })

  test('fails with findings, annotated, and still hands the reports on', async () => {
    const ran = await action('findings', { command: 'scan', args: './short' })
    expect(ran.code, ran.printed).toBe(1)
    expect(ran.outputs['exit-code']).toBe('1')
    expect(ran.printed).toMatch(/^::error title=mlflow-doctor artifact\/size-mismatch::/m)
    expect(ran.summary).toContain('5 of 5000 bytes are stored')
    expect(JSON.parse(await readFile(ran.outputs.report ?? '', 'utf8')).exitCode).toBe(1)
  })

  test('ends with 3, unknown, when it cannot be installed, whatever npm ends with', async () => {
    const ran = await action('broken', { package: join(dir, 'no-such.tgz') })
    expect(ran.code, ran.printed).toBe(3)
    expect(ran.outputs['exit-code']).toBe('3')
    expect(ran.outputs.report).toBe('')
  })

  test('leaves the severity to the configuration file, hands on no report of an earlier use, and keeps its options from a "--"', async () => {
    await mkdir(join(dir, 'configured'))
    await writeFile(
      join(dir, 'configured/mlflow-doctor.config.json'),
      JSON.stringify({ failOn: 'warning', severity: { 'artifact/size-mismatch': 'warning' } }),
    )
    const inputs = { command: 'scan', 'working-directory': 'configured' }
    const own = await action('again', { ...inputs, args: '--\n../short' })
    expect(own.code, own.printed).toBe(1)
    expect(JSON.parse(await readFile(own.outputs.report ?? '', 'utf8')).failOn).toBe('warning')
    expect((await action('again', { ...inputs, args: '../short', 'fail-on': 'error' })).code).toBe(0)
    const wrong = await action('again', { ...inputs, args: '--no-such-option' })
    expect(wrong.code).toBe(2)
    expect(wrong.outputs.html).toBe('')
  })

  test('takes an argument as it is: no shell reads it', async () => {
    const ran = await action('hostile', { args: '--size\n$(touch pwned); `touch pwned`' })
    expect(ran.code).not.toBe(0)
    await expect(readFile(join(dir, 'pwned'))).rejects.toThrow(/ENOENT/)
    expect(ran.printed).toContain('$(touch pwned)')
  })
})

describe('the snippet that goes before a training', () => {
  const python = async (line: string) => {
    await run('tar', ['-xzf', tarball, '-C', dir])
    const command = JSON.stringify([process.execPath, join(dir, 'package/lib/bin.js')])
    const text = `import pretraining\ncommand = tuple(${command})\n${line}\n`
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: dir,
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONPATH: join(root, 'packaging/airflow'),
      MLFLOW_TRACKING_URI: shared().mlflowFolder.url,
    }
    return (await run('python3', ['-c', text], { cwd: dir, env })).stdout
  }

  test('lets a training begin whose model gets through', async () => {
    expect(await python('print(pretraining.require_upload_route("1MiB", command=command)["exitCode"])')).toBe('0\n')
  })

  test.each([
    ['one that does not', '"900TiB"', /fails: .*900 TiB/],
    ['a size that is none', '"huge"', /--size huge/],
    ['a server that is not there', '"1MiB", "--tracking-uri", "http://127.0.0.1:9"', /could not look/],
  ])('stops %s, and says why', async (_, args, says) => {
    const line = `try:\n  pretraining.require_upload_route(${args}, command=command)\nexcept pretraining.UploadWouldFail as error:\n  print(error)`
    expect(await python(line)).toMatch(says)
  })
})

test('the Kubernetes Job runs a command line that is understood, without more rights than it needs', async () => {
  const job = parse(await readFile(join(root, 'packaging/kubernetes/job.yaml'), 'utf8'))
  const { containers, securityContext, automountServiceAccountToken } = job.spec.template.spec
  expect(containers).toHaveLength(1)
  const [{ args, securityContext: own }] = containers
  const [name, ...rest] = args as string[]
  const ran = await run(process.execPath, [join(root, 'src/bin.js'), name ?? '', ...rest, '--only', 'host/temp-disk'], {
    env: { PATH: '', HOME: dir, MLFLOW_TRACKING_URI: shared().mlflowFolder.url },
  }).catch((error: { code: number; stdout: string }) => error)
  expect(JSON.parse(ran.stdout).trouble).toBeUndefined()
  expect(own).toMatchObject({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  })
  expect(securityContext.runAsNonRoot).toBe(true)
  expect(automountServiceAccountToken).toBe(false)
})

describe('a release', () => {
  test('gathers described changes into the next version and the changelog', async () => {
    const clone = join(dir, 'clone')
    await mkdir(join(clone, '.changeset'), { recursive: true })
    for (const file of ['package.json', 'CHANGELOG.md', '.changeset/config.json']) {
      await writeFile(join(clone, file), await readFile(join(root, file)))
    }
    await writeFile(
      join(clone, '.changeset/brave-cats.md'),
      '---\n"mlflow-doctor": minor\n---\n\nA change that users notice.\n',
    )
    const git = (...args: string[]) =>
      run('git', ['-c', 'user.name=x', '-c', 'user.email=x@example.com', ...args], { cwd: clone })
    await git('init', '-q', '-b', 'main')
    await git('add', '-A')
    await git('commit', '-qm', 'x')
    await run(process.execPath, [join(root, 'node_modules/@changesets/cli/bin.js'), 'version'], { cwd: clone })
    const before = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')).version as string
    const after = JSON.parse(await readFile(join(clone, 'package.json'), 'utf8')).version as string
    const [major, minor] = before.split('.').map(Number)
    expect(after).toBe(`${major}.${(minor ?? 0) + 1}.0`)
    expect(await readFile(join(clone, 'CHANGELOG.md'), 'utf8')).toMatch(
      new RegExp(`## ${after}[\\s\\S]*A change that users notice`),
    )
  })

  test('its workflows call scripts that there are, with actions at fixed versions and no token at hand', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    for (const name of ['test', 'release']) {
      const text = await readFile(join(root, `.github/workflows/${name}.yml`), 'utf8')
      for (const [, script = ''] of text.matchAll(/npm run ([\w:-]+)/g)) expect(scripts[script], script).toBeDefined()
      for (const [, used = ''] of text.matchAll(/uses: (\S+)/g)) expect(used).toMatch(/@v\d+\.\d+\.\d+$/)
      expect(text).not.toMatch(/NPM_TOKEN|PYPI_TOKEN|NODE_AUTH_TOKEN/)
    }
    const release = parse(await readFile(join(root, '.github/workflows/release.yml'), 'utf8'))
    expect(JSON.stringify(release.jobs.build.steps)).toMatch(/\.ci\/run.*packaging\/compare\.ts/)
    expect(JSON.stringify(release.jobs.npm.steps)).toContain('--provenance')
    expect(release.jobs.npm.permissions).toEqual({ 'id-token': 'write' })
  })
})
