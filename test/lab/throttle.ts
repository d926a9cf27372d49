import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

export interface SlowLink {
  readonly url: string
  /** Bytes that have gone towards the upstream. */
  readonly sent: () => number
  stop(): Promise<void>
}

/** Milliseconds of lateness, of timers on a busy machine, that are made up for: the rate is right all the same. */
const makeUpMs = 250
/** Milliseconds between two pieces after which a sender had nothing to send. */
const idleMs = 20

/** A TCP proxy on 127.0.0.1 that lets all connections together send so many bytes a second upstream; answers go at full speed. */
export async function startThrottle(options: { upstream: string; bytesPerSecond: number }): Promise<SlowLink> {
  const upstream = new URL(options.upstream)
  const open = new Set<Socket>()
  let sent = 0
  let freeAt = 0
  const server = createServer((client) => {
    const target = connect({ host: upstream.hostname, port: Number(upstream.port) })
    for (const socket of [client, target]) {
      open.add(socket)
      socket.on('close', () => {
        open.delete(socket)
        client.destroy()
        target.destroy()
      })
      socket.on('error', () => {})
    }
    target.pipe(client)
    let held = false
    let last = 0
    client.on('data', (bytes: Buffer) => {
      const now = Date.now()
      // What was held back, or came at once, would have been sent earlier on a machine with time to spare.
      const late = held || now - last < idleMs ? makeUpMs : 0
      sent += bytes.length
      freeAt = Math.max(freeAt, now - late) + (bytes.length / options.bytesPerSecond) * 1000
      // A server that takes nothing holds the sender up: what it has not taken must not pile up here, to arrive at once.
      const full = !target.write(bytes)
      last = now
      const wait = freeAt - now
      held = wait >= 1 || full
      if (!held) return
      client.pause()
      const drained = full ? once(target, 'drain').catch(() => {}) : undefined
      void Promise.all([drained, pause(Math.max(0, wait))]).then(() => client.resume())
    })
    client.on('end', () => target.end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the slow link has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    sent: () => sent,
    stop: () => {
      for (const socket of open) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
