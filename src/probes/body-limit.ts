import { Trouble } from '../errors.ts'
import { exactBytes } from '../words.ts'
import { type DeclareOptions, declare, type Reply } from './declared-size.ts'
import { PhaseError } from './failures.ts'
import { refuser } from './refuser.ts'
import type { BodyLimit } from './types.ts'

export interface BodyLimitOptions extends DeclareOptions {
  /** The artifact route below the address, with a path that a limit on the artifact location alone would cover: `/api/2.0/mlflow-artifacts/artifacts/1/…`. */
  readonly path: string
  /** The largest size to declare, in bytes; 1 TiB unless told. */
  readonly max?: number
}

/** 1 TiB: above any artifact, and well inside what nginx (off_t), Go (int64) and IIS parse as a length. */
const top = 2 ** 40

/** The largest size that rules with 32-bit figures see as it is: haproxy 2.6 takes `req.hdr_val(content-length)` of 1 TiB for 0. */
const int32 = 2 ** 31 - 1

/**
 * The largest request body, to the byte, that nothing on the way refuses by its declared size. Sizes in bytes.
 *
 * No byte of a body is ever sent, and nothing is left behind (`declared-size.ts`). What judges a size only by counting
 * the bytes that arrive cannot be seen this way. At most 60 requests: the power of two first, then bisection within it,
 * and each of the two figures is asked for again three times at the end. Closed connections are
 * asked three times over, and a limit behind an unbuffered proxy takes a second search, which makes it more.
 * Throws `Trouble`: `unreachable`, `unauthenticated`, `denied`, `not-found`, `unavailable`, `unexpected-answer` when the answers contradict each other or are redirects.
 */
export const bodyLimit = async (address: string | URL, options: BodyLimitOptions): Promise<BodyLimit> => {
  const base = new URL(address)
  const url = new URL(`${base.pathname.replace(/\/+$/, '')}/${options.path.replace(/^\/+/, '')}`, base.origin)
  const asked = new Inquiry(url, options)
  let found: Omit<BodyLimit, 'requests'>
  try {
    found = await search(asked, options.max ?? top)
  } catch (error) {
    if (!(error instanceof Unmeasurable)) throw error
    return { accepted: 0, unmeasured: error.message, requests: asked.requests }
  }
  if (found.accepted === 0 || asked.answered) return { ...found, seenThrough: asked.answered, requests: asked.requests }
  // A proxy said "continue" by itself. Where it does not buffer bodies, the same request without an expectation gets
  // through to the next one; where it does, there is silence until the body comes.
  const beyond = new Inquiry(url, { ...options, expects: false })
  const reply = await beyond.glance(found.accepted)
  const requests = (): number => asked.requests + beyond.requests
  if (reply.kind === 'status' && reply.status === 413) {
    return { ...(await search(beyond, found.accepted)), seenThrough: true, requests: requests() }
  }
  return { ...found, seenThrough: reply.kind === 'status' && harmless(reply.status), requests: requests() }
}

const search = async (asked: Inquiry, max: number): Promise<Omit<BodyLimit, 'requests'>> => {
  const firstRefused = await asked.firstRefusal([max, ...(max > int32 ? [int32] : [])])
  if (firstRefused === undefined) return { accepted: max }
  // A limit of nothing at all: whatever has a body is refused.
  if (!(await asked.passes(1))) {
    await asked.confirm(1, false)
    return { accepted: 0, refused: 1, ...asked.refusal() }
  }
  let accepted = 1
  let refused = firstRefused
  // Limits span six decades: find the power of two first.
  while (refused > accepted * 2) {
    const middle = 2 ** Math.round((Math.log2(accepted) + Math.log2(refused)) / 2)
    if (middle <= accepted || middle >= refused) break
    if (await asked.passes(middle)) accepted = middle
    else refused = middle
  }
  while (refused - accepted > 1) {
    const middle = accepted + Math.floor((refused - accepted) / 2)
    if (await asked.passes(middle)) accepted = middle
    else refused = middle
  }
  // In a row each, so that two proxies that take turns both get to answer.
  await asked.confirm(refused, false)
  await asked.confirm(accepted, true)
  return { accepted, refused, ...asked.refusal() }
}

/** How often each of the two figures is asked for again: different limits on several proxies behind one address show here. */
const confirmations = 3

/** Milliseconds; the server's own refusal of a POST takes a round trip. */
const glanceMs = 2000

/** How often a connection that is closed without a word, or a busy answer, is asked again. */
const repeats = 3

/** What answers here cannot be asked for its limit; the message says why. */
class Unmeasurable extends Error {}

class Inquiry {
  requests = 0
  /** Whether the last size that was let through got a final answer, which only the server gives. */
  answered = false
  readonly #url: URL
  readonly #options: BodyLimitOptions
  #smallest: Reply | undefined
  #refused: Reply | undefined

  constructor(url: URL, options: BodyLimitOptions) {
    this.#url = url
    this.#options = options
  }

  /** One look, without a judgement; waits no longer than a proxy that passes headers on would take. */
  glance(bytes: number): Promise<Reply> {
    return this.#ask(bytes, glanceMs)
  }

  /** Whether a declared size gets past everything that judges declared sizes. */
  async passes(bytes: number): Promise<boolean> {
    const reply = await this.#firm(bytes)
    this.answered = reply.kind === 'status'
    if (reply.kind === 'continue') return true
    if (reply.kind === 'silent') {
      // Once a size was refused at once, keeping quiet means waiting for the body.
      if (this.#refused !== undefined) return true
      throw new Unmeasurable(`nothing answered a request that declares ${exactBytes(bytes)} before its body`)
    }
    if (reply.kind === 'status') this.#throwUnlessMeasurable(reply)
    if (reply.kind === 'status' && harmless(reply.status)) return true
    const refused = await this.#refuses(reply, bytes)
    if (refused) this.#refused = reply
    return !refused
  }

  /** The first of these sizes that is refused; each is asked for twice before it counts as let through. */
  async firstRefusal(sizes: readonly number[]): Promise<number | undefined> {
    for (const bytes of sizes) {
      if (!(await this.passes(bytes))) return bytes
      if (!(await this.passes(bytes))) throw this.contradiction(bytes)
    }
    return undefined
  }

  /** Asks for a figure again, as often as it takes for proxies with different limits to show. */
  async confirm(bytes: number, passed: boolean): Promise<void> {
    for (let again = 0; again < confirmations; again += 1)
      if ((await this.passes(bytes)) !== passed) throw this.contradiction(bytes)
  }

  /** Who refused, and with what. */
  refusal(): Pick<BodyLimit, 'status' | 'refusedBy'> {
    const reply = this.#refused
    if (reply?.kind !== 'status') return {}
    const by = refuser(reply)
    return { status: reply.status, ...(by !== undefined && { refusedBy: by }) }
  }

  contradiction(bytes: number): Trouble {
    return this.#trouble(
      'unexpected-answer',
      `a declared size of ${exactBytes(bytes)} was let through once and refused once`,
      'Several proxies with different limits may take turns behind this address: ask whoever runs them, then run the check again',
    )
  }

  /** 413 is plain. Any other refusal counts only if a body of one byte is answered differently. */
  async #refuses(reply: Reply, bytes: number): Promise<boolean> {
    if (reply.kind === 'status' && reply.status === 413) return true
    if (bytes === 1) {
      if (this.#refused?.kind === 'status' && this.#refused.status === 413) return reply.kind === 'closed'
      throw this.#unmeasurable(reply)
    }
    this.#smallest ??= await this.#firm(1)
    if (same(this.#smallest, reply)) throw this.#unmeasurable(reply)
    return true
  }

  /** One reply; a closed connection and a busy server are asked again before they are believed. */
  async #firm(bytes: number): Promise<Reply> {
    let reply = await this.#ask(bytes)
    for (let again = 1; again < repeats && doubtful(reply); again += 1) reply = await this.#ask(bytes)
    return reply
  }

  async #ask(bytes: number, patience = this.#patienceMs()): Promise<Reply> {
    this.requests += 1
    try {
      const patienceMs = Math.min(patience, this.#options.timeoutMs)
      return await declare(this.#url, bytes, { ...this.#options, patienceMs })
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      if (!(error instanceof PhaseError)) throw error
      throw this.#trouble('unreachable', error.failure.why, error.failure.todo)
    }
  }

  /** What refuses does so at once; after the first refusal nobody needs to be waited for much longer. */
  #patienceMs(): number {
    return this.#refused === undefined ? this.#options.timeoutMs : Math.max(1000, this.#refused.ms * 4)
  }

  #throwUnlessMeasurable(reply: Reply & { kind: 'status' }): void {
    const { status } = reply
    if (status === 401 || status === 407) {
      throw this.#trouble(
        'unauthenticated',
        `the answer was ${status}, which hides any limit behind it`,
        'Check the credentials for the tracking server',
        status,
      )
    }
    if (status >= 300 && status < 400) {
      throw this.#trouble(
        'unexpected-answer',
        `the answer was a redirect (${status})`,
        'Put the address that it leads to into MLFLOW_TRACKING_URI',
        status,
      )
    }
    if (status === 417) throw new Unmeasurable('what answers takes no Expect header (417)')
    if (status === 429 || (status >= 500 && status !== 501)) {
      throw this.#trouble('unavailable', `the answer was ${status}`, 'Try again when the server is well', status)
    }
  }

  #unmeasurable(reply: Reply): Trouble {
    if (reply.kind !== 'status') {
      return this.#trouble(
        'unreachable',
        'the connection is closed without an answer, whatever size is declared',
        'Read the log of the server or of the proxy in front of it',
      )
    }
    const { status } = reply
    if (status === 403) {
      return this.#trouble(
        'denied',
        'the answer was 403 whatever size was declared',
        'Check the rights of these credentials, and the rules of the proxy in front',
        status,
      )
    }
    if (status === 404) {
      return this.#trouble(
        'not-found',
        'nothing answers at the path of the artifacts (404)',
        'Check the path in MLFLOW_TRACKING_URI',
        status,
      )
    }
    return this.#trouble(
      'unexpected-answer',
      `the answer was ${status} whatever size was declared`,
      'Read the log of the server or of the proxy in front of it',
      status,
    )
  }

  #trouble(kind: Trouble['kind'], why: string, todo: string, status?: number): Trouble {
    const what = `cannot measure the request size limit of ${this.#url.origin}`
    return new Trouble({ kind, what, why, todo, ...(status !== undefined && { status }) })
  }
}

/** MLflow's own answers to a POST that it has no use for. */
const harmless = (status: number): boolean => status === 405 || status === 501 || (status >= 200 && status < 300)

const doubtful = (reply: Reply): boolean =>
  reply.kind === 'closed' ||
  (reply.kind === 'status' && (reply.status === 429 || (reply.status >= 500 && reply.status !== 501)))

const same = (a: Reply, b: Reply): boolean =>
  a.kind === b.kind && (a.kind !== 'status' || b.kind !== 'status' || a.status === b.status)
