import { isIPv4 } from 'node:net'
import { Trouble } from '../errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface EnvironmentProxy {
  readonly url: URL
  /** The variable that names it. */
  readonly variable: string
}

/** Which library reads the environment: requests for MLflow's own calls, signed URLs, Azure and Google; botocore for S3. */
export type ProxyReader = 'requests' | 'botocore'

/** The variable that decides, of the two spellings: the lower-case one where it is set. */
const spelled = (env: Environment, name: string): string => (env[name] === undefined ? name.toUpperCase() : name)

/** A value as both libraries read it: a bare `host:port` is an http proxy. Null for what is no address. */
const addressIn = (value: string): URL | null =>
  URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`)

/** botocore looks for the scheme alone, requests for ALL_PROXY, too (`botocore/httpsession.py`, `requests.utils.select_proxy`). */
const namesFor = (target: URL, by: ProxyReader): readonly string[] => {
  const own = `${target.protocol.slice(0, -1)}_proxy`
  return by === 'botocore' ? [own] : [own, 'all_proxy']
}

/**
 * The proxy that Python's requests, and so MLflow, takes for this address from the environment; undefined when it goes
 * direct. A lower-case variable wins over the upper-case one, and an empty lower-case one takes the other away, as in
 * `urllib.request.getproxies_environment`; `NO_PROXY` is read as in `requests.utils.should_bypass_proxies`.
 */
export const environmentProxy = (
  target: URL,
  env: Environment,
  by: ProxyReader = 'requests',
): EnvironmentProxy | undefined => {
  if (bypassed(target, env, by)) return undefined
  for (const name of namesFor(target, by)) {
    const variable = spelled(env, name)
    const value = env[variable]
    if (!value) continue
    const url = addressIn(value)
    if (url !== null) return { url, variable }
  }
  return undefined
}

/** The variable that names a proxy for this address by what is no address: the call fails before anything is sent. */
export const malformedProxy = (target: URL, env: Environment, by: ProxyReader): string | undefined => {
  if (bypassed(target, env, by)) return undefined
  const variable = namesFor(target, by)
    .map((name) => spelled(env, name))
    .find((name) => env[name])
  return variable !== undefined && !addressIn(env[variable] ?? '')?.hostname ? variable : undefined
}

const unsupported = (target: URL, why: string, todo: string): Trouble =>
  new Trouble({ kind: 'unsupported', what: `cannot reach ${target.origin}`, why, todo })

/** The same, where it is one that is spoken here. @throws Trouble `unsupported` for a SOCKS proxy. */
export const usableProxy = (target: URL, env: Environment, by?: ProxyReader): EnvironmentProxy | undefined => {
  const proxy = environmentProxy(target, env, by)
  if (proxy === undefined || /^https?:$/.test(proxy.url.protocol)) return proxy
  throw unsupported(
    target,
    `${proxy.variable} names a ${proxy.url.protocol.slice(0, -1)} proxy, and only http and https proxies are spoken here`,
    `Name an http proxy, or add ${target.hostname} to NO_PROXY`,
  )
}

/** Node's agents know `proxyEnv` since the versions that have this option: 22.21 and 24.5. */
const agentsKnowProxies = process.allowedNodeEnvironmentFlags.has('--use-env-proxy')

/** The proxy for this address as `proxyEnv` of a Node agent, which would judge NO_PROXY in its own way. @throws Trouble `unsupported` for a proxy that cannot be used. */
export const nodeProxy = (
  target: URL,
  env: Environment,
  by: ProxyReader = 'requests',
  known = agentsKnowProxies,
): Record<string, string> => {
  const proxy = usableProxy(target, env, by)
  if (proxy === undefined) return {}
  if (!known)
    throw unsupported(
      target,
      `${proxy.variable} names a proxy, and Node ${process.versions.node} cannot use one`,
      `Use Node 22.21, 24.5 or newer, or add ${target.hostname} to NO_PROXY`,
    )
  return { HTTP_PROXY: proxy.url.href, HTTPS_PROXY: proxy.url.href }
}

/** The proxy as it may be shown: without user and password. */
export const proxyOrigin = (proxy: EnvironmentProxy): string => `${proxy.url.protocol}//${proxy.url.host}`

/** `Proxy-Authorization` of the user and password in the variable. */
export const proxyHeaders = (proxy: EnvironmentProxy): Record<string, string> => {
  const { username, password } = proxy.url
  if (username === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` }
}

/** The hosts that NO_PROXY names, in lower case; an empty `no_proxy` does not take `NO_PROXY` away (`requests.utils`). */
export const exceptions = (env: Environment): readonly string[] => listed(env.no_proxy || env.NO_PROXY || '')

const listed = (value: string): string[] =>
  value
    .toLowerCase()
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')

/** `requests.utils.should_bypass_proxies` of 2.34.2 and `botocore.utils.should_bypass_proxies` of 1.44.5; both ask urllib, too. */
const bypassed = (target: URL, env: Environment, by: ProxyReader = 'requests'): boolean => {
  if (by === 'botocore') return exceptedByUrllib(target.host, env)
  const host = target.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  const own = exceptions(env).some((entry) =>
    isIPv4(host)
      ? entry === host || inNetwork(host, entry)
      : endsAlike([host, target.port === '' ? host : `${host}:${target.port}`], entry),
  )
  return own || exceptedByUrllib(host, env)
}

/** `urllib.request.proxy_bypass_environment`. An empty `no_proxy` takes `NO_PROXY` away here. */
const exceptedByUrllib = (host: string, env: Environment): boolean => {
  const value = (env.no_proxy ?? env.NO_PROXY ?? '').trim()
  return value === '*' || listed(value).some((entry) => endsAlike([host, host.replace(/:\d*$/, '')], entry))
}

const endsAlike = (hosts: readonly string[], entry: string): boolean => {
  const name = entry.replace(/^\.+/, '')
  return hosts.some((host) => host === name || host.endsWith(`.${name}`))
}

/** `10.0.0.0/8`: IPv4 only, as requests reads it. */
const inNetwork = (host: string, network: string): boolean => {
  const [address, bits] = network.split('/')
  const width = Number(bits)
  if (address === undefined || !isIPv4(address) || !Number.isInteger(width) || width < 1 || width > 32) return false
  const mask = width === 32 ? 0xffffffff : ~(0xffffffff >>> width) >>> 0
  return (number(host) & mask) >>> 0 === (number(address) & mask) >>> 0
}

const number = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
