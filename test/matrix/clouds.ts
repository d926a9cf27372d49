/** Sites on Azure and Google. */
import { randomBytes } from 'node:crypto'
import {
  BlobServiceClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import { Storage } from '@google-cloud/storage'
import { gcsLikeProxy } from '../gcs-like-proxy.ts'
import { type Azurite, startAzurite } from '../lab/azurite.ts'
import { startGcs } from '../lab/gcs.ts'
import type { Site } from './types.ts'

/** A store that sites share, each with a container or bucket of its own. */
export interface Cloud {
  /** Where clients reach it, without a slow link before it. */
  readonly origin: string
  place(): Promise<Place>
  stop(): Promise<void>
}

export interface Place {
  /** Artifact location of its root. */
  readonly root: string
  /** The variables of one who reaches it by that origin. */
  env(origin: string, access: Site['access']): Readonly<Record<string, string>>
  /** Bytes of a stored object. */
  size(name: string): Promise<number | undefined>
  /** Names of objects, and of what is unfinished, below a prefix. */
  names(prefix: string): Promise<readonly string[]>
}

const nowhere = 'lab-not-there'

export const startAzure = async (): Promise<Cloud> => {
  const azurite = await startAzurite()
  const service = BlobServiceClient.fromConnectionString(azurite.connectionString)
  return {
    origin: new URL(azurite.url).origin,
    stop: () => azurite.stop(),
    async place() {
      const name = `lab-${randomBytes(4).toString('hex')}`
      const container = service.getContainerClient(name)
      await container.create()
      return {
        root: `wasbs://${name}@labaccount.blob.core.windows.net/mlflow`,
        env: (origin, access) => ({ AZURE_STORAGE_CONNECTION_STRING: connection(azurite, origin, name, access) }),
        size: (blob) =>
          container
            .getBlobClient(blob)
            .getProperties()
            .then(
              ({ contentLength }) => contentLength,
              () => undefined,
            ),
        names: (prefix) =>
          Array.fromAsync(container.listBlobsFlat({ prefix, includeUncommitedBlobs: true }), (blob) => blob.name),
      }
    },
  }
}

const connection = (azurite: Azurite, origin: string, container: string, access: Site['access']): string => {
  const own = azurite.connectionStringBy(origin)
  if (access === 'wrong secret')
    return own.replace(/AccountKey=[^;]+/, `AccountKey=${Buffer.from('wrong').toString('base64')}`)
  if (access !== 'read only') return own
  const key = /AccountKey=([^;]+)/.exec(own)?.[1] ?? ''
  const signature = generateBlobSASQueryParameters(
    {
      containerName: container,
      permissions: ContainerSASPermissions.parse('rl'),
      expiresOn: new Date(Date.now() + 3_600_000),
    },
    new StorageSharedKeyCredential('labaccount', key),
  )
  return `BlobEndpoint=${origin}/labaccount;SharedAccessSignature=${signature}`
}

export const startGoogle = async (): Promise<Cloud> => {
  const emulator = await startGcs()
  const proxy = await gcsLikeProxy(emulator.url)
  const sdk = new Storage({ apiEndpoint: emulator.url, projectId: 'lab' })
  return {
    origin: proxy.url,
    async stop() {
      await proxy.stop()
      await emulator.stop()
    },
    async place() {
      const name = `lab-${randomBytes(4).toString('hex')}`
      const bucket = sdk.bucket(name)
      await bucket.create()
      return {
        root: `gs://${name}/mlflow`,
        env: (origin) => ({ STORAGE_EMULATOR_HOST: origin }),
        async size(object) {
          const [metadata] = await bucket
            .file(object)
            .getMetadata()
            .catch(() => [undefined])
          return metadata && Number(metadata.size)
        },
        async names(prefix) {
          const [files] = await bucket.getFiles({ prefix })
          const begun = proxy.uploads().filter((upload) => upload.bucket === name && upload.name.startsWith(prefix))
          return [...files, ...begun].map((file) => file.name)
        },
      }
    },
  }
}

/** The same location in a container or bucket that is not there. */
export const elsewhere = (root: string): string => root.replace(/lab-[0-9a-f]+/, nowhere)
