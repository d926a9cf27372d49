import { S3ServiceException } from '@aws-sdk/client-s3'
import { Trouble, type TroubleKind } from '../errors.ts'
import { quoted } from '../mlflow/http-trouble.ts'
import { retryAfterIn } from '../retry-after.ts'
import { duration } from '../words.ts'
import { networkTrouble } from './network-trouble.ts'

/** What was being done, for the sentence that the user reads. */
export interface Doing {
  /** "cannot list the parts of model.bin". */
  readonly what: string
  /** The IAM action that it needs: `s3:ListMultipartUploadParts`. */
  readonly action: string
  readonly endpoint: string
  /** The store's clock minus this machine's, in milliseconds, where an answer told it. */
  readonly clockOffset: number | undefined
}

type Judged = readonly [kind: TroubleKind, todo: string]

const retry: Judged = ['unavailable', 'Try again']
const badKey: Judged = [
  'unauthenticated',
  'Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE and the endpoint',
]
const oldToken: Judged = ['unauthenticated', 'Renew the credentials (aws sso login, or a new session token)']
const damaged: Judged = ['unavailable', 'Send it again; it was damaged on the way']
const full: Judged = ['full', 'Free space in the store or have the quota raised']
const changed: Judged = ['conflict', 'Look at the object before sending again']
const cannot: Judged = ['unsupported', 'Use a store or a version of it that offers this']

/** Error codes of the S3 API and of the servers that speak it (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; MinIO's own begin with X). */
const byCode: Readonly<Record<string, Judged>> = {
  InvalidAccessKeyId: badKey,
  SignatureDoesNotMatch: badKey,
  InvalidToken: badKey,
  AuthFailure: badKey,
  XAdminUserNotFound: badKey,
  ExpiredToken: oldToken,
  ExpiredTokenException: oldToken,
  TokenRefreshRequired: oldToken,
  NoSuchBucket: ['not-found', 'Check the name of the bucket and the endpoint'],
  NoSuchUpload: ['not-found', 'Begin the upload anew'],
  EntityTooLarge: ['too-large', 'Send it in parts, or in smaller ones'],
  EntityTooSmall: ['unsupported', 'Send larger parts; all but the last need 5 MiB'],
  BadDigest: damaged,
  InvalidDigest: damaged,
  XAmzContentChecksumMismatch: damaged,
  XAmzContentSHA256Mismatch: damaged,
  PreconditionFailed: changed,
  ConditionalRequestConflict: changed,
  OperationAborted: changed,
  XMinioStorageFull: full,
  QuotaExceeded: full,
  XMinioAdminBucketQuotaExceeded: full,
  NotImplemented: cannot,
  MethodNotAllowed: cannot,
  SlowDown: ['unavailable', 'Try again with fewer parts at once; the store asks to slow down'],
  RequestTimeout: retry,
}

const byStatus = (status: number | undefined, action: string): Judged => {
  if (status === 401) return badKey
  if (status === 403) return ['denied', `Ask for the permission ${action}`]
  if (status === 404) return ['not-found', 'Check the path']
  if (status === 409 || status === 412) return changed
  if (status === 413) return ['too-large', 'Send it in parts, or in smaller ones']
  if (status === 429) return retry
  if (status === 501) return cannot
  if (status === 507) return full
  if (status !== undefined && status >= 500) return retry
  return ['unexpected-answer', 'Check that the endpoint is an S3 API']
}

const headersOf = (error: S3ServiceException): Readonly<Record<string, string>> => error.$response?.headers ?? {}

const wrongRegion = ['PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException', '301']

/** The bucket's region, when the answer says that the request went to another one. */
export const regionTold = (error: unknown): string | undefined => {
  if (!(error instanceof S3ServiceException)) return undefined
  const status = error.$metadata.httpStatusCode
  if (!wrongRegion.includes(error.name) && status !== 301 && status !== 307) return undefined
  const told = headersOf(error)['x-amz-bucket-region'] ?? /expecting ['"]([\w-]+)['"]/.exec(error.message)?.[1]
  return told !== undefined && /^[a-z0-9-]{1,40}$/.test(told) ? told : undefined
}

/** The code of an S3 error; HEAD requests have no body, so theirs is made of the status. */
export const s3Code = (error: unknown): string => (error instanceof S3ServiceException ? error.name : '')
export const s3Status = (error: unknown): number | undefined =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined

/** A `Trouble` for whatever an S3 call threw. Interruptions and defects are handed back as they are. */
export const s3Trouble = (doing: Doing, error: unknown): unknown => {
  if (error instanceof Trouble || !(error instanceof Error) || error.name === 'AbortError') return error
  const { what, action } = doing
  const network = networkTrouble(what, doing.endpoint, error)
  if (network !== undefined) return network
  if (error.name === 'CredentialsProviderError' || error.name === 'TokenProviderError') {
    return new Trouble({
      kind: 'unauthenticated',
      what,
      why: 'no usable credentials were found on this machine',
      todo: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE',
      cause: error,
    })
  }
  if (!(error instanceof S3ServiceException)) return notS3(doing, error)
  const status = error.$metadata.httpStatusCode
  const region = regionTold(error)
  if (region !== undefined) {
    return new Trouble({
      kind: 'unexpected-answer',
      what,
      why: `the bucket lies in the region ${region}, and the request was made for another one`,
      todo: `Set AWS_DEFAULT_REGION=${region}`,
      ...(status === undefined ? {} : { status }),
      cause: error,
    })
  }
  // AWS names the action that it missed where that is another one, such as kms:GenerateDataKey.
  const missed = /is not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)/.exec(error.message)?.[1] ?? action
  const [kind, todo] = byCode[error.name] ?? byStatus(status, missed)
  const skew = error.name === 'RequestTimeTooSkewed'
  const after = retryAfterIn(headersOf(error)['retry-after'])
  return new Trouble({
    kind: skew ? 'unauthenticated' : kind,
    what,
    why: skew ? `the clocks differ${byHowMuch(doing.clockOffset)}` : saying(error, status),
    todo: skew ? 'Set the clock of this machine (NTP)' : todo,
    ...(kind === 'denied' && !skew ? { action: missed } : {}),
    ...(status === undefined ? {} : { status }),
    ...(after === undefined ? {} : { retryAfterMs: after }),
    cause: error,
  })
}

/** What the SDK calls an answer without a body, such as every refusal of HEAD. */
const nameless = ['Error', 'Unknown', 'UnknownError', 'NotFound', 'Forbidden']

const saying = (error: S3ServiceException, status: number | undefined): string => {
  const words = quoted(error.message).replace(/\.+$/, '')
  const code = /^[A-Za-z0-9]+$/.test(error.name) && !nameless.includes(error.name) ? ` ${error.name}` : ''
  const said = words === '' || words === 'UnknownError' || words === error.name ? '' : `: ${words}`
  return `the store answered${status === undefined ? '' : ` HTTP ${status}`}${code}${said}`
}

const byHowMuch = (offset: number | undefined): string =>
  offset === undefined
    ? ''
    : `: the store's is ${duration(Math.abs(offset))} ${offset > 0 ? 'ahead of' : 'behind'} this machine's`

/** The SDK could not read the answer as S3's: a login page, a proxy's error page, another API. */
const notS3 = (doing: Doing, error: Error): unknown => {
  if (!('$response' in error) && !('$metadata' in error)) return error
  return new Trouble({
    kind: 'unexpected-answer',
    what: doing.what,
    why: `${doing.endpoint} answered, but not as an S3 API does`,
    todo: 'Check MLFLOW_S3_ENDPOINT_URL, and whether a proxy or a login page stands in between',
    cause: error,
  })
}
