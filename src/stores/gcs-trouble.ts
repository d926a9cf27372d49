import { Trouble, type TroubleKind } from '../errors.ts'
import { retryAfterIn } from '../retry-after.ts'
import { networkTrouble } from './network-trouble.ts'

/** What was being done, for the sentence that the user reads. */
export interface GcsDoing {
  /** "cannot list gs://…". */
  readonly what: string
  /** The permission that it takes: `storage.objects.list`. */
  readonly action: string
  /** For people: an origin. */
  readonly endpoint: string
}

/** An answer that is none of the good ones. */
export interface GcsRefusal {
  readonly status: number
  /** `conditionNotMet`, or the code of the XML API. */
  readonly reason?: string | undefined
  /** May name the permission that is missing; is not shown. */
  readonly message?: string | undefined
  readonly retryAfter?: string | undefined
}

type Judged = readonly [kind: TroubleKind, todo: string]

const login: Judged = [
  'unauthenticated',
  'Check GOOGLE_APPLICATION_CREDENTIALS or log in with gcloud auth application-default login, and the clock of this machine',
]
const changed: Judged = ['conflict', 'Look at the object before sending again']
const kept: Judged = ['denied', 'Wait until the retention or hold of the object ends, or have it lifted']

/** Reasons of the JSON API (cloud.google.com/storage/docs/json_api/v1/status-codes) that say more than the status. */
const byReason: Readonly<Record<string, Judged>> = {
  retentionPolicyNotMet: kept,
  objectUnderActiveHold: kept,
  conditionNotMet: changed,
}

const byStatus = (status: number, action: string): Judged => {
  if (status === 401) return login
  if (status === 403) return ['denied', `Ask for the permission ${action}`]
  // 499: a session that was cancelled.
  if (status === 404 || status === 410 || status === 499) return ['not-found', 'Check the bucket and the path']
  if (status === 409 || status === 412) return changed
  if (status === 413) return ['too-large', 'Raise the limit of what stands before the store']
  if (status === 400 || status === 405 || status === 501)
    return ['unsupported', 'Check that the endpoint is Google Cloud Storage']
  if (status === 408 || status === 429 || status >= 500) return ['unavailable', 'Try again']
  return ['unexpected-answer', 'Check that the endpoint is Google Cloud Storage']
}

const damaged: Judged = ['unavailable', 'Send it again; it was damaged on the way']

/** A refusal of a checksum has no reason of its own: `invalid`, and the word in the message; the emulator answers 409. */
const isDamage = ({ status, message = '' }: GcsRefusal): boolean =>
  (status === 400 || status === 409) && /crc32c|md5/i.test(message)

/** A `Trouble` for an answer. */
export const gcsRefused = ({ what, action }: GcsDoing, refusal: GcsRefusal): Trouble => {
  const { status, reason, message, retryAfter } = refusal
  // "… does not have storage.objects.create access to …"
  const named = /\bstorage\.[a-zA-Z]+\.[a-zA-Z]+\b/.exec(message ?? '')?.[0] ?? action
  const [kind, todo] = isDamage(refusal) ? damaged : (byReason[reason ?? ''] ?? byStatus(status, named))
  const retryAfterMs = retryAfterIn(retryAfter)
  const shown = reason !== undefined && /^[A-Za-z]{1,60}$/.test(reason) ? ` ${reason}` : ''
  return new Trouble({
    ...{ kind, what, why: `the store answered HTTP ${status}${shown}`, todo, status },
    ...(kind === 'denied' && todo.includes(named) ? { action: named } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
}

/** What the SDK throws, as far as it is looked at. */
interface Thrown extends Error {
  readonly code?: number | string
  readonly status?: number
  readonly errors?: readonly { readonly reason?: string }[]
}

/** A `Trouble` for whatever a call of the SDK, or a request, threw. Interruptions and defects are handed back as they are. */
export const gcsTrouble = (doing: GcsDoing, error: unknown): unknown => {
  if (error instanceof Trouble || !(error instanceof Error) || error.name === 'AbortError') return error
  const { code, status = code, errors, message } = error as Thrown
  if (typeof status === 'number') return gcsRefused(doing, { status, reason: errors?.[0]?.reason, message })
  const network = networkTrouble(doing.what, doing.endpoint, error)
  if (network !== undefined) return network
  // What the library for logins throws has no type: no file, an account that is gone, a token that was refused.
  if (!/credential|invalid_grant|invalid_client|unauthorized|refresh.?token|private key|metadata/i.test(message))
    return error
  const why = 'no login of this machine was accepted'
  return new Trouble({ kind: 'unauthenticated', what: doing.what, why, todo: login[1], cause: error })
}
