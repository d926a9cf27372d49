import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Trouble } from '../errors.ts'
import type { Settings } from './types.ts'
import type { Environment } from './variables.ts'

/** What Node's agents, undici's connectors and TLS contexts take. */
export interface Trust {
  readonly rejectUnauthorized: boolean
  readonly ca?: string[]
  readonly cert?: string
  readonly key?: string
}

const unreadable = (path: string, by: string, cause: unknown): Trouble => {
  const { code, message } = cause as NodeJS.ErrnoException
  return new Trouble({
    kind: 'usage',
    what: `cannot read the certificate file that ${by} names`,
    why: `the certificate file ${path} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : message}`,
    todo: `Correct the path in ${by}`,
    cause,
  })
}

/** requests and botocore take a folder of certificates, too; what is no file in it, such as a broken link, OpenSSL passes over. */
const certificates = (path: string, by: string): string[] => {
  try {
    if (!statSync(path).isDirectory()) return [readFileSync(path, 'utf8')]
    return readdirSync(path)
      .map((name) => join(path, name))
      .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile())
      .map((file) => readFileSync(file, 'utf8'))
  } catch (cause) {
    throw unreadable(path, by, cause)
  }
}

const pair = (path: string): Pick<Trust, 'cert' | 'key'> => {
  try {
    // One file holds both, as requests expects of a single path.
    const both = readFileSync(path, 'utf8')
    return { cert: both, key: both }
  } catch (cause) {
    throw unreadable(path, 'MLFLOW_TRACKING_CLIENT_CERT_PATH', cause)
  }
}

/**
 * What is trusted and shown where these settings hold: a CA file takes the place of the usual authorities, as in requests
 * and botocore, and is not looked at where nothing is checked.
 * @throws Trouble `usage` for a file that cannot be read.
 */
export const trustOf = ({ insecure, caFile, caVariable, clientCertFile }: Settings['tls']): Trust => ({
  rejectUnauthorized: !insecure,
  ...(caFile === undefined || insecure
    ? {}
    : { ca: certificates(caFile, caVariable ?? 'MLFLOW_TRACKING_SERVER_CERT_PATH') }),
  ...(clientCertFile === undefined ? {} : pair(clientCertFile)),
})

const filesBy = (names: readonly string[], insecure: boolean, env: Environment): Settings['tls'] => {
  const caVariable = names.find((name) => env[name])
  const caFile = caVariable === undefined ? undefined : env[caVariable]
  return { insecure, ...(caFile === undefined || caVariable === undefined ? {} : { caFile, caVariable }) }
}

/** What boto3 reads for the store itself, in this order (botocore/configprovider.py, endpoint.py). */
export const storeTls = ({ s3 }: Pick<Settings, 's3'>, env: Environment): Settings['tls'] =>
  filesBy(['AWS_CA_BUNDLE', 'REQUESTS_CA_BUNDLE'], s3.ignoreTls, env)

/** What requests reads for an address that the server signed; MLFLOW_S3_IGNORE_TLS counts there from MLflow 3.15 on. */
export const signedTls = ({ s3 }: Pick<Settings, 's3'>, env: Environment): Settings['tls'] =>
  filesBy(['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'], s3.ignoreTls, env)

/** What requests reads where it speaks to Azure or Google itself. */
export const cloudTls = (env: Environment): Settings['tls'] =>
  filesBy(['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'], false, env)
