import { Agent, buildConnector, type Dispatcher, ProxyAgent } from 'undici'
import { trustOf } from '../mlflow/trust.ts'
import type { Settings } from '../mlflow/types.ts'
import type { Environment } from '../mlflow/variables.ts'
import { usableProxy } from '../probes/environment-proxy.ts'

/** Connections for requests that carry bytes: given up when none has moved for `idleMs`, however long they take. */
export interface Line {
  /** By the proxy that the environment names for that host, as requests would find it. */
  dispatcherFor(url: URL): Dispatcher
  close(): Promise<void>
}

const connectMs = 10_000

export const openLine = (idleMs: number, trust: Settings['tls'], env: Environment): Line => {
  const tls = trustOf(trust)
  const times = { headersTimeout: idleMs, bodyTimeout: idleMs }
  // undici has no time-out for a body that no longer flows; the socket's own covers sending and receiving.
  const base = buildConnector({ ...tls, timeout: connectMs })
  const direct = new Agent({
    ...times,
    connect: (options, callback) =>
      base(options, (...result) => {
        const [, socket] = result
        socket?.setTimeout(idleMs, () => {
          socket.destroy(Object.assign(new Error('no bytes flowed'), { code: 'ETIMEDOUT' }))
        })
        callback(...result)
      }),
  })
  const proxies = new Map<string, ProxyAgent>()
  return {
    dispatcherFor(url) {
      const uri = usableProxy(url, env)?.url.href
      if (uri === undefined) return direct
      const agent = proxies.get(uri) ?? new ProxyAgent({ uri, ...times, requestTls: tls })
      proxies.set(uri, agent)
      return agent
    },
    close: async () => {
      for (const agent of [direct, ...proxies.values()]) await agent.destroy()
    },
  }
}
