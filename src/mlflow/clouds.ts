import type { SettingSource } from './types.ts'
import { type Environment, textOf } from './variables.ts'

/** How the client libraries of Azure and Google are set up on this machine, read as they read it; asks nobody. */

/** azure_blob_artifact_repo.py and azure_data_lake_artifact_repo.py, 3.17.2. */
export interface AzureSettings {
  /** The Blob endpoint that AZURE_STORAGE_CONNECTION_STRING names, without a signature and a slash at its end. */
  readonly endpoint?: string
  /** What `wasbs` locations are opened with. `abfss` knows only the signature in AZURE_STORAGE_SAS_TOKEN and the identity. */
  readonly login: 'connection-string' | 'access-key' | 'identity'
  /** AZURE_STORAGE_SAS_TOKEN is set. */
  readonly signature: boolean
}

/** gcs_artifact_repo.py, 3.17.2, and google-cloud-storage 3.17. */
export interface GoogleSettings {
  /** STORAGE_EMULATOR_HOST, as an origin. */
  readonly endpoint?: string
  /** MLFLOW_GCS_UPLOAD_CHUNK_SIZE, in bytes. */
  readonly chunk?: number
}

type Note = (name: string, from: SettingSource['from']) => void

/** The fields of a connection string: `Name=value` joined by semicolons, a value may hold `=`. Names in lower case. */
const fieldsOf = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text.split(';').flatMap((field): [string, string][] => {
      const at = field.indexOf('=')
      return at < 1 ? [] : [[field.slice(0, at).trim().toLowerCase(), field.slice(at + 1).trim()]]
    }),
  )

/** What a connection string says; holds secrets. */
export interface ConnectionString {
  /** The Blob endpoint, without a signature and a slash at its end. */
  readonly endpoint: string
  readonly account?: string
  /** Goes before the signature. */
  readonly key?: string
  readonly signature?: string
}

/** As `parse_connection_str` of azure-storage-blob 12.31 reads it; undefined for a string that it refuses, or that holds no login. */
export const parseConnectionString = (text: string): ConnectionString | undefined => {
  const fields = fieldsOf(text)
  const account = fields.get('accountname') || undefined
  const key = fields.get('accountkey') || undefined
  const signature = fields.get('sharedaccesssignature')?.replace(/^\?/, '') || undefined
  const scheme = fields.get('defaultendpointsprotocol') || 'https'
  const suffix = fields.get('endpointsuffix') || 'core.windows.net'
  const named = fields.get('blobendpoint') || (account && `${scheme}://${account}.blob.${suffix}`)
  const url = named ? URL.parse(/^https?:\/\//i.test(named) ? named : `${scheme}://${named}`) : null
  if (url === null || (signature === undefined && (account === undefined || key === undefined))) return undefined
  return {
    endpoint: `${url.origin}${url.pathname.replace(/\/+$/, '')}`,
    ...(account === undefined ? {} : { account }),
    ...(account === undefined || key === undefined ? {} : { key }),
    ...(signature === undefined ? {} : { signature }),
  }
}

export const azureSettings = (env: Environment, note: Note): AzureSettings => {
  // MLflow asks only whether the variables are there; empty ones fail in the library.
  const text = textOf(env, 'AZURE_STORAGE_CONNECTION_STRING')
  const key = textOf(env, 'AZURE_STORAGE_ACCESS_KEY')
  const signature = textOf(env, 'AZURE_STORAGE_SAS_TOKEN') !== undefined
  if (text !== undefined) note('AZURE_STORAGE_CONNECTION_STRING', 'environment')
  else if (key !== undefined) note('AZURE_STORAGE_ACCESS_KEY', 'environment')
  if (signature) note('AZURE_STORAGE_SAS_TOKEN', 'environment')
  const endpoint = text === undefined ? undefined : parseConnectionString(text)?.endpoint
  return {
    login: text !== undefined ? 'connection-string' : key !== undefined ? 'access-key' : 'identity',
    signature,
    ...(endpoint === undefined ? {} : { endpoint }),
  }
}

export const googleSettings = (env: Environment, note: Note): GoogleSettings => {
  const host = textOf(env, 'STORAGE_EMULATOR_HOST')
  if (host !== undefined) note('STORAGE_EMULATOR_HOST', 'environment')
  if (textOf(env, 'GOOGLE_APPLICATION_CREDENTIALS')) note('GOOGLE_APPLICATION_CREDENTIALS', 'environment')
  const url = host === undefined ? null : URL.parse(/^https?:\/\//i.test(host) ? host : `http://${host}`)
  // Values that cannot be read are told by a check, where the route needs them.
  const chunk = Number(textOf(env, 'MLFLOW_GCS_UPLOAD_CHUNK_SIZE'))
  const usable = Number.isSafeInteger(chunk) && chunk > 0
  if (usable) note('MLFLOW_GCS_UPLOAD_CHUNK_SIZE', 'environment')
  return { ...(url === null ? {} : { endpoint: url.origin }), ...(usable ? { chunk } : {}) }
}

/**
 * MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT in milliseconds; `Infinity` for -1, which Google's repository takes for none.
 * Undefined where it is not set, is 0 (which Python takes for not set) or cannot be read.
 */
export const transferTimeout = (env: Environment, note: Note): number | undefined => {
  const seconds = Number(textOf(env, 'MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT'))
  if (!Number.isSafeInteger(seconds) || seconds === 0 || seconds < -1) return undefined
  note('MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT', 'environment')
  return seconds === -1 ? Number.POSITIVE_INFINITY : seconds * 1000
}
