import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')

export interface Built {
  /** The folder that is published on npm. */
  readonly npm: string
  readonly tarball: string
  readonly wheel: string
}

/** Both packages, made by the commands that a release makes them with; the tarball goes to `dir`. */
export const build = async (dir: string): Promise<Built> => {
  await run('npm', ['run', 'build'], { cwd: root })
  await run('npm', ['run', 'build:wheel'], { cwd: root })
  const npm = join(root, 'dist/npm')
  await run('npm', ['pack', npm, '--pack-destination', dir, '--silent'], { cwd: dir })
  const only = async (folder: string, ending: string): Promise<string> => {
    const found = (await readdir(folder)).filter((name) => name.endsWith(ending))
    if (found.length !== 1) throw new Error(`${folder} holds ${found.length} files that end in ${ending}`)
    return join(folder, found[0] ?? '')
  }
  return { npm, tarball: await only(dir, '.tgz'), wheel: await only(join(root, 'dist/python'), '.whl') }
}
