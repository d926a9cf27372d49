import { join } from 'node:path'
import { findProgram } from './apt.ts'
import { installed, LabMissing } from './install.ts'

const PROGRAMS = {
  versitygw: { version: '1.8.0', path: 'github.com/versity/versitygw/cmd/versitygw', binary: 'versitygw' },
  // Its main package is called `server`.
  toxiproxy: { version: '2.5.0', path: 'github.com/Shopify/toxiproxy/v2/cmd/server', binary: 'server' },
  // Six minutes to build: only for `npm run test:minio`.
  minio: { version: '0.0.0-20260212201848-7aac2a2c5b7c', path: 'github.com/minio/minio', binary: 'minio' },
} as const

export type GoProgram = keyof typeof PROGRAMS

/**
 * The binary of a server that is built from source, minutes when nothing is cached. Throws LabMissing without Go, except
 * under CI=true, where Go is required.
 */
export async function goProgram(name: GoProgram): Promise<string> {
  const { version, path, binary } = PROGRAMS[name]
  const go = findProgram('go')
  if (go === undefined) {
    const says = `Go is not installed; it builds ${name} ${version}`
    throw process.env.CI === 'true' ? new Error(`${says}, and CI=true requires it`) : new LabMissing(says)
  }
  const dir = await installed(`${name}-${version}`, `${path}@${version}`, (dir) => [
    { command: [go, 'install', `${path}@v${version}`], env: { CGO_ENABLED: '0', GOBIN: dir } },
  ])
  return join(dir, binary)
}

/** Builds those that `npm test` needs, one after another (each uses all cores), or says why not. */
export async function buildGoPrograms(): Promise<void> {
  for (const name of ['versitygw', 'toxiproxy'] as const) {
    try {
      await goProgram(name)
    } catch (error) {
      if (!(error instanceof LabMissing)) throw error
      console.log(`lab: ${error.message}; its tests are skipped`)
    }
  }
}
