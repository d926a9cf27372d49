import { onFreePorts } from './ports.ts'
import { type Running, serve } from './running.ts'
import { freshDir } from './scratch.ts'
import { storesPython } from './venv.ts'

/**
 * gcp-storage-emulator: right about resumable uploads and their status, without authentication, preconditions, pages and
 * XML uploads.
 */
export async function startGcs(): Promise<Running & { readonly url: string }> {
  const python = await storesPython()
  return onFreePorts(1, async (port) => {
    const dir = await freshDir('gcs')
    const url = `http://127.0.0.1:${port}`
    const running = await serve({
      name: 'gcp-storage-emulator',
      command: [python, '-m', 'gcp_storage_emulator', 'start', '--host', '127.0.0.1', '--port', String(port)],
      env: { STORAGE_BASE: dir, STORAGE_DIR: 'data' },
      dir,
      answers: async () => (await fetch(`${url}/storage/v1/b?project=lab`)).ok,
    })
    return { ...running, url }
  })
}
