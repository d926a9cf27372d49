import { createServer } from 'node:net'
import { EndedEarly } from './running.ts'

/** Below the range from which Linux takes the local ports of outgoing connections (32768 on), so that none of those gets in between. */
const LOWEST = 10_300
const HIGHEST = 32_000

const given = new Set<number>()

/** Ports on 127.0.0.1 that nothing listens on now, never the same one twice from this process. */
async function freePorts(count: number): Promise<number[]> {
  const found: number[] = []
  while (found.length < count) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    found.push(port)
  }
  return found
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Starts something on fresh ports, again on others when it ended at once: another run may have taken one in between. */
export async function onFreePorts<T>(count: number, start: (...ports: number[]) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(...(await freePorts(count)))
    } catch (error) {
      if (
        !(error instanceof EndedEarly) ||
        attempt === 3 ||
        !/address already in use|connection in use|EADDRINUSE/i.test(error.message)
      )
        throw error
    }
  }
}
