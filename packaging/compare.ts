/** `node packaging/compare.ts TARBALL WHEEL`: both packages must hold the same bundle, byte for byte. Ends with 1 where they do not. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

const run = (command: string, args: readonly string[]): void => {
  const ran = spawnSync(command, args, { encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(`${command} failed: ${ran.stderr}${ran.error ?? ''}`)
}

const digests = async (dir: string): Promise<ReadonlyMap<string, string>> => {
  const found = new Map<string, string>()
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = join(entry.parentPath, entry.name)
    const digest = createHash('sha256').update(await readFile(file))
    found.set(relative(dir, file), digest.digest('hex'))
  }
  return found
}

/** What differs, one line each. */
const compare = async (tarball: string, wheel: string): Promise<readonly string[]> => {
  const dir = await mkdtemp(join(tmpdir(), 'mlflow-doctor-compare-'))
  try {
    run('tar', ['-xzf', tarball, '-C', dir])
    run('python3', ['-m', 'zipfile', '-e', wheel, join(dir, 'wheel')])
    const npm = await digests(join(dir, 'package'))
    const python = await digests(join(dir, 'wheel/mlflow_doctor/_npm'))
    return [...new Set([...npm.keys(), ...python.keys()])].sort().flatMap((path) => {
      const [one, other] = [npm.get(path), python.get(path)]
      if (one === other) return []
      return [
        one === undefined
          ? `only in the wheel: ${path}`
          : other === undefined
            ? `only on npm: ${path}`
            : `differs: ${path}`,
      ]
    })
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

const [tarball, wheel] = process.argv.slice(2)
if (tarball === undefined || wheel === undefined) {
  process.stderr.write('Give the packed tarball and the wheel.\n')
  process.exit(2)
}
const differences = await compare(tarball, wheel)
process.stdout.write(differences.length === 0 ? 'both packages hold the same files\n' : `${differences.join('\n')}\n`)
process.exitCode = differences.length === 0 ? 0 : 1
