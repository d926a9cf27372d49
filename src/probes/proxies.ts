/** Which proxy the environment names for each host that an upload speaks to, by the library that speaks to it. Asks nobody. */
import { isIPv4 } from 'node:net'
import { environmentProxy, exceptions, malformedProxy, type ProxyReader, proxyOrigin } from './environment-proxy.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface ProxiedHop {
  readonly role: 'tracking' | 'store'
  /** With the port, where it is not the usual one. */
  readonly host: string
  /** As both libraries match it in NO_PROXY: without a port, which requests does not read beside an address. */
  readonly exception: string
  readonly by: ProxyReader
  /** Without user and password; absent where the hop goes direct. */
  readonly proxy?: { readonly origin: string; readonly variable: string; readonly socks: boolean }
  /** The variable that names a proxy for this hop by what is no address. */
  readonly malformed?: string
  /** True for a host of this machine or of a private network: loopback, RFC 1918, a name without a dot or below .local, .internal. */
  readonly near: boolean
  /** What the other library would do with this host, where ALL_PROXY or an entry of NO_PROXY says it to that library alone. */
  readonly otherwise?: 'direct' | 'through a proxy'
}

export interface ProxyPlan {
  readonly hops: readonly ProxiedHop[]
  /** Pairs of a lower-case and an upper-case variable that say different things. */
  readonly doubled: readonly string[]
  /** Entries of NO_PROXY that match no host as they are written: `*.corp`, `http://corp`. */
  readonly unmatched: readonly string[]
  /** The variable that NO_PROXY is read from: `no_proxy` where that is set. */
  readonly exceptionsFrom: 'no_proxy' | 'NO_PROXY'
}

export const proxyPlan = (
  targets: readonly { readonly role: ProxiedHop['role']; readonly url: string; readonly by: ProxyReader }[],
  env: Environment,
): ProxyPlan => ({
  hops: targets.map(({ role, url, by }) => hop(role, new URL(url), by, env)),
  doubled: ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'].filter((name) => {
    const [lower, upper] = [env[name], env[name.toUpperCase()]]
    return lower !== undefined && upper !== undefined && lower !== upper
  }),
  unmatched: exceptions(env).filter((entry) => entry !== '*' && /[*\s]|:\/\//.test(entry)),
  exceptionsFrom: env.no_proxy ? 'no_proxy' : 'NO_PROXY',
})

const hop = (role: ProxiedHop['role'], url: URL, by: ProxyReader, env: Environment): ProxiedHop => {
  const found = environmentProxy(url, env, by)
  const malformed = malformedProxy(url, env, by)
  const other = environmentProxy(url, env, by === 'requests' ? 'botocore' : 'requests')
  // `address:port` in NO_PROXY, which botocore reads and requests does not, is meant for just this hop.
  const meant = found === undefined && other !== undefined && !/^all_proxy$/i.test(other.variable)
  const differs = (found === undefined) !== (other === undefined) && malformed === undefined && !meant
  return {
    role,
    host: url.host,
    exception: url.hostname.replace(/^\[|\]$/g, ''),
    by,
    near: isNear(url.hostname.replace(/^\[|\]$/g, '')),
    ...(found && {
      proxy: { origin: proxyOrigin(found), variable: found.variable, socks: /^socks/.test(found.url.protocol) },
    }),
    ...(malformed !== undefined && { malformed }),
    ...(differs && { otherwise: other === undefined ? ('direct' as const) : ('through a proxy' as const) }),
  }
}

const isNear = (host: string): boolean =>
  isIPv4(host)
    ? /^(?:127|10)\.|^192\.168\.|^172\.(?:1[6-9]|2\d|3[01])\./.test(host)
    : host === '::1' ||
      /^(?:f[cd][0-9a-f]{2}|fe80):/i.test(host) ||
      !/[.:]/.test(host) ||
      /\.(?:local|internal)$/i.test(host)
