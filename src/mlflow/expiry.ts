import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseIni } from './ini.ts'
import type { Settings } from './types.ts'
import type { Environment } from './variables.ts'

/** A login that ends by itself. Holds no part of the login. */
export interface Expiring {
  /** The variable, file or profile that holds it. */
  readonly name: string
  /** Who asks for it: the tracking server, or the store where the client writes there itself: S3, the Blob service, or the data lake of Azure. */
  readonly to: 'server' | 's3' | 'wasbs' | 'abfss'
  /** Milliseconds since the epoch; undefined for a temporary login that does not tell. */
  readonly at?: number
  /** What may make it last longer: continues "ends at …, unless ". */
  readonly unless?: string
  /** The line that gets a new one. */
  readonly renew?: string
}

/**
 * The logins of MLflow's client on this machine that end by themselves, as MLflow 3.17.2 and botocore 1.44 choose them.
 * What they renew on their own (assumed roles, credential_process, instance and container roles, SSO sessions with a
 * refresh token) is not among them, nor are long-lived keys. ~/.aws/cli/cache is read by the AWS command line alone.
 * Signatures for Azure end when they say so. Tokens are decoded and not verified. Reads files, starts nothing, never throws.
 */
export const expiringLogins = (of: {
  readonly settings: Pick<Settings, 'auth' | 'trackingKind'>
  readonly env: Environment
  readonly home: string
}): readonly Expiring[] => [...trackingLogin(of.settings), ...awsLogin(of.env, of.home), ...azureLogin(of.env)]

function* trackingLogin({ auth, trackingKind }: Pick<Settings, 'auth' | 'trackingKind'>): Generator<Expiring> {
  if (trackingKind !== 'server') return
  // Name and password together win over a token (rest_utils.py); behind some proxies the password is a token, too.
  const byPassword = auth.username !== undefined && auth.password !== undefined
  const [name, token] = byPassword
    ? ['the password for the tracking server', auth.password]
    : ['MLFLOW_TRACKING_TOKEN', auth.token]
  const at = token === undefined ? undefined : jwtExpiry(token)
  if (at !== undefined) yield { name, to: 'server', at }
}

/** The `exp` of a JSON Web Token (RFC 7519) in milliseconds since the epoch; undefined for anything else. */
export const jwtExpiry = (token: string): number | undefined => {
  const exp = claim(token, 'exp')
  return typeof exp === 'number' && Math.abs(exp * 1000) <= lastDate ? exp * 1000 : undefined
}

const claim = (token: string, name: string): unknown => {
  const [, payload, signature, ...more] = token.trim().split('.')
  if (payload === undefined || signature === undefined || more.length > 0) return undefined
  return field(Buffer.from(payload, 'base64url').toString('utf8'), name)
}

/** A token that names the pod it lies in: the kubelet writes a new one into the file long before it ends (kubernetes.io/docs/tasks/configure-pod-container/configure-service-account, "ServiceAccount token volume projection"). */
const isOfPod = (token: string): boolean => {
  const bound = claim(token, 'kubernetes.io')
  return typeof bound === 'object' && bound !== null && 'pod' in bound
}

/** Milliseconds since the epoch; no date lies beyond it (ECMA-262, Time Values). Tokens that are meant never to end say such things. */
const lastDate = 8.64e15

/** The end of a shared access signature is its `se` (learn.microsoft.com/rest/api/storageservices/create-account-sas). */
const signatureEnd = (query: string): number | undefined =>
  timeIn(new URLSearchParams(query.replace(/^\?/, '')).get('se'))

/** `wasbs` locations take the connection string, which may hold a signature; `abfss` ones a variable of its own (azure_data_lake_artifact_repo.py, 3.17.2). */
function* azureLogin(env: Environment): Generator<Expiring> {
  const [, inString] = /(?:^|;)\s*SharedAccessSignature=([^;]+)/i.exec(env.AZURE_STORAGE_CONNECTION_STRING ?? '') ?? []
  const found = [
    { name: 'the signature in AZURE_STORAGE_CONNECTION_STRING', to: 'wasbs', query: inString },
    { name: 'AZURE_STORAGE_SAS_TOKEN', to: 'abfss', query: env.AZURE_STORAGE_SAS_TOKEN },
  ] as const
  for (const { name, to, query } of found) {
    const at = query === undefined ? undefined : signatureEnd(query)
    if (at !== undefined) yield { name, to, at }
  }
}

/** In the order of botocore's credential chain: the first that is there is taken. */
function* awsLogin(env: Environment, home: string): Generator<Expiring> {
  // Keys in the environment win over AWS_PROFILE, too (botocore/credentials.py, create_credential_resolver).
  if (env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY) {
    if (!env.AWS_SESSION_TOKEN && !env.AWS_SECURITY_TOKEN) return
    yield temporary('AWS_SESSION_TOKEN', timeIn(env.AWS_CREDENTIAL_EXPIRATION ?? env.AWS_SESSION_EXPIRATION))
    return
  }
  const profile = env.AWS_PROFILE ?? env.AWS_DEFAULT_PROFILE ?? 'default'
  const shared = parseIni(text(env.AWS_SHARED_CREDENTIALS_FILE ?? join(home, '.aws', 'credentials')))
  const config = parseIni(text(env.AWS_CONFIG_FILE ?? join(home, '.aws', 'config')))
  const own = config.get(`profile ${profile}`) ?? config.get(profile)
  // botocore renews what it gets for a role.
  if (own?.has('role_arn')) return
  if (env.AWS_WEB_IDENTITY_TOKEN_FILE && env.AWS_ROLE_ARN) {
    const token = text(env.AWS_WEB_IDENTITY_TOKEN_FILE)
    // botocore reads the file again for each new session; a kubelet renews it, a CI job does not.
    const at = isOfPod(token) ? undefined : jwtExpiry(token)
    const unless = 'something puts a new one into that file'
    if (at !== undefined) yield { name: 'AWS_WEB_IDENTITY_TOKEN_FILE', to: 's3', at, unless }
    return
  }
  const start = own?.get('sso_start_url')
  const session = own?.get('sso_session')
  const keys = shared.get(profile)
  if ((session ?? start) !== undefined) {
    const file = `${createHash('sha1')
      .update(session ?? start ?? '')
      .digest('hex')}.json`
    const cached = text(join(home, '.aws', 'sso', 'cache', file))
    const at = timeIn(field(cached, 'expiresAt'))
    // Without sso_session, botocore knows no refresh token.
    const renewed = session !== undefined && field(cached, 'refreshToken') !== undefined
    if (at !== undefined && !renewed) {
      const unless = 'credentials were fetched with it just before, which last as long as the permission set says'
      const renew = `aws sso login --profile ${/^[\w.-]+$/.test(profile) ? profile : 'NAME'}`
      yield { name: `the SSO session of the AWS profile ${profile}`, to: 's3', at, unless, renew }
    }
    return
  }
  const kept = [keys, own].find((section) => section?.has('aws_session_token'))
  if (kept === undefined) return
  // What saml2aws, gimme-aws-creds, aws-azure-login and aws-mfa write beside the keys.
  const written = ['x_security_token_expires', 'aws_session_expiration', 'aws_expiration', 'expiration']
  yield temporary(`the AWS profile ${profile}`, timeIn(written.map((key) => kept.get(key)).find((one) => one)))
}

const temporary = (name: string, at: number | undefined): Expiring => ({
  name,
  to: 's3',
  ...(at !== undefined && { at }),
})

const timeIn = (value: unknown): number | undefined => {
  if (typeof value !== 'string') return undefined
  // aws-mfa writes "2026-11-25 18:00:00", which is UTC.
  const at = Date.parse(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(value) ? `${value.replace(' ', 'T')}Z` : value)
  return Number.isNaN(at) ? undefined : at
}

const field = (json: string, name: string): unknown => {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
  } catch {
    return undefined
  }
}

const text = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
