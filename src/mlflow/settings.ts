import { readFileSync, statSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { Trouble } from '../errors.ts'
import { longestTimerMs } from '../timers.ts'
import { azureSettings, googleSettings, transferTimeout } from './clouds.ts'
import { type Ini, parseIni } from './ini.ts'
import { netrcLogin } from './netrc.ts'
import { defaultTrackingUri, parseTrackingUri } from './tracking-uri.ts'
import type { SettingSource, Settings } from './types.ts'
import { choiceOf, type Environment, flagOf, integerOf, objectOf, textOf } from './variables.ts'

/** What the command line says; each wins over the environment. */
export interface SettingsFlags {
  readonly trackingUri?: string | undefined
  /** Digits alone are an id, anything else is a name. */
  readonly experiment?: string | undefined
  readonly artifactsDestination?: string | undefined
  readonly trustHosts?: readonly string[] | undefined
}

export interface Surroundings {
  readonly env: Environment
  readonly cwd: string
  /** The user's home folder. */
  readonly home: string
  readonly flags?: SettingsFlags | undefined
}

/** The text of a file that may be missing. @throws Trouble `usage` when it is there and cannot be read. */
const optionalFile = (path: string, name: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new Trouble({
      kind: 'usage',
      what: `cannot read ${name}`,
      why: `the system says ${code ?? 'nothing more'}`,
      todo: `Make ${name} readable for this user, or remove it`,
      cause,
    })
  }
}

type Note = (name: string, from: SettingSource['from']) => void
type Login = { username?: string; password?: string; token?: string }

/**
 * The login that MLflow's client ends up sending. `requests` lets a netrc entry win over user:password@ in the URI, and
 * both over the header that MLflow makes of its own variables; a password file fills in what the variables leave out.
 */
const login = (around: Surroundings, uri: ReturnType<typeof parseTrackingUri>, note: Note): Login => {
  const { env, home } = around
  const netrc = env.NETRC ?? join(home, '.netrc')
  const text = optionalFile(netrc, 'the netrc file')
  const found = text === undefined ? undefined : netrcLogin(text, new URL(uri.uri).hostname)
  if (found) {
    note('netrc', 'file')
    return found
  }
  if (uri.username !== undefined || uri.password !== undefined) {
    note('user and password in the tracking URI', 'uri')
    return { username: uri.username ?? '', password: uri.password ?? '' }
  }
  const file = parseIni(optionalFile(join(home, '.mlflow', 'credentials'), '~/.mlflow/credentials') ?? '').get('mlflow')
  const one = (name: string): string | undefined => {
    if (env[name]) {
      note(name, 'environment')
      return env[name]
    }
    const value = file?.get(name.toLowerCase())
    if (value) note('~/.mlflow/credentials', 'file')
    return value || undefined
  }
  const username = one('MLFLOW_TRACKING_USERNAME')
  const password = one('MLFLOW_TRACKING_PASSWORD')
  const token = env.MLFLOW_TRACKING_TOKEN || undefined
  if (token !== undefined) note('MLFLOW_TRACKING_TOKEN', 'environment')
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(token === undefined ? {} : { token }),
  }
}

const refusePlugins = (env: Environment): void => {
  const variable = flagOf(env, 'MLFLOW_TRACKING_AWS_SIGV4')
    ? 'MLFLOW_TRACKING_AWS_SIGV4'
    : env.MLFLOW_TRACKING_AUTH
      ? 'MLFLOW_TRACKING_AUTH'
      : undefined
  if (variable !== undefined)
    throw new Trouble({
      kind: 'unsupported',
      what: 'cannot log in to the tracking server',
      why: `${variable} names a login that is made by a Python plugin`,
      todo: `Unset ${variable} for mlflow-doctor and give it a login by MLFLOW_TRACKING_TOKEN, or by MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD`,
    })
}

const tls = ({ env, cwd }: Surroundings, note: Note): Settings['tls'] => {
  const insecure = flagOf(env, 'MLFLOW_TRACKING_INSECURE_TLS') ?? false
  if (insecure) note('MLFLOW_TRACKING_INSECURE_TLS', 'environment')
  const file = (name: string): string | undefined => {
    const path = env[name]
    if (!path) return undefined
    const full = isAbsolute(path) ? path : resolve(cwd, path)
    if (!statSync(full, { throwIfNoEntry: false }))
      throw new Trouble({
        kind: 'usage',
        what: `cannot read the file that ${name} names`,
        why: 'it does not exist',
        todo: `Set ${name} to the path of a PEM file, or unset it`,
      })
    note(name, 'environment')
    return full
  }
  const own = file('MLFLOW_TRACKING_SERVER_CERT_PATH')
  if (insecure && own !== undefined)
    throw new Trouble({
      kind: 'usage',
      what: 'cannot decide how to check the certificate of the tracking server',
      why: 'MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH are both set, which MLflow refuses',
      todo: 'Unset MLFLOW_TRACKING_INSECURE_TLS',
    })
  // requests looks at these two only where neither MLflow variable speaks (Session.merge_environment_settings).
  const caVariable =
    own !== undefined
      ? 'MLFLOW_TRACKING_SERVER_CERT_PATH'
      : ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'].find((name) => !insecure && env[name])
  const caFile = own ?? (caVariable === undefined ? undefined : file(caVariable))
  const clientCertFile = file('MLFLOW_TRACKING_CLIENT_CERT_PATH')
  return {
    insecure,
    ...(caFile === undefined || caVariable === undefined ? {} : { caFile, caVariable }),
    ...(clientCertFile === undefined ? {} : { clientCertFile }),
  }
}

const awsProfile = ({ env, home }: Surroundings): ReadonlyMap<string, string> | undefined => {
  const ini: Ini = parseIni(
    optionalFile(env.AWS_CONFIG_FILE ?? join(home, '.aws', 'config'), 'the AWS configuration file') ?? '',
  )
  const profile = env.AWS_PROFILE ?? env.AWS_DEFAULT_PROFILE ?? 'default'
  return ini.get(`profile ${profile}`) ?? ini.get(profile)
}

const s3 = (around: Surroundings, note: Note): Settings['s3'] => {
  const { env } = around
  const profile = awsProfile(around)
  const first = (names: readonly string[], key: string): string | undefined => {
    const name = names.find((one) => env[one])
    if (name !== undefined) {
      note(name, 'environment')
      return env[name]
    }
    const value = profile?.get(key) || undefined
    if (value !== undefined) note('the AWS configuration file', 'file')
    return value
  }
  // boto3 reads the last two itself, and not when this switch is on.
  const configured = flagOf(env, 'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS') ?? false
  const endpoint = configured
    ? textOf(env, 'MLFLOW_S3_ENDPOINT_URL')
    : first(['MLFLOW_S3_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'], 'endpoint_url')
  if (endpoint !== undefined && !/^https?:\/\/[^/]/i.test(endpoint))
    throw new Trouble({
      kind: 'usage',
      what: 'cannot use the S3 endpoint',
      why: 'it does not begin with http:// or https:// and a host',
      todo: 'Set MLFLOW_S3_ENDPOINT_URL to a URL such as https://minio.example.com:9000',
    })
  const region = first(['AWS_DEFAULT_REGION', 'AWS_REGION'], 'region')
  const checksums = first(['AWS_REQUEST_CHECKSUM_CALCULATION'], 'request_checksum_calculation')?.toLowerCase()
  const ignoreTls = flagOf(env, 'MLFLOW_S3_IGNORE_TLS') ?? false
  if (ignoreTls) note('MLFLOW_S3_IGNORE_TLS', 'environment')
  const addressing = choiceOf(env, 'MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE', ['auto', 'path', 'virtual'] as const)
  if (addressing !== undefined) note('MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE', 'environment')
  const extraArgs = objectOf(env, 'MLFLOW_S3_UPLOAD_EXTRA_ARGS')
  if (Object.keys(extraArgs).length > 0) note('MLFLOW_S3_UPLOAD_EXTRA_ARGS', 'environment')
  const expectedBucketOwner = textOf(env, 'MLFLOW_S3_EXPECTED_BUCKET_OWNER')
  if (expectedBucketOwner !== undefined) note('MLFLOW_S3_EXPECTED_BUCKET_OWNER', 'environment')
  return {
    ignoreTls,
    addressing: addressing ?? 'auto',
    extraArgs,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(expectedBucketOwner === undefined ? {} : { expectedBucketOwner }),
    ...(checksums === undefined ? {} : { checksums }),
  }
}

const experiment = ({ env, flags }: Surroundings, note: Note): Settings['experiment'] => {
  if (flags?.experiment !== undefined) {
    note('--experiment', 'flag')
    return /^\d+$/.test(flags.experiment) ? { id: flags.experiment } : { name: flags.experiment }
  }
  if (env.MLFLOW_EXPERIMENT_NAME) {
    note('MLFLOW_EXPERIMENT_NAME', 'environment')
    return { name: env.MLFLOW_EXPERIMENT_NAME }
  }
  if (env.MLFLOW_EXPERIMENT_ID) {
    note('MLFLOW_EXPERIMENT_ID', 'environment')
    return { id: env.MLFLOW_EXPERIMENT_ID }
  }
  return { id: '0' }
}

/**
 * The settings that MLflow's own client would find in these surroundings (environment_variables.py, utils/credentials.py and
 * utils/rest_utils.py of 3.17.2). Reads files, changes nothing, asks no server.
 * @throws Trouble `usage` for a value that cannot be used, by the name of the variable and without its value; `unsupported` for a tracking store of another kind.
 */
export const readSettings = (around: Surroundings): Settings => {
  const { env, cwd, flags } = around
  const sources: SettingSource[] = []
  const note: Note = (name, from) => {
    if (!sources.some((one) => one.name === name)) sources.push({ name, from })
  }
  if (flags?.trackingUri) note('--tracking-uri', 'flag')
  else if (env.MLFLOW_TRACKING_URI) note('MLFLOW_TRACKING_URI', 'environment')
  const given = flags?.trackingUri || env.MLFLOW_TRACKING_URI
  const uri = given ? parseTrackingUri(given, cwd) : defaultTrackingUri(cwd)
  if (uri.kind === 'server') refusePlugins(env)

  const whole = (name: string, smallest: number, otherwise: number): number => {
    const value = integerOf(env, name, smallest)
    if (value !== undefined) note(name, 'environment')
    return value ?? otherwise
  }
  const auth = uri.kind === 'server' ? login(around, uri, note) : {}
  const workspace = textOf(env, 'MLFLOW_WORKSPACE')
  if (workspace !== undefined) note('MLFLOW_WORKSPACE', 'environment')
  const runId = textOf(env, 'MLFLOW_RUN_ID')
  if (runId !== undefined) note('MLFLOW_RUN_ID', 'environment')
  const proxyMultipart = flagOf(env, 'MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD')
  if (proxyMultipart !== undefined) note('MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD', 'environment')
  if (flags?.artifactsDestination !== undefined) note('--artifacts-destination', 'flag')
  if (flags?.trustHosts?.length) note('--trust-host', 'flag')
  const transferTimeoutMs = transferTimeout(env, note)
  return {
    trackingUri: uri.uri,
    trackingKind: uri.kind,
    auth,
    tls: tls(around, note),
    ...(workspace === undefined ? {} : { workspace }),
    requestTimeoutMs: Math.min(whole('MLFLOW_HTTP_REQUEST_TIMEOUT', 1, 120) * 1000, longestTimerMs),
    experiment: experiment(around, note),
    ...(runId === undefined ? {} : { runId }),
    s3: s3(around, note),
    azure: azureSettings(env, note),
    google: googleSettings(env, note),
    ...(transferTimeoutMs === undefined ? {} : { transferTimeoutMs }),
    proxyMultipart,
    multipartMinimum: whole('MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE', 0, 524_288_000),
    multipartChunk: whole('MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE', 1, 10_485_760),
    ...(flags?.artifactsDestination === undefined ? {} : { artifactsDestination: flags.artifactsDestination }),
    trustedHosts: flags?.trustHosts ?? [],
    sources,
  }
}
