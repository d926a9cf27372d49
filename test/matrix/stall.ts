import { connect, createServer, type Socket } from 'node:net'

/** A TCP proxy on 127.0.0.1 through which each connection pauses once for `ms` milliseconds, after it has carried `after` bytes upstream. */
export const startStall = async (options: {
  upstream: string
  after: number
  ms: number
}): Promise<{ url: string; stop(): Promise<void> }> => {
  const upstream = new URL(options.upstream)
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const target = connect({ host: upstream.hostname, port: Number(upstream.port) })
    let carried = 0
    let paused = false
    for (const socket of [client, target]) {
      open.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        open.delete(socket)
        client.destroy()
        target.destroy()
      })
    }
    target.pipe(client)
    client.on('data', (bytes: Buffer) => {
      carried += bytes.length
      const full = !target.write(bytes)
      if (carried >= options.after && !paused) {
        paused = true
        client.pause()
        setTimeout(() => client.resume(), options.ms)
      } else if (full) {
        client.pause()
        target.once('drain', () => client.resume())
      }
    })
    client.on('end', () => target.end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the stalling link has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    stop: () => {
      for (const socket of open) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
