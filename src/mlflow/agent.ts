import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Duplex } from 'node:stream'
import { nodeProxy } from '../probes/environment-proxy.ts'
import { trustOf } from './trust.ts'
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

/**
 * The agent for all requests to the tracking server, with the certificates that MLflow's client would use, and through the
 * proxy that the environment names.
 * @throws Trouble `usage` for a certificate file that cannot be read, `unsupported` for a proxy that cannot be used.
 */
export const agentFor = (uri: string, tls: Settings['tls'], env: Environment): HttpAgent | HttpsAgent => {
  const options = { keepAlive: true, proxyEnv: nodeProxy(new URL(uri), env) }
  if (!uri.startsWith('https:')) return new LeashedHttpAgent(options)
  return new LeashedHttpsAgent({ ...options, ...trustOf(tls) })
}
