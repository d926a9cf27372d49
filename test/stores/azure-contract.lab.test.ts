import { BlobServiceClient } from '@azure/storage-blob'
import { afterAll } from 'vitest'
import { azureStore } from '../../src/stores/azure.ts'
import { parseAzureUri } from '../../src/stores/azure-address.ts'
import { connectAzure } from '../../src/stores/azure-client.ts'
import { startAzurite } from '../lab/azurite.ts'
import { storeContract } from './contract.ts'

const azurite = await startAzurite()
afterAll(() => azurite.stop())
const service = BlobServiceClient.fromConnectionString(azurite.connectionString)
await service.createContainer('contract')

const open = async (prefix: string) => {
  const address = parseAzureUri(`wasbs://contract@labaccount.blob.core.windows.net/${prefix}`)
  const env = { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString }
  const connection = await connectAzure(address, { requestTimeoutMs: 30_000, trustedHosts: [] }, env)
  return azureStore(connection, address, 'test')
}

const abilities = { resumes: true, lists: true, proves: true }
storeContract('Azurite', { ...abilities, open: () => open('some/root') })
storeContract('Azurite, at the root of a container', { ...abilities, open: () => open('') })
