import { Trouble } from '../errors.ts'

/** Why a connection failed and what to do, by the code that Node or OpenSSL gives. */
const known: Readonly<Record<string, readonly [why: string, todo: string]>> = {
  ECONNREFUSED: ['nothing listens there', 'Check the host and the port, and that the server runs'],
  ENOTFOUND: ['the host name is not known', 'Check the host name and the DNS'],
  EAI_AGAIN: ['the DNS did not answer', 'Check the network and the DNS'],
  EHOSTUNREACH: ['no route leads to the host', 'Check the network, the VPN and the firewall'],
  ENETUNREACH: ['no route leads to the network', 'Check the network, the VPN and the firewall'],
  ECONNRESET: ['the connection was reset', 'Try again; if it comes back, look at what stands between here and there'],
  EPIPE: [
    'the connection was closed while sending',
    'Try again; if it comes back, look at what stands between here and there',
  ],
  ETIMEDOUT: ['no answer came in time', 'Check the network and the firewall'],
  CERT_HAS_EXPIRED: ['its TLS certificate has expired', 'Have the certificate renewed'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'its TLS certificate is for another host',
    'Use the host name that the certificate names',
  ],
}
const untrusted = [
  'its TLS certificate is not trusted here',
  'Name the authority that signed it in AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS',
] as const
const byCode: typeof known = {
  ...known,
  UND_ERR_CONNECT_TIMEOUT: ['no answer came in time', 'Check the network and the firewall'],
  UND_ERR_HEADERS_TIMEOUT: [
    'the request was sent, but no answer came in time',
    'Look whether the file arrived, then try again',
  ],
  UND_ERR_BODY_TIMEOUT: ['the answer stopped in the middle', 'Try again'],
  UND_ERR_SOCKET: [
    'the connection was closed',
    'Try again; if it comes back, look at what stands between here and there',
  ],
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
}

/** Libraries wrap what the system said; the first known code on the way down decides. */
const codesIn = (error: unknown, depth = 0): string[] => {
  if (!(error instanceof Error) || depth > 5) return []
  const own = 'code' in error && typeof error.code === 'string' ? [error.code] : []
  const inner = error instanceof AggregateError ? error.errors.flatMap((each) => codesIn(each, depth + 1)) : []
  const timeOut = error.name === 'TimeoutError' ? ['ETIMEDOUT'] : []
  return [...own, ...inner, ...codesIn(error.cause, depth + 1), ...timeOut]
}

/** `unreachable`, when what was thrown tells of the network; undefined otherwise. `where` is an origin, never a signed URL. */
export const networkTrouble = (what: string, where: string, error: unknown): Trouble | undefined => {
  for (const code of codesIn(error)) {
    const found = byCode[code]
    if (found === undefined) continue
    const [why, todo] = found
    return new Trouble({ kind: 'unreachable', what, why: `${where}: ${why} (${code})`, todo, cause: error })
  }
  return undefined
}
