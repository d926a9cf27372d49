import {
  AnonymousCredential,
  BlobServiceClient,
  type ContainerClient,
  type BlobServiceClient as Service,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import { Trouble } from '../errors.ts'
import type { Settings } from '../mlflow/types.ts'
import type { Environment } from '../mlflow/variables.ts'
import type { AzureAddress } from './azure-address.ts'

/** A container, reached by the login that MLflow's own client would take. */
export interface AzureConnection {
  /** For calls whose repetition is the caller's to decide: blocks and commits. */
  readonly once: ContainerClient
  /** For looks. */
  readonly patient: ContainerClient
  /** The origin, for people. */
  readonly endpoint: string
  /** For people, without a secret. */
  readonly identity: string
  /** Milliseconds without a byte after which a request is given up. */
  readonly idleMs: number
}

type Login = { readonly identity: string; open(retries: number): Service }

const noConnection = (why: string): Trouble =>
  new Trouble({
    kind: 'usage',
    what: 'cannot open the store',
    why,
    todo: 'Correct AZURE_STORAGE_CONNECTION_STRING: copy it once more from the access keys of the storage account',
  })

const retryOptions = (maxTries: number) => ({
  retryOptions: { maxTries, retryDelayInMs: 200, maxRetryDelayInMs: 5000 },
})

const byConnectionString = (text: string): Login => {
  const account = /(?:^|;)AccountName=([^;]+)/i.exec(text)?.[1]
  const named = account ?? 'a shared access signature'
  return {
    identity: `AZURE_STORAGE_CONNECTION_STRING of ${named}`,
    open: (tries) => {
      try {
        return BlobServiceClient.fromConnectionString(text, retryOptions(tries))
      } catch {
        // The SDK's message may repeat the string.
        throw noConnection('AZURE_STORAGE_CONNECTION_STRING cannot be read')
      }
    },
  }
}

/** The login by MLflow's own order (azure_blob_artifact_repo.py, azure_data_lake_artifact_repo.py, 3.17.2); a signature in the environment serves both kinds of address here. */
const loginFor = async ({ account, suffix }: AzureAddress, env: Environment): Promise<Login> => {
  const url = `https://${account}.${suffix}`
  const { AZURE_STORAGE_CONNECTION_STRING: text, AZURE_STORAGE_ACCESS_KEY: key, AZURE_STORAGE_SAS_TOKEN: sas } = env
  if (text !== undefined && text !== '') return byConnectionString(text)
  if (key !== undefined && key !== '') {
    const credential = new StorageSharedKeyCredential(account, key)
    const open = (tries: number) => new BlobServiceClient(url, credential, retryOptions(tries))
    return { identity: `the access key of ${account}`, open }
  }
  if (sas !== undefined && sas !== '') {
    const signed = `${url}?${sas.replace(/^\?/, '')}`
    const open = (tries: number) => new BlobServiceClient(signed, new AnonymousCredential(), retryOptions(tries))
    return { identity: 'the signature in AZURE_STORAGE_SAS_TOKEN', open }
  }
  const { DefaultAzureCredential } = await import('@azure/identity')
  const credential = new DefaultAzureCredential()
  return {
    identity: 'the default Azure identity',
    open: (tries) => new BlobServiceClient(url, credential, retryOptions(tries)),
  }
}

/** Sends nothing. Throws `Trouble` (`usage`) for a connection string that cannot be read. */
export const connectAzure = async (
  address: AzureAddress,
  settings: Pick<Settings, 'requestTimeoutMs'>,
  env: Environment = process.env,
): Promise<AzureConnection> => {
  const login = await loginFor(address, env)
  const patient = login.open(3)
  return {
    patient: patient.getContainerClient(address.container),
    once: login.open(1).getContainerClient(address.container),
    endpoint: new URL(patient.url).origin,
    identity: login.identity,
    idleMs: settings.requestTimeoutMs,
  }
}
