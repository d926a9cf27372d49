import {
  AnonymousCredential,
  BlobServiceClient,
  type ContainerClient,
  type BlobServiceClient as Service,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import { Trouble } from '../errors.ts'
import { parseConnectionString } from '../mlflow/clouds.ts'
import type { Settings } from '../mlflow/types.ts'
import type { Environment } from '../mlflow/variables.ts'
import type { AzureAddress } from './azure-address.ts'

/** A container, reached by the login that MLflow's own client would take. */
export interface AzureConnection {
  /** For calls whose repetition is the caller's to decide: blocks and commits. */
  readonly once: ContainerClient
  /** For looks. */
  readonly patient: ContainerClient
  /** The account, for looks. */
  readonly service: Service
  /** The origin, for people. */
  readonly endpoint: string
  /** For people, without a secret. */
  readonly identity: string
  /** Milliseconds without a byte after which a request is given up. */
  readonly idleMs: number
}

type Login = { readonly identity: string; open(retries: number): Service }

/** Hosts of Microsoft's own clouds; DNS zones put `.z00` and the like before `blob.storage.azure.net`. */
const ownHosts = /\.blob\.(?:core\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)|storage\.azure\.net)$/i

/** A host that only the location names, which a tracking server may have made up, gets no login of the user's. */
const requireTrust = (host: string, trusted: readonly string[]): void => {
  if (ownHosts.test(host) || trusted.includes(host)) return
  throw new Trouble({
    kind: 'denied',
    what: 'cannot open the store',
    why: `${host} is no host of Microsoft's clouds, and your credentials are not sent to it`,
    todo: `Name it by --trust-host ${host} if it is yours`,
  })
}

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
  const found = parseConnectionString(text)
  if (found === undefined) throw noConnection('AZURE_STORAGE_CONNECTION_STRING cannot be read')
  const { endpoint, account, key, signature } = found
  const identity = `AZURE_STORAGE_CONNECTION_STRING of ${account ?? 'a shared access signature'}`
  if (account !== undefined && key !== undefined) {
    const credential = new StorageSharedKeyCredential(account, key)
    return { identity, open: (tries) => new BlobServiceClient(endpoint, credential, retryOptions(tries)) }
  }
  return {
    identity,
    open: (tries) => new BlobServiceClient(`${endpoint}?${signature}`, new AnonymousCredential(), retryOptions(tries)),
  }
}

/** The login by MLflow's own order (azure_blob_artifact_repo.py, azure_data_lake_artifact_repo.py, 3.17.2); a signature in the environment serves both kinds of address here. */
const loginFor = async (
  { account, suffix }: AzureAddress,
  trusted: readonly string[],
  env: Environment,
): Promise<Login> => {
  const host = `${account}.${suffix}`
  const url = `https://${host}`
  const { AZURE_STORAGE_CONNECTION_STRING: text, AZURE_STORAGE_ACCESS_KEY: key, AZURE_STORAGE_SAS_TOKEN: sas } = env
  if (text !== undefined && text.trim() !== '') return byConnectionString(text)
  requireTrust(host, trusted)
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

/** Sends nothing. Throws `Trouble`: `usage` for a connection string that cannot be read, `denied` for a host that is nobody's. */
export const connectAzure = async (
  address: AzureAddress,
  settings: Pick<Settings, 'requestTimeoutMs' | 'trustedHosts'>,
  env: Environment = process.env,
): Promise<AzureConnection> => {
  const login = await loginFor(address, settings.trustedHosts, env)
  const patient = login.open(3)
  return {
    patient: patient.getContainerClient(address.container),
    service: patient,
    once: login.open(1).getContainerClient(address.container),
    endpoint: new URL(patient.url).origin,
    identity: login.identity,
    idleMs: settings.requestTimeoutMs,
  }
}
