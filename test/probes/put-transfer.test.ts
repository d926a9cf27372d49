import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type PutTransferOptions, putTransfer } from '../../src/probes/put-transfer.ts'

// Servers of this test's own, each with one quirk; the real ones are in the lab's tests.

const MiB = 2 ** 20
let server: Server | undefined
afterEach(async () => {
  server?.closeAllConnections()
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)))
  server = undefined
})

interface Seen {
  readonly written: string[]
  readonly removed: { readonly name: string; readonly late: boolean }[]
}

const bytesOf = async (request: IncomingMessage, most = Number.MAX_SAFE_INTEGER): Promise<number> => {
  let bytes = 0
  try {
    for await (const chunk of request) {
      bytes += (chunk as Buffer).length
      if (bytes > most) break
    }
  } catch {
    // Cut by the other side.
  }
  return bytes
}

interface Quirks {
  readonly objection?: () => string
  readonly begun?: () => void
  readonly seen?: Seen
}

const against = async (
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  { objection, begun, seen = { written: [], removed: [] }, ...more }: Partial<PutTransferOptions> & Quirks = {},
) => {
  server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const result = await putTransfer({
    budget: 16 * MiB,
    planned: [],
    accepted: Number.MAX_SAFE_INTEGER,
    timeMs: 60_000,
    timeoutMs: 5000,
    silenceMs: 5000,
    tls: { insecure: false },
    env: {},
    signal: new AbortController().signal,
    progress: () => {},
    async begin() {
      const name = `canary-${seen.written.length}`
      seen.written.push(name)
      begun?.()
      return {
        url: new URL(`http://127.0.0.1:${port}/${name}`),
        objection: async () => objection?.(),
        async remove(lateMs) {
          seen.removed.push({ name, late: lateMs !== undefined })
        },
      }
    },
    ...more,
  })
  expect(seen.removed.map(({ name }) => name)).toEqual(seen.written)
  return { ...result, seen }
}

const taking = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  await bytesOf(request)
  response.end('{}')
}

const sizes = ({ tries }: { tries: readonly { bytes: number }[] }) => tries.map(({ bytes }) => bytes)
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

test('canaries grow, stay within the budget, and all are removed', async () => {
  const result = await against(taking)
  expect(sum(sizes(result))).toBeLessThanOrEqual(16 * MiB)
  expect(sizes(result)).toEqual(sizes(result).toSorted((a, b) => a - b))
  expect(sizes(result)[0]).toBe(1024)
  expect(sizes(result).at(-1)).toBeGreaterThan(8 * MiB)
  expect(result.uplink).toBeDefined()
})

test('a planned file that the budget allows is sent at its full size', async () => {
  const result = await against(taking, { planned: [5_000_003, 900 * MiB] })
  expect(sizes(result).at(-1)).toBe(5_000_003)
})

test('a small planned file beside one that is too large to be tried does not keep the canaries small', async () => {
  const result = await against(taking, { planned: [300, 900 * MiB] })
  expect(sizes(result).at(-1)).toBeGreaterThan(8 * MiB)
  expect(result.uplink).toBeDefined()
})

test('on a slow line no canary takes more than the time that is left, the second one neither', async () => {
  const result = await against(
    async (request, response) => {
      const bytes = await bytesOf(request)
      await new Promise((resolve) => setTimeout(resolve, bytes / 1000))
      response.end('{}')
    },
    { timeMs: 1000 },
  )
  expect(sizes(result)).toContain(MiB / 4 - 16)
  expect(Math.max(...sizes(result))).toBeLessThan(MiB - 64)
})

test('nothing above a declared size that is refused is sent', async () => {
  const result = await against(taking, { accepted: 3 * MiB })
  expect(Math.max(...sizes(result))).toBeLessThanOrEqual(3 * MiB)
})

test('what stands against large objects stops the ladder after the first', async () => {
  let asked = 0
  const result = await against(taking, {
    objection: () => {
      asked += 1
      return 'the bucket keeps versions of what is deleted'
    },
  })
  expect(sizes(result)).toEqual([1024])
  expect(asked).toBe(1)
  expect(result.objection).toBe('the bucket keeps versions of what is deleted')
})

test('the same is asked where only the second try of the first canary got through', async () => {
  let requests = 0
  const result = await against(
    async (request, response) => {
      requests += 1
      if (requests === 1) request.socket.destroy()
      else await taking(request, response)
    },
    { objection: () => 'the bucket keeps versions of what is deleted' },
  )
  expect(sizes(result)).toEqual([1024, 1024])
})

test('a limit by bytes that arrive is closed in on to the byte', async () => {
  const limit = 1_234_567
  const result = await against(
    async (request, response) => {
      // Counted on arrival, whatever length was declared.
      if ((await bytesOf(request)) > limit) response.writeHead(413).end('too large')
      else response.end('{}')
    },
    { budget: 64 * MiB },
  )
  const passed = result.tries.flatMap(({ bytes, failed }) => (failed ? [] : [bytes]))
  const failed = result.tries.flatMap(({ bytes, failed }) => (failed ? [bytes] : []))
  expect(Math.max(...passed)).toBe(limit)
  expect(Math.min(...failed)).toBe(limit + 1)
})

test('a connection that is cut once is tried again, and counts as an accident', async () => {
  let cut = false
  const result = await against(async (request, response) => {
    if (Number(request.headers['content-length']) > 2 * MiB && !cut) {
      cut = true
      const { socket } = request
      await new Promise((resolve) => request.once('data', resolve))
      socket.resetAndDestroy()
    } else await taking(request, response)
  })
  const broken = result.tries.filter(({ failed }) => failed)
  expect(broken).toHaveLength(1)
  expect(broken[0]?.failed).toMatchObject({ how: 'closed', during: 'body' })
  const again = result.tries[result.tries.findIndex(({ failed }) => failed) + 1]
  expect(again).toMatchObject({ bytes: broken[0]?.bytes })
  expect(again).not.toHaveProperty('failed')
})

test('a canary whose answer was not heard may still be stored, and is removed late', async () => {
  const result = await against(async (request, response) => {
    await bytesOf(request)
    if (Number(request.headers['content-length']) > MiB) response.writeHead(504).end()
    else response.end('{}')
  })
  const lost = result.tries.filter(({ failed }) => failed)
  // A time-out tells nothing about sizes: no closing in.
  expect(lost.map(({ failed }) => failed)).toMatchObject([
    { status: 504, during: 'answer' },
    { status: 504, during: 'answer' },
  ])
  expect(result.seen.removed.filter(({ late }) => late)).toHaveLength(2)
})

test('a refusal of the first canary ends it: nothing else is written', async () => {
  const result = await against(async (request, response) => {
    await bytesOf(request)
    response.writeHead(403).end('{"error_code":"PERMISSION_DENIED"}')
  })
  expect(sizes(result)).toEqual([1024])
  expect(result.tries[0]?.failed).toMatchObject({ how: 'status', status: 403 })
})

test('silence after the last byte ends after as long as the client would wait', async () => {
  const result = await against(
    async (request, response) => {
      await bytesOf(request)
      if (Number(request.headers['content-length']) <= 1024) response.end('{}')
    },
    { silenceMs: 300, budget: 4 * MiB },
  )
  expect(result.tries.at(-1)?.failed).toMatchObject({ how: 'silent', during: 'answer' })
})

test('on a slow line canaries are cut to the time that is left', async () => {
  const result = await against(
    async (request, response) => {
      let bytes = 0
      for await (const chunk of request) {
        bytes += (chunk as Buffer).length
        // 8 MiB a second.
        await new Promise((resolve) => setTimeout(resolve, ((chunk as Buffer).length / (8 * MiB)) * 1000))
      }
      expect(bytes).toBe(Number(request.headers['content-length']))
      response.end('{}')
    },
    { budget: 64 * MiB, timeMs: 2000 },
  )
  expect(sum(sizes(result))).toBeLessThan(40 * MiB)
  expect(result.tries.every(({ failed }) => failed === undefined)).toBe(true)
})

test('an interruption is thrown, and what it may have left is for the end of the run to remove', async () => {
  const controller = new AbortController()
  const seen: Seen = { written: [], removed: [] }
  const running = against(async (request) => void (await bytesOf(request)), {
    signal: controller.signal,
    begun: () => setTimeout(() => controller.abort(new Error('stop')), 50),
    seen,
  })
  await expect(running).rejects.toThrow('stop')
  expect(seen).toEqual({ written: ['canary-0'], removed: [] })
})
