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

/** One canary on the way that planned files take, sent whole, or as far as it got. Times in milliseconds, sizes in bytes. */
export interface TransferTry {
  readonly bytes: number
  /** 1 where the whole goes in one request. */
  readonly parts: number
  /** From the first byte of the body to the last one handed to the network. */
  readonly bodyMs: number
  /** From there to the first byte of the answer: the silence that a read time-out counts. Absent when it did not get so far. */
  readonly answerMs?: number
  /** The longest pause in which the other side took nothing; 0 for parts, of which only the ends are seen. */
  readonly stallMs: number
  readonly status?: number
  /** Set when it did not get through. */
  readonly failed?: TransferFailure
}

export interface TransferFailure {
  /** `status`: refused by an answer. `closed`: the other side closed the connection, or reset it. `silent`: no answer for as long as MLflow would wait. */
  readonly how: 'status' | 'closed' | 'silent'
  readonly status?: number
  /** Who answered, by its `server` header or its page. */
  readonly by?: string
  /** Whether the body was still being sent, or the answer waited for. */
  readonly during: 'body' | 'answer'
  /** From the first byte of the body to the failure. */
  readonly afterMs: number
  /** Of the body. */
  readonly sentBytes: number
  /** How long nothing had moved by then, as far as it shows on this side; absent where that was not watched. */
  readonly silentMs?: number
  /** One sentence without a full stop. */
  readonly why: string
}

/** A straight line through what canaries of growing size took: `fixedMs` and then so many bytes a second. */
export interface Rate {
  readonly fixedMs: number
  readonly bytesPerSecond: number
}

/** What canaries measured on one route. */
export interface Transfer {
  readonly tries: readonly TransferTry[]
  /** From this machine to the first one that takes the whole body. */
  readonly uplink?: Rate
  /** What the server takes between a body's last byte and its answer, most of it the way to its store. Only where whole files go through the server. */
  readonly relay?: Rate
  /** True when the time grows faster than the size, as on servers that copy the body again for each piece (MLflow 3.3 to 3.11). */
  readonly quadratic?: boolean
  /** True when the canaries were too small to tell the two hops apart; their sum is right. */
  readonly blurred?: boolean
  /** Why canaries beyond the first were not sent: a sentence without a full stop. */
  readonly objection?: string
  /** Why no canary was sent, and most likely none would have been stored: a sentence without a full stop. */
  readonly barred?: string
}

/** How something on the way ended a request whose body did not come. */
export interface Cut {
  /** Of a body that pauses: from its last byte. Of one that flows: from its first. In milliseconds. */
  readonly ms: number
  /** Absent when the connection was closed without an answer. */
  readonly status?: number
  /** Who answered, by its `server` header or its page. */
  readonly by?: string
}

/** How long a request body may pause and take, by requests that were kept open on purpose. */
export interface Paced {
  /** A body that pauses was ended, and one that flows was not, or later. */
  readonly idle?: Cut
  /** A body that flows slowly was ended: its whole time is counted. */
  readonly body?: Cut
  /** Milliseconds that a request was watched: where nothing was ended, time-outs are longer than this. */
  readonly watchedMs: number
  /** Why nothing could be measured, without a full stop. `watchedMs` is 0 then. */
  readonly unmeasured?: string
}
