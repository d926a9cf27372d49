import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { BlobServiceClient } from '@azure/storage-blob'
import { onFreePorts } from './ports.ts'
import { type Running, serve } from './running.ts'
import { freshDir } from './scratch.ts'

const require = createRequire(import.meta.url)

export interface Azurite extends Running {
  readonly url: string
  readonly dir: string
  /** Of the account. */
  readonly key: string
  readonly connectionString: string
  /** For a client that reaches it by another address, such as that of a slow link before it. */
  readonly connectionStringBy: (origin: string) => string
}

/** Azurite's blob service, with what a killed one has left where that is given. What was written in the last ten seconds is lost when it is killed. */
export async function startAzurite(left?: Pick<Azurite, 'dir' | 'key'>): Promise<Azurite> {
  const main = join(dirname(require.resolve('azurite/package.json')), 'dist/src/blob/main.js')
  const account = 'labaccount'
  const key = left?.key ?? randomBytes(64).toString('base64')
  return onFreePorts(1, async (port) => {
    const dir = left?.dir ?? (await freshDir('azurite'))
    const url = `http://127.0.0.1:${port}/${account}`
    const connectionStringBy = (origin: string) =>
      [
        'DefaultEndpointsProtocol=http',
        `AccountName=${account}`,
        `AccountKey=${key}`,
        `BlobEndpoint=${origin}/${account}`,
      ].join(';')
    const connectionString = connectionStringBy(new URL(url).origin)
    const client = BlobServiceClient.fromConnectionString(connectionString, { retryOptions: { maxTries: 1 } })
    const running = await serve({
      name: 'Azurite',
      command: [
        process.execPath,
        main,
        ...['--blobHost', '127.0.0.1', '--blobPort', String(port), '--location', dir],
        // Newer SDKs speak a version of the API that it does not know yet.
        ...['--silent', '--disableTelemetry', '--skipApiVersionCheck'],
      ],
      env: { AZURITE_ACCOUNTS: `${account}:${key}` },
      dir,
      answers: async () => {
        await client.getProperties()
        return true
      },
    })
    return { ...running, url, dir, key, connectionString, connectionStringBy }
  })
}
