/** `npm run build:wheel`: the Python wheel in dist/python, made of dist/npm and the few lines of Python that start it. */
import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'

const root = join(import.meta.dirname, '..')
const npm = resolve(process.argv[2] ?? join(root, 'dist/npm'))
const out = resolve(process.argv[3] ?? join(root, 'dist/python'))

/** `1.2.3-beta.4` is `1.2.3b4` in Python (PEP 440). */
const pep440 = (version: string): string =>
  version.replace(/-(alpha|beta|rc|next)\.?(\d+)$/, (_, kind: string, n: string) => {
    const letters: Readonly<Record<string, string>> = { alpha: 'a', beta: 'b', rc: 'rc', next: '.dev' }
    return `${letters[kind]}${n}`
  })

const { version } = JSON.parse(await readFile(join(npm, 'package.json'), 'utf8')) as { version: string }
const stage = await mkdtemp(join(tmpdir(), 'mlflow-doctor-wheel-'))
try {
  await cp(join(import.meta.dirname, 'python'), stage, { recursive: true })
  await cp(npm, join(stage, 'mlflow_doctor/_npm'), { recursive: true })
  await writeFile(join(stage, 'mlflow_doctor/_version.py'), `__version__ = "${pep440(version)}"\n`)
  for (const file of ['README.md', 'LICENSE', 'THIRD-PARTY-LICENCES.md']) await cp(join(npm, file), join(stage, file))
  await rm(out, { recursive: true, force: true })
  await mkdir(out, { recursive: true })
  const python = process.env.PYTHON ?? 'python3'
  const made = spawnSync(python, ['-m', 'pip', 'wheel', '--quiet', '--no-deps', '--wheel-dir', out, stage], {
    encoding: 'utf8',
  })
  if (made.status !== 0) throw new Error(`the wheel was not made:\n${made.stdout}${made.stderr}${made.error ?? ''}`)
} finally {
  await rm(stage, { recursive: true, force: true })
}
process.stdout.write(`mlflow-doctor ${version}: ${relative(root, out)}\n`)
