import { accessSync, constants } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LabMissing } from './install.ts'
import { cleanEnv, runToEnd } from './running.ts'
import { freshDir, removeDir } from './scratch.ts'

/** Debian puts the servers where a user's PATH does not look. */
const SYSTEM_DIRS = ['/usr/sbin', '/usr/local/sbin', '/sbin']

export function findProgram(name: string): string | undefined {
  for (const dir of [...(process.env.PATH ?? '').split(':'), ...SYSTEM_DIRS]) {
    const path = join(dir || '.', name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {}
  }
  return undefined
}

/** A program of the distribution. Throws LabMissing when it is not there and cannot be installed. */
export async function systemProgram(name: string, debianPackage: string): Promise<string> {
  const path = findProgram(name)
  if (path === undefined) throw new LabMissing(`${name} is not installed (apt-get install ${debianPackage})`)
  return path
}

/** Installs what is absent, where this machine lets us: Debian, as root. Otherwise says why not and goes on. */
export async function installFromApt(programs: Readonly<Record<string, string>>): Promise<void> {
  const absent = Object.entries(programs).filter(([program]) => findProgram(program) === undefined)
  if (absent.length === 0) return
  const packages = absent.map(([, name]) => name)
  if (process.getuid?.() !== 0 || findProgram('apt-get') === undefined) {
    console.log(
      `lab: ${packages.join(' and ')} absent and only apt-get as root could add them; their tests are skipped`,
    )
    return
  }
  const started = Date.now()
  const scratch = await freshDir('apt')
  const output = join(scratch, 'output')
  const apt = async (...args: string[]) =>
    runToEnd({
      // Another run on this machine may be installing the same: wait for its lock.
      command: ['apt-get', '-o', 'DPkg::Lock::Timeout=300', '-qq', ...args],
      env: cleanEnv({ DEBIAN_FRONTEND: 'noninteractive' }),
      cwd: scratch,
      stdout: output,
      stderr: output,
    })
  await apt('update')
  const { code } = await apt('install', '-y', '--no-install-recommends', ...packages)
  const said = await readFile(output, 'utf8')
  await removeDir(scratch)
  const seconds = Math.round((Date.now() - started) / 1000)
  if (code === 0) console.log(`lab: ${packages.join(' and ')} installed in ${seconds} s`)
  else console.log(`lab: apt-get install ${packages.join(' ')} failed; their tests are skipped:\n${said.slice(-1000)}`)
}
