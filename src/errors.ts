/**
 * The one family of errors that reaches a user: what happened, why, what to do. Anything else thrown is a defect of the
 * tool and is shown as a crash.
 */

/** `usage` ends with exit code 2, every other kind with 3. */
export type TroubleKind =
  | 'usage'
  /** No answer: DNS, TCP, TLS, a time-out, or a reset. */
  | 'unreachable'
  /** Credentials are missing, wrong or expired (401 and the like). */
  | 'unauthenticated'
  /** Known to the other side, but not allowed (403, AccessDenied). */
  | 'denied'
  | 'not-found'
  /** The other side cannot do this at all (501, a folder asked for multipart upload). */
  | 'unsupported'
  /** Someone else changed it, or a precondition failed (409, 412). */
  | 'conflict'
  /** Too large for a limit on the way (413, EntityTooLarge). */
  | 'too-large'
  /** No room left (507, ENOSPC). */
  | 'full'
  /** The local file changed while it was read. */
  | 'source-changed'
  /** Busy or failing for now (429, 5xx); trying again may help. */
  | 'unavailable'
  /** Answered, but not in the protocol expected: HTML in place of JSON, a redirect to a login page. */
  | 'unexpected-answer'

export interface TroubleFields {
  readonly kind: TroubleKind
  /** What could not be done: "cannot list artifacts of run abc". No full stop. */
  readonly what: string
  /** Why, with the other side's own words where they help. No full stop. */
  readonly why: string
  /** What the user can do, as an imperative sentence without a full stop. */
  readonly todo: string
  /** The permission that was missing, in the store's own words: `s3:PutObject`. */
  readonly action?: string
  /** The HTTP status, where there was one. */
  readonly status?: number
  /** Milliseconds that the other side asked to wait before the next try (Retry-After). */
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

export class Trouble extends Error {
  override readonly name = 'Trouble'
  readonly kind: TroubleKind
  readonly what: string
  readonly why: string
  readonly todo: string
  readonly action: string | undefined
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined

  constructor(fields: TroubleFields) {
    super(`${fields.what}: ${fields.why}. ${fields.todo}.`, { cause: fields.cause })
    this.kind = fields.kind
    this.what = fields.what
    this.why = fields.why
    this.todo = fields.todo
    this.action = fields.action
    this.status = fields.status
    this.retryAfterMs = fields.retryAfterMs
  }
}

/** Thrown by a need's opener when the question does not arise here, such as a tracking server's limits where there is no server: its checks are skipped, with this reason. */
export class NotApplicable extends Error {
  override readonly name = 'NotApplicable'
}

/** For `catch`: what could not be opened, or does not apply, is undefined; a defect is thrown on. */
export const ifTrouble = (error: unknown): undefined => {
  if (error instanceof Trouble || error instanceof NotApplicable) return undefined
  throw error
}

/** For `catch`: what is not there is undefined; everything else is thrown on. */
export const unlessMissing = (error: unknown): undefined => {
  if (error instanceof Trouble && error.kind === 'not-found') return undefined
  throw error
}
