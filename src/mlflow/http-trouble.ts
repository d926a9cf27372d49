import { Trouble, type TroubleKind } from '../errors.ts'
import { duration } from '../words.ts'

/** Turns what a tracking server, or whatever stands at its address, answers into `Trouble`. */

/** Words of the other side on one line: at most 200 characters, no control codes, nothing that a URL may carry in secret. */
export const quoted = (text: string): string => {
  const line = text
    .replace(/[\u0000-\u0020\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ')
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, '$1')
    .replace(/([a-z][a-z0-9+.-]*:\/\/[^\s?#"'<>]*)[?#][^\s"'<>]*/gi, '$1')
    .trim()
  return line.length > 200 ? `${line.slice(0, 199)}…` : line
}

const titleOf = (html: string): string => quoted(/<title[^>]*>([^<]*)/i.exec(html.slice(0, 10_000))?.[1] ?? '')

export const isHtml = (body: string): boolean => /^\s*<(!doctype|html|head|body|\?xml)/i.test(body)

/** MLflow's own error object, where the body is one. */
const mlflowError = (body: string): { code: string; message: string } | undefined => {
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed !== 'object' || parsed === null || !('error_code' in parsed)) return undefined
    const message = 'message' in parsed && typeof parsed.message === 'string' ? parsed.message : ''
    return { code: String(parsed.error_code), message }
  } catch {
    return undefined
  }
}

const said = (body: string): string => {
  const error = mlflowError(body)
  const words = error ? error.message || error.code : isHtml(body) ? titleOf(body) : quoted(body)
  return words === '' ? '' : `: "${quoted(words)}"`
}

const kinds: ReadonlyMap<number, TroubleKind> = new Map([
  [401, 'unauthenticated'],
  [403, 'denied'],
  [404, 'not-found'],
  [408, 'unavailable'],
  [409, 'conflict'],
  [412, 'conflict'],
  [413, 'too-large'],
  [429, 'unavailable'],
  [501, 'unsupported'],
  [507, 'full'],
])

const kindOf = (status: number, error: { message: string } | undefined): TroubleKind => {
  // MLflow says what is missing in JSON; any other 404 means that nothing there knows this call.
  if ((status === 404 || status === 405) && !error) return 'unsupported'
  const kind = kinds.get(status)
  if (kind !== undefined) return kind
  if (status >= 500) return 'unavailable'
  if (!error || status !== 400) return 'unexpected-answer'
  // An unknown alias is a 400 in MLflow 3.17.2.
  return /not found/i.test(error.message) ? 'not-found' : 'unexpected-answer'
}

const todoOf = (kind: TroubleKind): string => {
  if (kind === 'unauthenticated')
    return 'Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to a login that the server knows'
  if (kind === 'denied') return 'Ask the owner of the server for the permission, or use another login'
  if (kind === 'not-found')
    return 'Check the id or name, and that MLFLOW_TRACKING_URI is the server that it was logged to'
  if (kind === 'unavailable') return 'Try again later, and look into the log of the server or of the proxy before it'
  if (kind === 'too-large') return 'Raise the limit on the size of a request in the proxy before the server'
  return 'Check that MLFLOW_TRACKING_URI is the address of an MLflow server, with the path that a proxy serves it under'
}

/** Whether a file that was to be removed was not there: 404 from folders, and a 500 with these words over Azure (azure_blob_artifact_repo.py, `delete_artifacts`, 3.17.2). */
export const isGone = (status: number, body: string): boolean =>
  status === 404 || (status === 500 && /No such file or directory/.test(body))

/** For an answer that is an error by its status. `body` may be cut off. */
export const statusTrouble = (what: string, host: string, status: number, body: string): Trouble => {
  // fastapi_security.py and security.py of MLflow 3.5 and later.
  if (status === 403 && /invalid host header/i.test(body)) {
    const name = host.replace(/[^\w.:[\]-]/g, '')
    return new Trouble({
      kind: 'denied',
      what,
      why: `the server refuses requests that name it ${name} (HTTP 403: "Invalid Host header")`,
      todo: `Start the server with --allowed-hosts ${name} (or set MLFLOW_SERVER_ALLOWED_HOSTS), besides the hosts that it allows now`,
      status,
    })
  }
  const kind = kindOf(status, mlflowError(body))
  return new Trouble({
    kind,
    what,
    why: `${host} answered HTTP ${status}${said(body)}`,
    todo: todoOf(kind),
    status,
  })
}

export const redirectTrouble = (what: string, from: URL, status: number, location: string | null): Trouble => {
  let to: URL | undefined
  try {
    to = location === null ? undefined : new URL(location, from)
  } catch {
    to = undefined
  }
  const upgraded =
    to !== undefined && to.hostname === from.hostname && from.protocol === 'http:' && to.protocol === 'https:'
  const where =
    to === undefined
      ? 'nowhere in particular'
      : to.host === from.host && !upgraded
        ? `its own path ${quoted(to.pathname)}`
        : to.origin
  return new Trouble({
    kind: 'unexpected-answer',
    what,
    why: `${from.host} redirects to ${where} (HTTP ${status}), and a login is never sent on to another address`,
    todo: upgraded
      ? 'Write https:// in the tracking URI'
      : 'Set MLFLOW_TRACKING_URI to the final address; where a login page stands before the server, ask its owner for a token and set MLFLOW_TRACKING_TOKEN',
    status,
  })
}

export const notJson = (what: string, host: string, body: string): Trouble =>
  new Trouble({
    kind: 'unexpected-answer',
    what,
    why: isHtml(body)
      ? `${host} answered with a web page${titleOf(body) === '' ? '' : ` ("${titleOf(body)}")`} in place of JSON`
      : `${host} did not answer with the JSON that MLflow answers with`,
    todo: 'Check that MLFLOW_TRACKING_URI is the address of an MLflow server and that no login page stands before it',
  })

export const hangTrouble = (what: string, host: string, ms: number): Trouble =>
  new Trouble({
    kind: 'unreachable',
    what,
    why: `${host} took the request and did not answer within ${duration(ms)}`,
    todo: 'Look into the log of the server; MLFLOW_HTTP_REQUEST_TIMEOUT (seconds) sets how long to wait',
  })

const certificates: ReadonlyMap<string, string> = new Map([
  ['CERT_HAS_EXPIRED', 'its certificate has expired'],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet; check the clocks'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'its certificate is self-signed'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'its certificate was issued by an authority that this machine does not know'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'its certificate was issued by an authority that this machine does not know'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'its certificate was issued by an authority that this machine does not know'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'its certificate was issued by an authority that this machine does not know'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another host name'],
  ['CERT_SIGNATURE_FAILURE', 'the signature of its certificate is wrong'],
])

const certificateTodo = (code: string): string => {
  if (code === 'CERT_HAS_EXPIRED') return 'Ask the owner of the server to renew the certificate'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'Use the host name that the certificate is for, or ask the owner of the server for a certificate with this one'
  return 'Set MLFLOW_TRACKING_SERVER_CERT_PATH to a PEM file with the certificate of the server or of its authority'
}

/** The code of an error, or of what caused it, as node and OpenSSL name it. */
export const codeOf = (error: unknown): string => {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1)
    if ('code' in at && typeof at.code === 'string') return at.code
  return ''
}

/** For a request that got no answer at all. */
export const connectionTrouble = (what: string, host: string, error: unknown): Trouble => {
  const code = codeOf(error)
  const trouble = (why: string, todo: string, kind: TroubleKind = 'unreachable'): Trouble =>
    new Trouble({ kind, what, why, todo, cause: error })
  const certificate = certificates.get(code)
  if (certificate !== undefined)
    return trouble(`the TLS connection to ${host} failed: ${certificate}`, certificateTodo(code))
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return trouble(
      `the name of ${host} cannot be resolved (${code})`,
      'Check the host in MLFLOW_TRACKING_URI, and the DNS or VPN of this machine',
    )
  if (code === 'ECONNREFUSED')
    return trouble(
      `${host} refuses the connection: nothing listens there`,
      'Start the MLflow server, or check host and port in MLFLOW_TRACKING_URI',
    )
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH')
    return trouble(
      `${host} cannot be reached (${code})`,
      'Check the host and port in MLFLOW_TRACKING_URI, and any firewall or VPN on the way',
    )
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG' || code === 'EPROTO')
    return trouble(
      `${host} does not speak TLS there (${code})`,
      'Write http:// in the tracking URI if the server has no TLS, or use its TLS port',
    )
  if (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS'))
    return trouble(
      `the TLS connection to ${host} failed (${code})`,
      'Check MLFLOW_TRACKING_SERVER_CERT_PATH and MLFLOW_TRACKING_CLIENT_CERT_PATH',
    )
  if (code.startsWith('ERR_OSSL'))
    return trouble(
      `a certificate file cannot be used (${code})`,
      'Check the PEM files that MLFLOW_TRACKING_SERVER_CERT_PATH and MLFLOW_TRACKING_CLIENT_CERT_PATH name',
      'usage',
    )
  if (code.startsWith('HPE_'))
    return trouble(
      `${host} does not speak HTTP there (${code})`,
      'Check the port in MLFLOW_TRACKING_URI, and whether the server wants https://',
      'unexpected-answer',
    )
  if (code.startsWith('Z_'))
    return trouble(
      `the answer of ${host} cannot be unpacked (${code})`,
      'Look into the log of the server or of the proxy before it',
      'unexpected-answer',
    )
  return trouble(
    `${host} broke off the connection${code === '' ? '' : ` (${code})`}`,
    'Try again, and look into the log of the server or of the proxy before it',
  )
}
