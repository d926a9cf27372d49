import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseIni } from './ini.ts'
import type { Environment } from './variables.ts'

/** For variables known by the look of their name alone: a short value is a switch rather than a secret. */
const shortestGuess = 8

const known = [
  'MLFLOW_TRACKING_PASSWORD',
  'MLFLOW_TRACKING_TOKEN',
  'MLFLOW_FLASK_SERVER_SECRET_KEY',
  'MLFLOW_AUTH_ADMIN_PASSWORD',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_SECURITY_TOKEN',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN',
  'AZURE_STORAGE_CONNECTION_STRING',
  'AZURE_STORAGE_ACCESS_KEY',
  'AZURE_STORAGE_KEY',
  'AZURE_STORAGE_SAS_TOKEN',
  'AZURE_CLIENT_SECRET',
  'GOOGLE_OAUTH_ACCESS_TOKEN',
  'DATABRICKS_TOKEN',
]
const looksSecret = /(^|_)(PASSWORD|PASSWD|SECRET|TOKEN|SECRET_KEY|ACCESS_KEY|ACCOUNT_KEY|API_KEY|PRIVATE_KEY|SAS)$/i
const secretKeys = /^(.*password|.*token|aws_secret_access_key|.*secret.*|.*account_?key)$/i

const readable = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** A password may hold what a URL may not, such as a slash or an @; digits and then a slash are a port and a path. */
const logins = /[a-z][a-z0-9+.-]*:\/\/([^\s/:@?#]*):(?!\d+(?:[/?#\s]|$))(\S+)@/gi

const userinfo = function* (text: string): Generator<string> {
  for (const [, user = '', longest = ''] of text.matchAll(logins)) {
    for (const password of new Set([longest, longest.replace(/@.*$/, '')])) {
      yield password
      try {
        yield decodeURIComponent(password)
        yield Buffer.from(`${decodeURIComponent(user)}:${decodeURIComponent(password)}`).toString('base64')
      } catch {
        // Malformed escapes: the value as written is already in the list.
      }
    }
  }
}

const gathered = function* (env: Environment, home: string, texts: readonly string[]): Generator<string> {
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue
    if (known.includes(name)) yield value
    else if (looksSecret.test(name) && value.length >= shortestGuess) yield value
    yield* userinfo(value)
  }
  for (const text of texts) yield* userinfo(text)
  for (const [, key] of (env.AZURE_STORAGE_CONNECTION_STRING ?? '').matchAll(
    /(?:AccountKey|SharedAccessSignature)=([^;]+)/gi,
  ))
    yield key ?? ''
  for (const [, key] of (env.MLFLOW_S3_UPLOAD_EXTRA_ARGS ?? '').matchAll(
    /"(?:SSECustomerKey|CopySourceSSECustomerKey)"\s*:\s*"([^"]+)"/g,
  ))
    yield key ?? ''

  const inis = [
    join(home, '.mlflow', 'credentials'),
    env.AWS_SHARED_CREDENTIALS_FILE ?? join(home, '.aws', 'credentials'),
    env.AWS_CONFIG_FILE ?? join(home, '.aws', 'config'),
  ]
  for (const file of inis)
    for (const section of parseIni(readable(file)).values())
      for (const [key, value] of section) if (secretKeys.test(key)) yield value
  for (const [, password] of readable(env.NETRC ?? join(home, '.netrc')).matchAll(/\bpassword\s+(\S+)/g))
    yield password ?? ''
  for (const [, key] of readable(env.GOOGLE_APPLICATION_CREDENTIALS ?? '').matchAll(
    /"(?:private_key|client_secret|refresh_token)"\s*:\s*"([^"]+)"/g,
  ))
    yield key ?? ''
}

/**
 * Every secret value within reach of this process, for the redactor: passwords, tokens and keys from the environment, from the
 * credentials files of MLflow, AWS, Google and netrc, and from user:password@ in any variable or in `texts` (such as a tracking
 * URI given on the command line). Also the form that a login has in a Basic header. Never throws.
 */
export const secretsOf = (around: { env: Environment; home: string; texts?: readonly string[] }): string[] => {
  const found = new Set([...gathered(around.env, around.home, around.texts ?? [])])
  const credentials = parseIni(readable(join(around.home, '.mlflow', 'credentials'))).get('mlflow')
  const user = around.env.MLFLOW_TRACKING_USERNAME || credentials?.get('mlflow_tracking_username')
  const password = around.env.MLFLOW_TRACKING_PASSWORD || credentials?.get('mlflow_tracking_password')
  if (user && password) found.add(Buffer.from(`${user}:${password}`).toString('base64'))
  return [...found].filter((one) => one !== '')
}
