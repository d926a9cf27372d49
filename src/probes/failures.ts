import type { PeerCertificate } from 'node:tls'
import type { ReachPhase } from './types.ts'

/** Why a phase failed and what to do, in plain words; `why` without a full stop, `todo` as an imperative without one. */
export interface Failure {
  readonly why: string
  readonly todo: string
}

/** Whose settings a remedy names: MLflow's for the tracking server, those of the S3 client for the store. */
/** Who is spoken to: the tracking server, S3, Azure Blob Storage, Google Cloud Storage. */
export type Role = 'tracking' | 'store' | 'azure' | 'google'

interface Named {
  /** What holds the address. */
  readonly address: string
  /** The variable that names a file of trusted authorities. */
  readonly bundle: string
  /** What stops checking certificates, where the client knows such a thing. */
  readonly off?: string
}

/** MLflow hands its own switch to the client of Azure, too (azure_blob_artifact_repo.py, 3.17.2); Google's knows none. */
const byRole: Readonly<Record<Role, Named>> = {
  tracking: {
    address: 'MLFLOW_TRACKING_URI',
    bundle: 'MLFLOW_TRACKING_SERVER_CERT_PATH',
    off: 'MLFLOW_TRACKING_INSECURE_TLS=true',
  },
  store: {
    address: 'MLFLOW_S3_ENDPOINT_URL or the artifact location',
    bundle: 'AWS_CA_BUNDLE',
    off: 'MLFLOW_S3_IGNORE_TLS=true',
  },
  azure: {
    address: 'AZURE_STORAGE_CONNECTION_STRING or the artifact location',
    bundle: 'REQUESTS_CA_BUNDLE',
    off: 'MLFLOW_TRACKING_INSECURE_TLS=true',
  },
  google: { address: 'STORAGE_EMULATOR_HOST', bundle: 'REQUESTS_CA_BUNDLE' },
}

export class PhaseError extends Error {
  override readonly name = 'PhaseError'
  readonly phase: ReachPhase
  readonly failure: Failure

  constructor(phase: ReachPhase, failure: Failure) {
    super(failure.why)
    this.phase = phase
    this.failure = failure
  }
}

export interface Endpoint {
  readonly host: string
  readonly port: number
  readonly role: Role
  /** Set when the endpoint is a proxy from the environment. */
  readonly proxyVariable?: string
}

const code = (error: unknown): string => {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : name === 'TimeoutError' ? 'ETIMEDOUT' : ''
}
const words = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The variable that holds the address. */
const named = (at: Endpoint): string => at.proxyVariable ?? byRole[at.role].address

export const whyDns = (error: unknown, at: Endpoint): Failure => {
  const correct = `Correct the host in ${named(at)}, or make the name known to this machine (DNS, VPN, /etc/hosts)`
  switch (code(error)) {
    case 'ENOTFOUND':
    case 'ENODATA':
    case 'EAI_NODATA':
    case 'EAI_NONAME':
      return { why: `name not found: ${at.host} is unknown to this machine's DNS`, todo: correct }
    case 'EAI_AGAIN':
      return {
        why: `the DNS server gave no answer for ${at.host}`,
        todo: `Check this machine's DNS server and network, or ${lower(correct)}`,
      }
    case 'ETIMEDOUT':
      return { why: `looking up ${at.host} timed out`, todo: "Check this machine's DNS server and network" }
    default:
      return { why: `looking up ${at.host} failed: ${words(error)}`, todo: correct }
  }
}

export const whyTcp = (error: unknown, at: Endpoint, addresses: readonly string[]): Failure => {
  const where = `port ${at.port} of ${at.host}${addresses.length > 0 && addresses[0] !== at.host ? ` (${addresses.join(', ')})` : ''}`
  switch (code(error)) {
    case 'ECONNREFUSED':
      return {
        why: `refused: nothing listens on ${where}`,
        todo: `Start the server, or correct the port in ${named(at)}`,
      }
    case 'ETIMEDOUT':
      return {
        why: `timed out: no answer from ${where}`,
        todo: `Open the firewall or security group between this machine and ${at.host}, or name the proxy that leads there in HTTPS_PROXY or HTTP_PROXY`,
      }
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return {
        why: `no network route leads to ${where}`,
        todo: 'Join the network or VPN that the server is in, or name the proxy that leads there in HTTPS_PROXY or HTTP_PROXY',
      }
    case 'ECONNRESET':
      return {
        why: `${where} took the connection and dropped it at once`,
        todo: 'Ask whoever runs the firewall or load balancer in between',
      }
    default:
      return { why: `connecting to ${where} failed: ${words(error)}`, todo: `Check ${named(at)}` }
  }
}

export const whyTls = (error: unknown, host: string, role: Role, certificate?: PeerCertificate): Failure => {
  const { bundle, off } = byRole[role]
  const address = role === 'tracking' ? 'MLFLOW_TRACKING_URI' : 'the endpoint'
  const unchecked = off === undefined ? '' : ` (${off} stops checking altogether)`
  const trust = `Put the certificate of its authority into a PEM file and name that file in ${bundle}${unchecked}`
  const issuer = plain(certificate?.issuer?.CN ?? certificate?.issuer?.O)
  const by = issuer === undefined ? '' : ` by ${issuer}`
  // `authorizationError` is a code where OpenSSL refused, an Error where the name does not match.
  const of = typeof error === 'string' ? error : code(error)
  switch (of) {
    case 'CERT_HAS_EXPIRED':
      return {
        why: `the certificate of ${host} expired${certificate ? ` on ${day(certificate.valid_to)}` : ''}`,
        todo: `Renew the server's certificate${unchecked}`,
      }
    case 'CERT_NOT_YET_VALID':
      return {
        why: `the certificate of ${host} is valid only from ${certificate ? day(certificate.valid_from) : 'a later date'} on`,
        todo: "Check this machine's clock and the server's certificate",
      }
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return { why: `the certificate of ${host} is self-signed`, todo: trust }
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return { why: `the certificate of ${host} was issued${by}, which is not trusted here`, todo: trust }
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return {
        why: `name mismatch: the certificate is for ${plain(certificate?.subjectaltname ?? certificate?.subject?.CN) ?? 'other names'}, not for ${host}`,
        todo: `Use a name from the certificate in ${address}, or have a certificate made for ${host}`,
      }
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'ERR_SSL_HTTP_REQUEST':
    case 'EPROTO':
      return {
        why: `${host} speaks no TLS on this port, probably plain HTTP`,
        todo: `Write http:// in place of https:// in ${address}, or use the port that has TLS`,
      }
    case 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED':
    case 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE':
    case 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE':
      return {
        why: `${host} refused the handshake, as servers do that want a client certificate`,
        todo: 'Name a PEM file with certificate and key in MLFLOW_TRACKING_CLIENT_CERT_PATH',
      }
    case 'ETIMEDOUT':
      return {
        why: `timed out: ${host} took the connection and did not answer the TLS handshake`,
        todo: `Check that the port in ${address} is the one with TLS, and what stands in between`,
      }
    case 'ECONNRESET':
    case 'EPIPE':
      return {
        why: `${host} dropped the connection during the TLS handshake`,
        todo: `Check that the port in ${address} is the one with TLS, and whether a firewall filters by name`,
      }
    default:
      return { why: `the TLS handshake with ${host} failed: ${words(error)}`, todo: trust }
  }
}

const lower = (sentence: string): string => sentence.charAt(0).toLowerCase() + sentence.slice(1)

/** Names in a certificate are whatever its maker wrote. */
const plain = (value: string | string[] | undefined): string | undefined => {
  const text = Array.isArray(value) ? value.join(', ') : value
  return text?.replace(/[\x00-\x1f\x7f]/g, ' ').slice(0, 200)
}

/** `Nov  1 00:00:00 2026 GMT` gives `2026-11-01`. */
const day = (date: string): string => {
  const at = new Date(date)
  return Number.isNaN(at.getTime()) ? (plain(date) ?? '') : at.toISOString().slice(0, 10)
}
