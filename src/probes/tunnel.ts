import { type IncomingMessage, request } from 'node:http'
import type { Socket } from 'node:net'
import { type EnvironmentProxy, proxyHeaders, proxyOrigin } from './environment-proxy.ts'
import { PhaseError } from './failures.ts'

/** A tunnel through a forward proxy, by CONNECT. Throws `PhaseError` of the phase `tcp` when the proxy refuses. */
export const tunnel = (
  socket: Socket,
  url: URL,
  proxy: EnvironmentProxy,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<Socket> => {
  const to = `${url.hostname}:${url.port || 443}`
  const by = `the proxy ${proxyOrigin(proxy)} (from ${proxy.variable})`
  return new Promise((resolve, reject) => {
    const timeout = AbortSignal.timeout(timeoutMs)
    const ask = request({
      createConnection: () => socket,
      method: 'CONNECT',
      path: to,
      headers: { host: to, ...proxyHeaders(proxy) },
      signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
    })
    const refuse = (why: string, todo: string): void => reject(new PhaseError('tcp', { why, todo }))
    const judge = (response: IncomingMessage): void => {
      ask.destroy()
      const noProxy = `add ${url.hostname} to NO_PROXY if it can be reached without it`
      if (response.statusCode === 407) {
        refuse(
          `${by} wants a user and a password (407)`,
          `Write them into ${proxy.variable} as http://user:password@host, or ${noProxy}`,
        )
      } else {
        refuse(
          `${by} answered ${response.statusCode} to a tunnel to ${to}`,
          `Ask whoever runs that proxy to let ${to} through, or ${noProxy}`,
        )
      }
    }
    ask.once('connect', (response, tunnelled: Socket) => {
      if (response.statusCode === 200) resolve(tunnelled)
      else judge(response)
    })
    ask.once('response', judge)
    ask.once('error', (error) => {
      if (signal?.aborted) reject(signal.reason)
      else if (timeout.aborted) refuse(`${by} did not open a tunnel to ${to} in time`, `Ask whoever runs that proxy`)
      else refuse(`${by} failed: ${error.message}`, `Check ${proxy.variable}`)
    })
    ask.end()
  })
}
