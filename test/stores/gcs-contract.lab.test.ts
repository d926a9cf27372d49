import { Storage } from '@google-cloud/storage'
import { afterAll } from 'vitest'
import { gcsStore, parseGcsUri } from '../../src/stores/gcs.ts'
import { connectGcs } from '../../src/stores/gcs-client.ts'
import { gcsLikeProxy } from '../gcs-like-proxy.ts'
import { startGcs } from '../lab/index.ts'
import { storeContract } from './contract.ts'

const emulator = await startGcs()
const proxy = await gcsLikeProxy(emulator.url)
afterAll(async () => {
  await proxy.stop()
  await emulator.stop()
})
await new Storage({ apiEndpoint: emulator.url, projectId: 'lab' }).createBucket('contract')

const open = async (prefix: string) => {
  const connection = await connectGcs({ requestTimeoutMs: 30_000, google: { endpoint: proxy.url } }, {})
  return gcsStore(connection, parseGcsUri(`gs://contract/${prefix}`), 'test')
}

// What the wrapper adds to the emulator: conditions, pages, cancelling.
const abilities = { resumes: true, lists: false, proves: true }
storeContract('gcp-storage-emulator behind a wrapper', { ...abilities, open: () => open('some/root') })
storeContract('gcp-storage-emulator behind a wrapper, at the root of a bucket', { ...abilities, open: () => open('') })
