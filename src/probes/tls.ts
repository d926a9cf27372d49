import { readdir, readFile } from 'node:fs/promises'
import { isIP, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import type { ConnectionOptions } from './connection.ts'
import { type Failure, PhaseError, type Role, whyTls } from './failures.ts'
import { limits } from './patience.ts'

/** Python's requests trusts the file or folder in these variables where MLflow names none; botocore reads its own. */
const bundleVariables = { tracking: ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'], store: ['AWS_CA_BUNDLE'] } as const

/** What MLflow would trust and show for this role; undefined when that is what everybody trusts. Throws `PhaseError`. */
export const trust = async (options: ConnectionOptions, role: Role): Promise<SecureContext | undefined> => {
  const { caFile, clientCertFile } = options.tls ?? {}
  const env = options.env ?? process.env
  const fallback = bundleVariables[role].find((name) => env[name])
  const named = role === 'store' ? 'AWS_CA_BUNDLE' : 'MLFLOW_TRACKING_SERVER_CERT_PATH'
  const bundle =
    caFile !== undefined ? { path: caFile, by: named } : fallback && { path: env[fallback] ?? '', by: fallback }
  const ca = bundle ? await certificates(bundle.path, bundle.by) : undefined
  const pair =
    clientCertFile === undefined ? undefined : await readPem(clientCertFile, 'MLFLOW_TRACKING_CLIENT_CERT_PATH')
  if (ca === undefined && pair === undefined) return undefined
  try {
    return createSecureContext({ ...(ca && { ca }), ...(pair !== undefined && { cert: pair, key: pair }) })
  } catch (error) {
    throw new PhaseError('tls', {
      why: `the certificate file ${clientCertFile ?? bundle?.path} cannot be used: ${(error as Error).message}`,
      todo: `Name a PEM file ${pair === undefined ? `with certificates in ${bundle?.by}` : 'that holds a certificate and its unencrypted key in MLFLOW_TRACKING_CLIENT_CERT_PATH'}`,
    })
  }
}

/** A file of certificates, or a folder of such files. */
const certificates = async (path: string, by: string): Promise<string[]> => {
  const inside = await readdir(path).catch(() => undefined)
  if (inside === undefined) return [await readPem(path, by)]
  return Promise.all(inside.map((name) => readPem(join(path, name), by)))
}

const readPem = async (path: string, by: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (error as Error).message
    throw new PhaseError('tls', {
      why: `the certificate file ${path} cannot be read: ${reason}`,
      todo: `Correct the path in ${by}`,
    })
  }
}

/** The handshake goes through whatever the certificate says, so that the reason can be told; nothing is sent before it is judged. */
export const secure = (
  socket: Socket,
  url: URL,
  trusted: SecureContext | undefined,
  role: Role,
  options: ConnectionOptions,
): Promise<TLSSocket> => {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const signal = AbortSignal.any(limits(options))
  return new Promise((resolve, reject) => {
    const fail = (failure: Failure): void => {
      tls.destroy()
      reject(new PhaseError('tls', failure))
    }
    const tls = connectTls({
      socket,
      host,
      ...(isIP(host) === 0 && { servername: host }),
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: false,
      ...(trusted && { secureContext: trusted }),
    })
    const stop = (): void => {
      if (options.signal?.aborted) {
        tls.destroy()
        reject(options.signal.reason)
      } else fail(whyTls(signal.reason, host, role))
    }
    signal.addEventListener('abort', stop, { once: true })
    tls.on('error', (error) => fail(whyTls(error, host, role)))
    const closed = (): void => fail(whyTls(Object.assign(new Error('closed'), { code: 'ECONNRESET' }), host, role))
    tls.once('close', closed)
    tls.once('secureConnect', () => {
      signal.removeEventListener('abort', stop)
      if (!tls.authorized && options.tls?.insecure !== true) {
        return fail(whyTls(tls.authorizationError, host, role, tls.getPeerCertificate()))
      }
      tls.off('close', closed)
      resolve(tls)
    })
  })
}
