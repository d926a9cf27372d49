import { join } from 'node:path'
import { installed } from './install.ts'

/** The `bin` folder of a Node of this version, as the npm registry has it for this machine. */
export async function nodeOf(version: string): Promise<string> {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const dir = await installed(`node-${version}`, `${name}@${version}`, (dir) => [
    { command: ['npm', 'install', '--prefix', dir, '--no-save', '--ignore-scripts', '--silent', `${name}@${version}`] },
  ])
  return join(dir, 'node_modules', name, 'bin')
}
