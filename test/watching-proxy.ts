import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Seen {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

export interface WatchingProxy {
  readonly url: string
  /** Requests that the upstream answered, in order, with the status. */
  readonly answered: (Seen & { readonly status: number })[]
  /** Called before a request is passed on; the request waits for it. */
  onRequest: ((seen: Seen) => Promise<void> | void) | undefined
  stop(): Promise<void>
}

/** An HTTP proxy in front of a real server that counts and may hold requests; it changes none, so signatures stay valid. */
export const startWatchingProxy = async (upstream: string): Promise<WatchingProxy> => {
  const { hostname, port } = new URL(upstream)
  const answered: WatchingProxy['answered'] = []
  const proxy: { onRequest: WatchingProxy['onRequest'] } = { onRequest: undefined }
  const server = createServer(async (from, to) => {
    const seen: Seen = { method: from.method ?? '', url: from.url ?? '', headers: from.headers }
    await proxy.onRequest?.(seen)
    const onward = request({ hostname, port, method: seen.method, path: seen.url, headers: from.headers }, (answer) => {
      const status = answer.statusCode ?? 0
      answered.push({ ...seen, status })
      to.writeHead(status, answer.headers)
      answer.pipe(to)
    })
    // A body that ends early must not reach the upstream as a whole one.
    from.on('close', () => {
      if (!from.complete) onward.destroy()
    })
    onward.on('error', () => to.destroy())
    to.on('error', () => {})
    from.pipe(onward)
  })
  server.on('clientError', (_error, socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answered,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}
