import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const packaging = join(import.meta.dirname, '../../packaging')

export interface Built {
  /** The folder that is published on npm. */
  readonly npm: string
  readonly tarball: string
  readonly wheel: string
}

const only = async (folder: string, ending: string): Promise<string> => {
  const found = (await readdir(folder)).filter((name) => name.endsWith(ending))
  if (found.length !== 1) throw new Error(`${folder} holds ${found.length} files that end in ${ending}`)
  return join(folder, found[0] ?? '')
}

/** The npm package, made below `dir` as a release makes it, and packed. */
export const packed = async (dir: string): Promise<Pick<Built, 'npm' | 'tarball'>> => {
  const npm = join(dir, 'built/npm')
  await run(process.execPath, [join(packaging, 'build.ts'), npm])
  await run('npm', ['pack', npm, '--pack-destination', dir, '--silent'], { cwd: dir })
  return { npm, tarball: await only(dir, '.tgz') }
}

/** Both packages. */
export const build = async (dir: string): Promise<Built> => {
  const { npm, tarball } = await packed(dir)
  const python = join(dir, 'built/python')
  await run(process.execPath, [join(packaging, 'wheel.ts'), npm, python])
  return { npm, tarball, wheel: await only(python, '.whl') }
}
