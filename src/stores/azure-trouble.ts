import { Trouble, type TroubleKind } from '../errors.ts'
import { retryAfterIn } from '../retry-after.ts'
import { networkTrouble } from './network-trouble.ts'

/** What was being done, for the sentence that the user reads. */
export interface AzureDoing {
  /** "cannot list wasbs://…". */
  readonly what: string
  /** The permission in Azure's words: `Microsoft.Storage/…/blobs/write`. */
  readonly action: string
  readonly endpoint: string
}

type Judged = readonly [kind: TroubleKind, todo: string]

const login: Judged = [
  'unauthenticated',
  'Check AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_ACCESS_KEY or the identity, and the clock of this machine',
]
const retry: Judged = ['unavailable', 'Try again']
const damaged: Judged = ['unavailable', 'Send it again; it was damaged on the way']
const changed: Judged = ['conflict', 'Look at the blob before sending again']
const locked: Judged = ['denied', 'Have the lease or the immutability policy of the blob or container lifted']

/** Error codes of the Blob service (learn.microsoft.com/rest/api/storageservices/blob-service-error-codes). */
const byCode: Readonly<Record<string, Judged>> = {
  AuthenticationFailed: login,
  InvalidAuthenticationInfo: login,
  NoAuthenticationInformation: login,
  ContainerNotFound: ['not-found', 'Check the name of the container and of the account'],
  BlobNotFound: ['not-found', 'Check the path'],
  ResourceNotFound: ['not-found', 'Check the path'],
  BlobAlreadyExists: changed,
  ConditionNotMet: changed,
  Md5Mismatch: damaged,
  InvalidMd5: damaged,
  InvalidBlockList: ['conflict', 'Begin the upload anew; blocks of it were discarded'],
  InvalidBlobOrBlock: ['conflict', 'Wait until the other upload of this blob has ended'],
  LeaseIdMissing: locked,
  LeaseIdMismatchWithBlobOperation: locked,
  BlobImmutableDueToPolicy: locked,
  BlobImmutableDueToLegalHold: locked,
  RequestBodyTooLarge: ['too-large', 'Send it in smaller blocks'],
  ServerBusy: retry,
  OperationTimedOut: retry,
  InternalError: retry,
}

const byStatus = (status: number | undefined, action: string): Judged => {
  if (status === 401) return login
  if (status === 403) return ['denied', `Ask for the permission ${action}`]
  if (status === 404) return ['not-found', 'Check the path']
  if (status === 409 || status === 412) return changed
  if (status === 413) return ['too-large', 'Send it in smaller blocks']
  if (status === 429 || (status !== undefined && status >= 500)) return retry
  return ['unexpected-answer', 'Check that the endpoint is a Blob service']
}

/** What the SDK throws for an answer, as far as it is looked at. */
interface Refused extends Error {
  readonly statusCode?: number
  readonly code?: string
  readonly response?: { readonly headers?: { get(name: string): string | undefined } }
}

/** The service's own code, which HEAD requests have in a header alone. */
export const azureCode = (error: unknown): string => {
  const { response, code } = (error ?? {}) as Refused
  return response?.headers?.get('x-ms-error-code') ?? code ?? ''
}

/** When the service gave the answer that was thrown, in milliseconds since the epoch. */
export const dateOf = (error: unknown): number | undefined => {
  const at = Date.parse(((error ?? {}) as Refused).response?.headers?.get('date') ?? '')
  return Number.isNaN(at) ? undefined : at
}

/** A `Trouble` for whatever a call of the SDK threw. Interruptions and defects are handed back as they are. */
export const azureTrouble = ({ what, action, endpoint }: AzureDoing, error: unknown): unknown => {
  if (error instanceof Trouble || !(error instanceof Error) || error.name === 'AbortError') return error
  const { statusCode: status, response } = error as Refused
  if (status === undefined) {
    const network = networkTrouble(what, endpoint, error)
    if (network !== undefined) return network
    if (!/CredentialUnavailable|AuthenticationError|AuthenticationRequired/.test(error.name)) return error
    const why = 'no identity of this machine was accepted'
    const todo = 'Set AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCESS_KEY, or sign in with az login'
    return new Trouble({ kind: 'unauthenticated', what, why, todo, cause: error })
  }
  const code = azureCode(error)
  // Azurite answers a wrong MD5 with another code than the service.
  const isMd5 = status === 400 && /MD5/i.test(error.message)
  const [kind, todo] = isMd5 ? damaged : (byCode[code] ?? byStatus(status, action))
  const retryAfterMs = retryAfterIn(response?.headers?.get('retry-after'))
  const named = /^[A-Za-z0-9]{1,80}$/.test(code) && code !== 'RestError' ? ` ${code}` : ''
  return new Trouble({
    ...{ kind, what, why: `the store answered HTTP ${status}${named}`, todo, status, cause: error },
    ...(kind === 'denied' && todo.includes(action) ? { action } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
}
