import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Trouble } from '../errors.ts'
import { decoded, localPath } from './location.ts'

/** A tracking URI with everything taken apart that MLflow takes apart. */
export interface TrackingUri {
  readonly kind: 'server' | 'sqlite' | 'folder'
  /** Without credentials; absolute; a server's without a slash at the end. */
  readonly uri: string
  readonly username?: string
  readonly password?: string
}

/** What MLflow takes when nothing is set (`_get_default_tracking_uri`, 3.17.2): `./mlruns` when a numbered folder in it has a meta.yaml, else `sqlite:///mlflow.db`. */
export const defaultTrackingUri = (cwd: string): TrackingUri => {
  const mlruns = join(cwd, 'mlruns')
  const has = (file: string): boolean => {
    try {
      return lstatSync(file) !== undefined
    } catch {
      return false
    }
  }
  let filled = false
  try {
    filled = readdirSync(mlruns, { withFileTypes: true }).some(
      (entry) => /^\d+$/.test(entry.name) && has(join(mlruns, entry.name, 'meta.yaml')),
    )
  } catch {
    filled = false
  }
  return filled
    ? { kind: 'folder', uri: pathToFileURL(mlruns).href }
    : { kind: 'sqlite', uri: `sqlite:///${join(cwd, 'mlflow.db')}` }
}

const usage = (why: string, todo: string): Trouble =>
  new Trouble({ kind: 'usage', what: 'cannot use the tracking URI', why, todo })

const unsupported = (why: string, todo: string): Trouble =>
  new Trouble({ kind: 'unsupported', what: 'cannot use the tracking URI', why, todo })

const throughServer =
  'Start `mlflow server` on that database and set MLFLOW_TRACKING_URI to the address of the server, such as http://localhost:5000'

const foreign = (scheme: string): Trouble => {
  const base = scheme.split('+')[0] ?? scheme
  if (['postgresql', 'postgres', 'mysql', 'mssql'].includes(base))
    return unsupported(`mlflow-doctor does not read ${base} databases`, throughServer)
  if (['databricks', 'databricks-uc', 'uc'].includes(base))
    return unsupported(
      'Databricks and Unity Catalog are not supported',
      'Use mlflow-doctor with a self-hosted MLflow tracking server',
    )
  if (base === 'arn')
    return unsupported(
      'an Amazon SageMaker ARN needs the sagemaker-mlflow plugin, which only Python can load',
      'Use mlflow-doctor with a self-hosted MLflow tracking server',
    )
  if (/^(?:s3|gs|wasbs?|abfss?|azblob|r2|b2|dbfs|hdfs|viewfs|s?ftp|mlflow-artifacts)$/.test(base))
    return unsupported(
      `${base}:// is an artifact store and never a tracking URI: the store is a property of each experiment (its artifact_location)`,
      'Set MLFLOW_TRACKING_URI to the tracking server, such as http://localhost:5000, and give the store to `mlflow server --artifacts-destination`',
    )
  return unsupported(
    `its scheme "${base.slice(0, 40)}" is not one of http, https, sqlite and file`,
    'Set MLFLOW_TRACKING_URI to the address of the tracking server, such as http://localhost:5000',
  )
}

const server = (text: string): TrackingUri => {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw usage('it is not a valid URL', 'Write it as http://host:port or https://host/path')
  }
  if (!/^https?:\/\/[^/]/i.test(text))
    throw usage('it names no host', 'Write it as http://host:port or https://host/path')
  const path = url.pathname.replace(/\/+$/, '')
  return {
    kind: 'server',
    uri: `${url.protocol}//${url.host}${path}`,
    ...(url.username === '' ? {} : { username: decoded(url.username) }),
    ...(url.password === '' ? {} : { password: decoded(url.password) }),
  }
}

const sqlite = (text: string, cwd: string): TrackingUri => {
  const path = /^sqlite(?:\+\w+)?:\/\/\/([^?]*)/i.exec(text)?.[1]
  if (path === undefined || path === '' || path === ':memory:')
    throw usage(
      'it names no database file',
      'Write it as sqlite:///relative/mlflow.db or sqlite:////absolute/mlflow.db',
    )
  const asWritten = isAbsolute(path) ? path : join(cwd, path)
  // SQLAlchemy 2.1 percent-decodes the file name, 2.0 does not: the file that exists decides.
  const unescaped = decoded(asWritten)
  return { kind: 'sqlite', uri: `sqlite:///${!existsSync(asWritten) && existsSync(unescaped) ? unescaped : asWritten}` }
}

/** The file of a `sqlite:` tracking URI as `parseTrackingUri` gives it. */
export const databaseFile = (uri: string): string => uri.replace(/^sqlite:\/\/\//, '')

/** @throws Trouble `usage` for what is no URI, `unsupported` for a tracking store of another kind. Never repeats the value, which may hold a password. */
export const parseTrackingUri = (text: string, cwd: string): TrackingUri => {
  if (/[\u0000-\u001f\u007f]/.test(text)) throw usage('it holds control characters', 'Write it on one line')
  if (['databricks', 'databricks-uc', 'uc'].includes(text)) throw foreign(text)
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(text)?.[1]?.toLowerCase()
  if (scheme === 'http' || scheme === 'https') return server(text)
  if (scheme === 'file') return { kind: 'folder', uri: pathToFileURL(resolve(cwd, localPath(text, cwd))).href }
  if (scheme?.startsWith('sqlite')) return sqlite(text, cwd)
  if (scheme !== undefined && /^[\w.-]+:\d+(\/|$)/.test(text))
    throw usage('the scheme is missing', 'Write http:// or https:// before the host')
  if (scheme !== undefined) throw foreign(scheme)
  const folder = resolve(cwd, text)
  if (!(statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false))
    throw usage(
      'it is neither a URI nor an existing folder',
      'Set MLFLOW_TRACKING_URI to the address of the tracking server, such as http://localhost:5000',
    )
  return { kind: 'folder', uri: pathToFileURL(folder).href }
}
