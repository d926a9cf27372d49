import { Trouble } from '../errors.ts'
import { withoutSecrets } from '../mlflow/location.ts'
import { join, safePath } from './path.ts'

const artifactsApi = '/api/2.0/mlflow-artifacts/artifacts'

const unsupported = (location: string, why: string, todo: string): Trouble =>
  new Trouble({ kind: 'unsupported', what: `cannot reach the artifacts at ${withoutSecrets(location)}`, why, todo })

/**
 * The path below the server's artifact root that a proxied location stands for, without slashes at its ends. Locations are
 * `mlflow-artifacts:/path`, `mlflow-artifacts://host/path` and the full http address of the server's artifact API.
 * Throws `Trouble` (`unsupported`) when another host than the tracking server's would serve it: the login is for that one alone.
 */
export const proxiedRoot = (location: string, trackingUri: string): string => {
  const match = /^(mlflow-artifacts|https?):(?:\/\/([^/?#]*))?([^?#]*)/i.exec(location)
  const [scheme, host, rest] = [match?.[1]?.toLowerCase(), match?.[2] ?? '', match?.[3] ?? '']
  if (scheme === undefined) throw unsupported(location, 'it does not go through a tracking server', 'Check the address')
  const server = new URL(trackingUri)
  if (host !== '' && host !== server.host) {
    const todo = `Set MLFLOW_TRACKING_URI to the server at ${withoutSecrets(host)}`
    throw unsupported(location, `it is served by another host than ${server.host}`, todo)
  }
  const at = rest.indexOf(artifactsApi)
  if (scheme !== 'mlflow-artifacts' && at < 0) {
    throw unsupported(location, 'it is a web address, but not one of the artifact API', 'Check the address')
  }
  const path = (at < 0 ? rest : rest.slice(at + artifactsApi.length)).replace(/^\/+|\/+$/g, '')
  return path === '' ? '' : safePath(path)
}

/** Why MLflow's server cannot hold this name, or undefined (`validate_path_is_safe` of 3.17.2: it decodes percent signs once more, and refuses `#`). */
const beyondServer = (path: string): string | undefined => {
  if (path.includes('#')) return 'an MLflow server refuses names with a number sign'
  if (/%[0-9a-f]{2}/i.test(path)) return 'an MLflow server would take the percent sign for an escape'
  return undefined
}

/** The addresses of one artifact root in a tracking server's REST API. */
export const proxiedPaths = (root: string) => {
  const within = (path: string): string => {
    const why = beyondServer(path)
    if (why === undefined) return join(root, safePath(path))
    throw new Trouble({
      kind: 'unsupported',
      what: `cannot use the name ${JSON.stringify(path.slice(0, 200))} through the tracking server`,
      why,
      todo: 'Rename the file',
    })
  }
  const encoded = (path: string): string => path.split('/').map(encodeURIComponent).join('/')
  return {
    within,
    /** True for what the server may list and never gives out. */
    beyond: (path: string): boolean => beyondServer(path) !== undefined,
    file: (path: string): string => `${artifactsApi}/${encoded(within(path))}`,
    signedDownload: (path: string): string => `/api/2.0/mlflow-artifacts/presigned/${encoded(within(path))}`,
    multipart: (step: 'create' | 'complete' | 'abort', path: string): string => {
      const full = within(path)
      const folder = full.includes('/') ? `/${encoded(full.slice(0, full.lastIndexOf('/')))}` : ''
      return `/api/2.0/mlflow-artifacts/mpu/${step}${folder}`
    },
  }
}

export type ProxiedPaths = ReturnType<typeof proxiedPaths>
