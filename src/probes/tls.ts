import { isIP, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import { Trouble } from '../errors.ts'
import { type Trust, trustOf } from '../mlflow/trust.ts'
import type { ConnectionOptions } from './connection.ts'
import { type Failure, PhaseError, type Role, whyTls } from './failures.ts'
import { limits } from './patience.ts'

/** What MLflow would trust and show; undefined when that is what everybody trusts. Throws `PhaseError`. */
export const trust = (files: ConnectionOptions['tls']): SecureContext | undefined => {
  if (files === undefined) return undefined
  const { ca, cert, key } = read(files)
  if (ca === undefined && cert === undefined) return undefined
  try {
    return createSecureContext({ ...(ca && { ca }), ...(cert !== undefined && { cert, key }) })
  } catch (error) {
    const { caFile, caVariable, clientCertFile } = files
    throw new PhaseError('tls', {
      why: `the certificate file ${clientCertFile ?? caFile} cannot be used: ${(error as Error).message}`,
      todo: `Name a PEM file ${cert === undefined ? `with certificates in ${caVariable ?? 'MLFLOW_TRACKING_SERVER_CERT_PATH'}` : 'that holds a certificate and its unencrypted key in MLFLOW_TRACKING_CLIENT_CERT_PATH'}`,
    })
  }
}

const read = (files: NonNullable<ConnectionOptions['tls']>): Trust => {
  try {
    return trustOf(files)
  } catch (error) {
    if (error instanceof Trouble) throw new PhaseError('tls', { why: error.why, todo: error.todo })
    throw error
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
