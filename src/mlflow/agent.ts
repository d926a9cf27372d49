import { readdirSync, readFileSync, statSync } from 'node:fs'
import { Agent as HttpAgent } from 'node:http'
import { type AgentOptions, Agent as HttpsAgent } from 'node:https'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { Trouble } from '../errors.ts'
import type { Settings } from './types.ts'
import type { Environment } from './variables.ts'

/** Milliseconds for DNS, TCP and TLS together. A server that is there answers in far less; one that is not must be told soon. */
const connectTimeoutMs = 10_000

/** Destroys a socket that is not connected in time. */
const onLeash = <S extends Duplex | null | undefined>(socket: S, connected: string): S => {
  if (!socket) return socket
  const timer = setTimeout(() => {
    socket.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' }))
  }, connectTimeoutMs)
  const stop = (): void => clearTimeout(timer)
  socket.once(connected, stop).once('close', stop)
  return socket
}

class LeashedHttpAgent extends HttpAgent {
  override createConnection(...args: Parameters<HttpAgent['createConnection']>) {
    return onLeash(super.createConnection(...args), 'connect')
  }
}

class LeashedHttpsAgent extends HttpsAgent {
  override createConnection(...args: Parameters<HttpsAgent['createConnection']>) {
    return onLeash(super.createConnection(...args), 'secureConnect')
  }
}

const pem = (path: string, variable: string): string => {
  try {
    if (!statSync(path).isDirectory()) return readFileSync(path, 'utf8')
    // requests takes a folder of certificates, too.
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => readFileSync(join(path, entry.name), 'utf8'))
      .join('\n')
  } catch (cause) {
    throw new Trouble({
      kind: 'usage',
      what: `cannot read the certificate file that ${variable} names`,
      why: `the system says ${(cause as NodeJS.ErrnoException).code ?? 'nothing more'}`,
      todo: `Set ${variable} to the path of a readable PEM file`,
      cause,
    })
  }
}

/**
 * The agent for all requests to the tracking server, with the certificates that MLflow's client would use, and through the
 * proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name, as requests does. Node knows `proxyEnv` from 22.21 and 24.5 on; an
 * older one goes straight.
 */
export const agentFor = (uri: string, tls: Settings['tls'], env: Environment): HttpAgent | HttpsAgent => {
  const proxyEnv = { ...env }
  if (!uri.startsWith('https:')) return new LeashedHttpAgent({ keepAlive: true, proxyEnv })
  const client =
    tls.clientCertFile === undefined ? undefined : pem(tls.clientCertFile, 'MLFLOW_TRACKING_CLIENT_CERT_PATH')
  const options: AgentOptions = {
    keepAlive: true,
    proxyEnv,
    rejectUnauthorized: !tls.insecure,
    ...(tls.caFile === undefined ? {} : { ca: pem(tls.caFile, 'MLFLOW_TRACKING_SERVER_CERT_PATH') }),
    // One file holds both, as requests expects of a single path.
    ...(client === undefined ? {} : { cert: client, key: client }),
  }
  return new LeashedHttpsAgent(options)
}
