import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { afterEach } from 'vitest'

const running: { server: Server; sockets: Set<Socket> }[] = []

afterEach(async () => {
  for (const { server, sockets } of running.splice(0)) {
    for (const socket of sockets) socket.destroy()
    await new Promise((done) => server.close(done))
  }
})

const listen = async (server: Server): Promise<number> => {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  running.push({ server, sockets })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** A throw-away HTTP server that ends with the test; gives its URL and every request that it saw. */
export const nasty = async (answer: RequestListener): Promise<{ url: string; seen: IncomingMessage[] }> => {
  const seen: IncomingMessage[] = []
  const port = await listen(
    createServer((request, response) => {
      seen.push(request)
      answer(request, response)
    }),
  )
  return { url: `http://127.0.0.1:${port}`, seen }
}

/** The same, below HTTP: what each connection does is the caller's. */
export const nastySocket = async (onConnection: (socket: Socket) => void): Promise<string> =>
  `http://127.0.0.1:${await listen(createTcpServer(onConnection))}`

/** A port on which nothing listens. */
export const nobody = async (): Promise<string> => {
  const server = createTcpServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  await new Promise((done) => server.close(done))
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
}

/** Settings for a tracking server, as the environment would give them. */
export const envFor = (url: string, more: Record<string, string> = {}) => ({
  env: { MLFLOW_TRACKING_URI: url, ...more },
  cwd: '/',
  home: '/nonexistent',
})
