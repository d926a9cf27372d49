import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { openConnection } from '../../src/probes/connection.ts'

/** vitest fails the run on an error that nobody catches. */
test('a reset that comes after both sides have closed is no error, and leaves nothing open (a throw-away server)', async () => {
  const server = createServer((socket) => socket.on('error', () => {}).end('bye'))
  onTestFinished(() => void server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const { socket, reset } = await openConnection(url, { addresses: [], ms: {} }, { timeoutMs: 5000, env: {} })
  await once(socket.resume(), 'end')
  socket.end()
  const closed = once(socket, 'close')
  reset()
  reset()
  await closed
  expect(socket.destroyed).toBe(true)
})
