/** What the probes measure. All times in milliseconds, all sizes in bytes. */

export type ReachPhase = 'dns' | 'tcp' | 'tls' | 'http'

/** One look at a host, each phase apart, so that a failure names the phase it happened in. */
export interface Reach {
  /** Scheme, host and port, nothing else. */
  readonly origin: string
  readonly addresses: readonly string[]
  readonly ms: Readonly<Partial<Record<ReachPhase, number>>>
  readonly status?: number
  /** The `server` header. */
  readonly software?: string
  /** The `via` header and others by which a proxy or a cloud gives itself away, lower-case name to value. */
  readonly traces: Readonly<Record<string, string>>
  readonly failed?: { readonly phase: ReachPhase; readonly why: string; readonly todo: string }
}

/** Largest declared request body that passes whatever stands in front of the server. */
export interface BodyLimit {
  /** The largest declared size that was not refused. */
  readonly accepted: number
  /** The smallest declared size that was refused; absent when nothing refused up to `accepted`. */
  readonly refused?: number
  readonly status?: number
  /** Who refused, by its `server` header or its error page: `nginx/1.22.1`. */
  readonly refusedBy?: string
  /** True when the server itself answered at the accepted size. Otherwise a proxy answered for itself, and a tighter limit behind it was not seen. */
  readonly seenThrough?: boolean
  /** Why no size could be measured, without a full stop: nothing answers before a body arrives. `accepted` says nothing then. */
  readonly unmeasured?: string
  /** The number of requests made. */
  readonly requests: number
}
